/* NFC without a device: the answer to reset that a contactless card is given, cards told apart, and
 * the lock on a device. The exchange itself is tested on a simulated chip, tests/e2e/test_nfc.py.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nfc_card.h"
#include "port/nfc/lock.h"
#include "simtie.h"

/* ---- The answer to reset ---- */

static nfc_target type_a(const char *uid, size_t uid_len, const char *ats, size_t ats_len)
{
	nfc_target card = {.nm = {NMT_ISO14443A, NBR_106},
			   .nti.nai = {.btSak = 0x20, .szUidLen = uid_len, .szAtsLen = ats_len}};

	memcpy(card.nti.nai.abtUid, uid, uid_len);
	memcpy(card.nti.nai.abtAts, ats, ats_len < 254 ? ats_len : 254);
	return card;
}

static void expect_atr(const nfc_target *card, const char *bytes, size_t len)
{
	uint8_t atr[SIMTIE_ATR_MAX];

	assert_int_equal(nfc_card_atr(card, atr), len);
	assert_memory_equal(atr, bytes, len);
}

static void atr_of_type_a(void **state)
{
	/* T0 says which of TA, TB and TC stand before the historical bytes. */
	const nfc_target all = type_a("\4\1\2\3", 4, "\x78\x80\xA0\x02simtie", 10);
	const nfc_target some = type_a("\4\1\2\3", 4, "\x18\x80simtie", 8);
	const nfc_target bare = type_a("\4\1\2\3", 4, "", 0);
	const nfc_target none = type_a("\4\1\2\3", 4, "\x78\x80\xA0\x02", 4);
	const nfc_target cut = type_a("\4\1\2\3", 4, "\x78\x80", 2);

	(void)state;
	expect_atr(&all, "\x3B\x86\x80\x01simtie\x08", 11);
	expect_atr(&some, "\x3B\x86\x80\x01simtie\x08", 11);
	expect_atr(&bare, "\x3B\x80\x80\x01\x01", 5);
	expect_atr(&none, "\x3B\x80\x80\x01\x01", 5);
	expect_atr(&cut, "\x3B\x80\x80\x01\x01", 5);
}

/* An ATR has room for 15, a card may send 254. */
static void atr_of_a_talkative_card(void **state)
{
	char ats[254] = "\x08";
	nfc_target card;
	uint8_t atr[SIMTIE_ATR_MAX];

	(void)state;
	memset(ats + 1, 0x5A, sizeof ats - 1);
	card = type_a("\4\1\2\3", 4, ats, sizeof ats);
	assert_int_equal(nfc_card_atr(&card, atr), 4 + 15 + 1);
	card.nti.nai.szAtsLen = (size_t)-1; /* what libnfc makes of a length byte of 0 */
	assert_int_equal(nfc_card_atr(&card, atr), 5);
}

static void atr_of_type_b(void **state)
{
	const nfc_target card = {.nm = {NMT_ISO14443B, NBR_106},
				 .nti.nbi = {.abtPupi = {1, 2, 3, 4},
					     .abtApplicationData = {'s', 't', 'i', 'e'},
					     .abtProtocolInfo = {0x00, 0x81, 0x71}}};

	(void)state;
	expect_atr(&card, "\x3B\x88\x80\x01stie\x00\x81\x71\x00\xF2", 13);
}

static void same_cards(void **state)
{
	const nfc_target one = type_a("\x04\1\2\3", 4, "", 0), two = type_a("\x04\1\2\4", 4, "", 0);
	const nfc_target made_up = type_a("\x08\1\2\3", 4, "", 0);
	const nfc_target made_up_too = type_a("\x08\7\7\7", 4, "", 0);
	const nfc_target longer = type_a("\x04\1\2\3\4\5\6", 7, "", 0);
	const nfc_target with_8 = type_a("\x08\1\2\3\4\5\6", 7, "", 0);
	const nfc_target with_8_too = type_a("\x08\1\2\3\4\5\7", 7, "", 0);
	const nfc_target b = {.nm = {NMT_ISO14443B, NBR_106}};

	(void)state;
	assert_true(nfc_card_same(&one, &one));
	assert_false(nfc_card_same(&one, &two));
	assert_true(nfc_card_same(&made_up, &made_up_too));
	assert_false(nfc_card_same(&one, &made_up));
	assert_false(nfc_card_same(&one, &longer));
	assert_true(nfc_card_same(&longer, &longer));
	assert_false(nfc_card_same(&with_8, &with_8_too)); /* 08 means that in four bytes alone */
	assert_false(nfc_card_same(&one, &b));
	assert_true(nfc_card_same(&b, &b));
}

/* ---- The lock ---- */

