/* Opening a secure channel when card, keys, line or caller are wrong. */
#include "scp03_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "contract.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The whole of an opening with an answer that may have been changed; what it comes to. */
static enum scp03_result outcome(const struct peer *peer, struct scp03 *scp, struct bytes answer,
				 uint8_t level)
{
	uint8_t command[SCP03_AUTHENTICATE_MAX];
	size_t len = 0;
	enum scp03_result result = scp03_answered(scp, answer, SW_OK);

	if (result == SCP03_OK)
		result = scp03_authenticate(scp, &peer->keys, peer_aid(peer), level, command, &len);
	if (result != SCP03_OK) {
		assert_int_equal(len, 0);
		if (result != SCP03_LEVEL)
			assert_wiped(scp);
	}
	return result;
}

/* Nothing vouches for the diversification data: keys derived from it would be wrong. All else of
 * the answer counts. */
static void test_answer_bits(void **state)
{
	(void)state;
	for (uint8_t i = 0x70; i <= 0x71; i++) {
		struct peer peer;
		struct scp03 scp;
		uint8_t answer[64];
		size_t len;

		peer_make(&peer, 0x30, 32, 3, i);
		len = peer_meet(&peer, &scp, 0, answer);
		assert_int_equal(outcome(&peer, &scp, bytes_of(answer, len), 0x33), SCP03_OK);
		for (size_t bit = 10 * 8; bit < len * 8; bit++) {
			len = peer_meet(&peer, &scp, 0, answer);
			answer[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_not_equal(outcome(&peer, &scp, bytes_of(answer, len), 0x33),
					     SCP03_OK);
		}
	}
}

/* The answer lies in memory of just its size, so that a read beyond it shows. */
static void test_answer_lengths(void **state)
{
	static const uint8_t options[] = {0x00, 0x10, 0x01, 0x11, 0x60, 0x71};

	(void)state;
	for (size_t n = 0; n < COUNT(options); n++) {
		struct peer peer;
		struct scp03 scp;
		uint8_t answer[66] = {0};
		size_t whole;

		peer_make(&peer, 0x30, 16, 3, options[n]);
		whole = peer_meet(&peer, &scp, 0, answer);
		for (size_t len = 0; len < sizeof(answer); len++) {
			uint8_t *exact = test_malloc(len);

			peer_meet(&peer, &scp, 0, answer);
			memcpy(exact, answer, len);
			assert_int_equal(outcome(&peer, &scp, bytes_of(exact, len), 0x01),
					 len == whole ? SCP03_OK : SCP03_MALFORMED);
			test_free(exact);
		}
	}
}

static void expect_answer(uint8_t at, uint8_t value, enum scp03_result wanted)
{
	struct peer peer;
	struct scp03 scp;
	uint8_t answer[64];
	size_t len;

	peer_make(&peer, 0x30, 16, 3, 0x70);
	len = peer_meet(&peer, &scp, 0, answer);
	answer[at] = value;
	assert_int_equal(outcome(&peer, &scp, bytes_of(answer, len), 0x01), wanted);
}

static void test_answer_fields(void **state)
{
	(void)state;
	expect_answer(10, 0x31, SCP03_VERSION);
	expect_answer(11, 0x02, SCP03_PROTOCOL);
	expect_answer(12, 0x71, SCP03_PROTOCOL); /* S16 where S8 was asked for */
	expect_answer(12, 0x50, SCP03_PROTOCOL); /* response encryption without MAC */
	expect_answer(12, 0xF0, SCP03_PROTOCOL);
	expect_answer(12, 0x78, SCP03_PROTOCOL);
	expect_answer(13, 0x00, SCP03_CRYPTOGRAM);
	expect_answer(28, 0x00, SCP03_CRYPTOGRAM);
	expect_answer(31, 0x29, SCP03_CHALLENGE); /* an older count */
}

/* The cryptogram proves the MAC key, a pseudo-random challenge the ENC key. */
static void test_wrong_keys(void **state)
{
	(void)state;
	for (size_t byte = 0; byte < 24; byte++) {
		struct peer peer, other;
		struct scp03 scp;
		uint8_t answer[64];
		size_t len;

		peer_make(&peer, 0x30, 24, 3, 0x70);
		other = peer;
		other.keys.mac[byte] ^= 1;
		len = peer_meet(&peer, &scp, 0, answer);
		assert_int_equal(outcome(&other, &scp, bytes_of(answer, len), 0x01),
				 SCP03_CRYPTOGRAM);
		other = peer;
		other.keys.enc[byte] ^= 1;
		len = peer_meet(&peer, &scp, 0, answer);
		assert_int_equal(outcome(&other, &scp, bytes_of(answer, len), 0x01),
				 SCP03_CHALLENGE);
		other = peer;
		other.aid[7] ^= 1;
		len = peer_meet(&peer, &scp, 0, answer);
		assert_int_equal(outcome(&other, &scp, bytes_of(answer, len), 0x01),
				 SCP03_CHALLENGE);
	}
}

static void test_arguments(void **state)
{
	struct peer peer;
	struct scp03 scp, before;
	uint8_t bytes[20] = {0}, command[SCP03_AUTHENTICATE_MAX], answer[64];
	size_t len;

	(void)state;
	for (size_t size = 0; size < sizeof(bytes); size++)
		assert_int_equal(scp03_begin(&scp, 0, 0x30, bytes_of(bytes, size), command, &len),
				 size == 8 || size == 16 ? SCP03_OK : SCP03_ARGUMENT);
	assert_int_equal(scp03_begin(&scp, 20, 0x30, bytes_of(bytes, 8), command, &len),
			 SCP03_ARGUMENT);
	assert_wiped(&scp);
	peer_make(&peer, 0x30, 16, 3, 0x70);
	len = peer_meet(&peer, &scp, 0, answer);
	scp03_answered(&scp, bytes_of(answer, len), SW_OK);
	before = scp;
	for (size_t size = 1; size < sizeof(bytes); size++)
		if (size < 5 || size > 16)
			assert_int_equal(scp03_authenticate(&scp, &peer.keys, bytes_of(bytes, size),
							    0x01, command, &len),
					 SCP03_ARGUMENT);
	for (peer.keys.len = 0; peer.keys.len <= 33; peer.keys.len++)
		if (peer.keys.len % 8 != 0 || peer.keys.len < 16)
			assert_int_equal(
				scp03_authenticate(&scp, &peer.keys, NO_BYTES, 0x01, command, &len),
				SCP03_ARGUMENT);
	assert_memory_equal(&scp, &before, sizeof(scp));
}

/* A refusal, and data where there is none, end it. */
static void test_refusals(void **state)
{
	static const uint16_t words[] = {SW_NOT_SATISFIED, SW_BLOCKED, 0x6300, 0x6283, 0};
	struct peer peer;
	struct scp03 scp;
	uint8_t answer[64], command[SCP03_AUTHENTICATE_MAX];
	size_t len;

	(void)state;
	peer_make(&peer, 0x30, 16, 3, 0x70);
	for (size_t i = 0; i < COUNT(words); i++) {
		len = peer_meet(&peer, &scp, 0, answer);
		assert_int_equal(scp03_answered(&scp, bytes_of(answer, len), words[i]),
				 SCP03_REFUSED);
		assert_wiped(&scp);
		len = peer_meet(&peer, &scp, 0, answer);
		assert_int_equal(outcome(&peer, &scp, bytes_of(answer, len), 0x01), SCP03_OK);
		assert_int_equal(scp03_authenticated(&scp, NO_BYTES, words[i]), SCP03_REFUSED);
		assert_wiped(&scp);
	}
	len = peer_meet(&peer, &scp, 0, answer);
	assert_int_equal(outcome(&peer, &scp, bytes_of(answer, len), 0x01), SCP03_OK);
	assert_int_equal(scp03_authenticated(&scp, bytes_of(command, 1), SW_OK), SCP03_MALFORMED);
	assert_wiped(&scp);
}

/* What each state lets happen; everything else is out of turn and changes nothing. */
static void expect_only(struct scp03 *scp, const struct peer *peer, enum scp03_state state)
{
	struct scp03 before = *scp;
	uint8_t out[64];
	size_t len;

	assert_int_equal(scp->state, state);
	if (state != SCP03_STATE_INITIALIZING)
		assert_int_equal(scp03_answered(scp, NO_BYTES, SW_OK), SCP03_ORDER);
	if (state != SCP03_STATE_ANSWERED)
		assert_int_equal(scp03_authenticate(scp, &peer->keys, NO_BYTES, 0x01, out, &len),
				 SCP03_ORDER);
	if (state != SCP03_STATE_AUTHENTICATING)
		assert_int_equal(scp03_authenticated(scp, NO_BYTES, SW_OK), SCP03_ORDER);
	if (state != SCP03_STATE_OPEN)
		assert_int_equal(scp03_wrap(scp, bytes_of((const uint8_t *)"\x80\xCA\0\x66", 4),
					    out, sizeof(out), &len),
				 SCP03_ORDER);
	if (state != SCP03_STATE_CALLING)
		assert_int_equal(scp03_unwrap(scp, NO_BYTES, SW_OK, out, sizeof(out), &len),
				 SCP03_ORDER);
	assert_memory_equal(scp, &before, sizeof(before));
}

static void test_order(void **state)
{
	struct peer peer;
	struct scp03 scp = {0};
	uint8_t answer[64], command[SCP03_AUTHENTICATE_MAX];
	size_t len;

	(void)state;
	peer_make(&peer, 0x30, 16, 3, 0x70);
	expect_only(&scp, &peer, SCP03_STATE_NONE);
	len = peer_meet(&peer, &scp, 0, answer);
	expect_only(&scp, &peer, SCP03_STATE_INITIALIZING);
	scp03_answered(&scp, bytes_of(answer, len), SW_OK);
	expect_only(&scp, &peer, SCP03_STATE_ANSWERED);
	scp03_authenticate(&scp, &peer.keys, NO_BYTES, 0x33, command, &len);
	expect_only(&scp, &peer, SCP03_STATE_AUTHENTICATING);
	scp03_authenticated(&scp, NO_BYTES, SW_OK);
	expect_only(&scp, &peer, SCP03_STATE_OPEN);
	scp03_wrap(&scp, bytes_of((const uint8_t *)"\x80\xCA\0\x66", 4), command, sizeof(command),
		   &len);
	expect_only(&scp, &peer, SCP03_STATE_CALLING);
	scp03_end(&scp);
	expect_only(&scp, &peer, SCP03_STATE_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer_bits),   cmocka_unit_test(test_answer_lengths),
		cmocka_unit_test(test_answer_fields), cmocka_unit_test(test_wrong_keys),
		cmocka_unit_test(test_arguments),     cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_order),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
