#include "picc.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "../../core/apdu.h"

/* Most bytes that a PN532 as a card takes or gives in one exchange (UM0701-02 §7.3.16, §7.3.17). */
#define EXCHANGE_MAX 262

/* How long the chip may take to hand an answer to the reader, and how often a call is interrupted
 * until it notices. */
#define SEND_MS  1000
#define AGAIN_MS 50

/* A device that cannot even be made a card so often in a row will not be. */
#define FAILURES_MAX 3

#define ATQA_SINGLE 0x04 /* a UID of four bytes */
#define SAK_ISO_DEP 0x20
#define UID_RANDOM  0x08 /* the only first byte that a PN532 can have, and what it means */

/* T0: TA, TB and TC follow. libnfc only counts them; the chip says its own. */
#define ATS_T0 0x70

/* Historical bytes (ISO/IEC 7816-4 §12.1.1): chaining and four logical channels, but, other than in
 * a reader with contacts, no extended length; "simtie". */
static const uint8_t history[] = {
	0x80, 0x73, 0x80, 0x01, 0x9B, 0x56, 's', 'i', 'm', 't', 'i', 'e',
};

/* Another thread waits for signals: the one that serves stands in libnfc. */
struct watch {
	nfc_device *device;
	int signals, stop; /* descriptors */
	atomic_bool came;
	pthread_t thread;
};

static void *watch_main(void *argument)
{
	struct watch *watch = argument;
	struct pollfd wanted[2] = {{.fd = watch->stop, .events = POLLIN},
				   {.fd = watch->signals, .events = POLLIN}};

	for (;;) {
		bool came = atomic_load(&watch->came);

		if (poll(wanted, came ? 1 : 2, came ? AGAIN_MS : -1) < 0)
			continue;
		if (wanted[0].revents)
			return NULL;
		atomic_store(&watch->came, true);
		nfc_abort_command(watch->device);
	}
}

static bool watch_start(struct watch *watch)
{
	watch->stop = eventfd(0, EFD_CLOEXEC);
	if (watch->stop < 0)
		return false;
	if (pthread_create(&watch->thread, NULL, watch_main, watch) == 0)
		return true;
	close(watch->stop);
	return false;
}

static void watch_end(struct watch *watch)
{
	const uint64_t one = 1;

	while (write(watch->stop, &one, sizeof one) < 0)
		continue;
	pthread_join(watch->thread, NULL);
	close(watch->stop);
}

/* Waits for a reader. Negative: an error of libnfc's. */
static int activate(nfc_device *device)
{
	nfc_target target = {
		.nm = {NMT_ISO14443A, NBR_UNDEFINED},
		.nti.nai = {.abtAtqa = {0, ATQA_SINGLE},
			    .btSak = SAK_ISO_DEP,
			    .szUidLen = 4,
			    .abtUid = {UID_RANDOM},
			    .szAtsLen = 4 + sizeof history,
			    .abtAts = {ATS_T0}},
	};
	uint8_t first[EXCHANGE_MAX];

	memcpy(target.nti.nai.abtAts + 4, history, sizeof history);
	if (getrandom(target.nti.nai.abtUid + 1, 3, 0) != 3)
		return NFC_ESOFT;
	return nfc_target_init(device, &target, first, sizeof first, 0);
}

/* A reader that asks for more than one exchange can carry gets that much, and 61xx. */
static void cap(uint8_t *command, size_t len)
{
	struct apdu apdu;

	if (apdu_parse(bytes_of(command, len), &apdu) && apdu.ne > APDU_NE_SHORT)
		put_be16(command + len - 2, APDU_NE_SHORT);
}

/* One command and its answer. False: the reader has gone. */
static bool exchange(nfc_device *device, const struct picc_card *card)
{
	uint8_t buffer[EXCHANGE_MAX];
	int len = nfc_target_receive_bytes(device, buffer, sizeof buffer, 0);
	struct answer answer;
	size_t used;

	if (len < 0)
		return false;
	cap(buffer, (size_t)len);
	answer = card->command(card->card, bytes_of(buffer, (size_t)len));
	bytes_wipe(buffer, sizeof buffer);
	used = answer.data.len;
	if (used > sizeof buffer - 2)
		return false;
	if (used > 0)
		memcpy(buffer, answer.data.ptr, used);
	put_be16(buffer + used, answer.sw);
	len = nfc_target_send_bytes(device, buffer, used + 2, SEND_MS);
	bytes_wipe(buffer, sizeof buffer);
	return len >= 0;
}

static void serve_reader(struct watch *watch, const struct picc_card *card)
{
	card->reset(card->card);
	while (!atomic_load(&watch->came) && exchange(watch->device, card))
		continue;
	card->reset(card->card);
}

enum picc_end picc_serve(nfc_device *device, const struct picc_card *card, int signals)
{
	struct watch watch = {.device = device, .signals = signals};
	unsigned failures = 0;

	if (!watch_start(&watch)) {
		card->say("no thread to be had");
		return PICC_FAILED;
	}
	while (!atomic_load(&watch.came) && failures < FAILURES_MAX) {
		int result = activate(device);

		if (result >= 0)
			serve_reader(&watch, card);
		failures = result >= 0 ? 0 : failures + 1;
	}
	watch_end(&watch);
	if (!atomic_load(&watch.came)) {
		card->say("the NFC device failed, or cannot be a card; see hw-notes/nfc.md");
		return PICC_FAILED;
	}
	nfc_idle(device);
	return PICC_SIGNAL;
}