static void nodes(void **state)
{
	static const struct {
		const char *name, *node;
	} rows[] = {
		{"pn532_uart:/dev/ttyUSB0", "/dev/ttyUSB0"},
		{"pn532_uart:/dev/ttyUSB0:115200", "/dev/ttyUSB0"},
		{"pn532_i2c:/dev/i2c-1", "/dev/i2c-1"},
		{"pn53x_usb:001:004", "/dev/bus/usb/001/004"},
		{"usb:001:004", "/dev/bus/usb/001/004"},
		{"pn53x_usb", ""},
		{"acr122_pcsc:ACS ACR 38U-CCID 00 00", ""},
		{"pn53x_usb:001:../../../../etc/passwd", ""},
		{"pn53x_usb:001:", ""},
		{"pn53x_usb::004", ""},
		{"", ""},
	};
	char node[CLAIM_NAME_MAX + 16];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		lock_node(rows[i].name, node, sizeof node);
		assert_string_equal(node, rows[i].node);
	}
}

/* A name that no device has, and the file that is its lock. */
struct place {
	char name[64], path[128];
};

static void make_place(struct place *place)
{
	const char *folder = access("/run/lock", W_OK | X_OK) == 0 ? "/run/lock" : "/tmp";

	snprintf(place->name, sizeof place->name, "test_driver %d/%d", getpid(), rand());
	snprintf(place->path, sizeof place->path, "%s/simtie-nfc-%s", folder, place->name);
	for (char *c = place->path + strlen(folder) + 1; *c; c++)
		if (*c == ' ' || *c == '/')
			*c = '-';
}

static enum claim_result take(const struct place *place, int *lock)
{
	char text[CLAIM_TEXT_MAX] = "";
	enum claim_result result = lock_take(place->name, 0, lock, text);

	assert_true((result == CLAIM_OK) == (*lock >= 0));
	assert_true((result == CLAIM_OK) == (text[0] == '\0'));
	return result;
}

static void a_lock_is_for_one(void **state)
{
	struct place place;
	struct stat status;
	int first, second;

	(void)state;
	make_place(&place);
	assert_int_equal(take(&place, &first), CLAIM_OK);
	assert_int_equal(stat(place.path, &status), 0);
	assert_int_equal(status.st_size, 0);
	assert_int_equal(status.st_mode & (S_IWGRP | S_IWOTH), 0);
	assert_int_equal(fcntl(first, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(take(&place, &second), CLAIM_BUSY);
	close(first);
	assert_int_equal(take(&place, &second), CLAIM_OK);
	close(second);
	assert_int_equal(unlink(place.path), 0);
}

/* In a folder that all may write to, a link could lead to any file. */
static void a_link_is_not_followed(void **state)
{
	char target[] = "/tmp/test_nfc_XXXXXX";
	struct place place;
	int lock, fd = mkstemp(target);

	(void)state;
	make_place(&place);
	assert_true(fd >= 0);
	assert_int_equal(symlink(target, place.path), 0);
	assert_int_equal(take(&place, &lock), CLAIM_DENIED);
	assert_int_equal(unlink(target), 0);
	assert_int_equal(take(&place, &lock), CLAIM_DENIED); /* nor is its target made */
	assert_int_equal(access(target, F_OK), -1);
	assert_int_equal(unlink(place.path), 0);
	assert_int_equal(mkfifo(place.path, 0600), 0);
	assert_int_equal(take(&place, &lock), CLAIM_DENIED);
	assert_int_equal(unlink(place.path), 0);
	close(fd);
}

/* libnfc writes past its fd_set where a descriptor's number is too high for it. */
static void too_many_open_files(void **state)
{
	const struct rlimit wide = {FD_SETSIZE + 64, FD_SETSIZE + 64};
	struct rlimit before;
	struct place place;
	int lock, fds[FD_SETSIZE], count = 0;

	(void)state;
	make_place(&place);
	getrlimit(RLIMIT_NOFILE, &before);
	if (before.rlim_max < wide.rlim_cur)
		skip();
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){wide.rlim_cur, before.rlim_max});
	do
		fds[count] = dup(STDERR_FILENO);
	while (fds[count++] < FD_SETSIZE - 20);
	assert_int_equal(take(&place, &lock), CLAIM_MEMORY);
	while (count > 0)
		close(fds[--count]);
	assert_int_equal(take(&place, &lock), CLAIM_OK);
	close(lock);
	unlink(place.path);
	setrlimit(RLIMIT_NOFILE, &before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(atr_of_type_a),
		cmocka_unit_test(atr_of_a_talkative_card),
		cmocka_unit_test(atr_of_type_b),
		cmocka_unit_test(same_cards),
		cmocka_unit_test(nodes),
		cmocka_unit_test(a_lock_is_for_one),
		cmocka_unit_test(a_link_is_not_followed),
		cmocka_unit_test(too_many_open_files),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
