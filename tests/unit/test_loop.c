/* The virtual card in this process, from the library's calls down to the core and back: the whole
 * way but for the reader. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "known_keys.h"

#define PIN     "1234"
#define PUK     "12345678"
#define THREADS 8

static const uint8_t nonce[64] = {0x5A, 0xA5};

static struct simtie_session *open_card(const char *reader, enum simtie_protocol protocol)
{
	const struct simtie_options options = {.reader = reader, .protocol = protocol};
	struct simtie_session *session;

	assert_int_equal(simtie_open(&options, &session), 0);
	assert_string_equal(simtie_session_reader(session), reader);
	return session;
}

/* The level that hides answers too, which the chain code needs. */
static void secure(struct simtie_session *session)
{
	assert_int_equal(simtie_select(session, NULL), 0);
	assert_int_equal(
		simtie_secure_open(session, &known_keys, SIMTIE_SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC),
		0);
}

/* Takes a new card through the factory. */
static void personalise(struct simtie_session *session, struct simtie_card_key *key)
{
	const struct simtie_objects objects = {.pin = PIN, .puk = PUK};

	secure(session);
	assert_int_equal(simtie_generate(session, key), 0);
	assert_int_equal(simtie_store(session, &objects), 0);
	assert_int_equal(simtie_set_lifecycle(session, SIMTIE_LIFECYCLE_PERSONALISED), 0);
}

/* Attests with the PIN and verifies; returns the counter. */
static uint32_t attest(struct simtie_session *session, const struct simtie_card_key *key,
		       size_t nonce_len, bool full)
{
	const struct simtie_challenge challenge = {
		.audience = "chat.example", .nonce = nonce, .nonce_len = nonce_len};
	const struct simtie_policy policy = {.audience = "chat.example",
					     .nonce = nonce,
					     .nonce_len = nonce_len,
					     .allow_virtual = true};
	const struct simtie_verify_key verify_key = {.card = key};
	uint8_t token[SIMTIE_TOKEN_MAX];
	struct simtie_claims claims;
	uint32_t counter;
	size_t len;

	assert_int_equal(simtie_attest(session, &challenge, PIN, full, token, &len, NULL), 0);
	assert_int_equal(simtie_token_verify(simtie_crypto_openssl(), &verify_key, &policy, token,
					     len, &claims, &counter),
			 SIMTIE_ACCEPTED);
	assert_int_equal(claims.debug_status, SIMTIE_DEBUG_STATUS_ENABLED);
	assert_int_equal(claims.consent, SIMTIE_CONSENT_PIN);
	return counter;
}

/* ---- One card ---- */

static void card_from_factory_to_attestation(void **state)
{
	static const enum simtie_protocol protocols[] = {SIMTIE_PROTOCOL_T0, SIMTIE_PROTOCOL_T1};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct simtie_session *session = open_card("loop:", protocols[i]);
		struct simtie_card_key key;
		struct simtie_info info;
		uint32_t counter;

		assert_int_equal(simtie_session_protocol(session), protocols[i]);
		assert_int_equal(simtie_select(session, &info), 0);
		assert_int_equal(info.lifecycle, SIMTIE_LIFECYCLE_FACTORY);
		assert_false(info.has_key);
		personalise(session, &key);
		assert_int_equal(simtie_select(session, &info), 0);
		assert_int_equal(info.lifecycle, SIMTIE_LIFECYCLE_PERSONALISED);
		assert_true(info.has_key);
		assert_false(info.seeded);
		assert_int_equal(info.pin_tries, SIMTIE_PIN_TRIES);
		assert_int_equal(attest(session, &key, 16, false), 1);
		assert_int_equal(attest(session, &key, 64, true), 2);
		assert_int_equal(simtie_get_counter(session, &counter), 0);
		assert_int_equal(counter, 2);
		simtie_close(&session);
	}
}

/* The budget of a SIM on a slow line: SELECT, INTERNAL AUTHENTICATE with the PIN, GET RESPONSE. */
static void attestation_on_the_line(void **state)
{
	static const struct {
		size_t nonce_len;
		unsigned long bytes;
	} rows[] = {{32, 163}, {16, 147}};
	struct simtie_session *session = open_card("loop:", SIMTIE_PROTOCOL_ANY);
	struct simtie_card_key key;

	(void)state;
	assert_int_equal(simtie_session_protocol(session), SIMTIE_PROTOCOL_T0);
	personalise(session, &key);
	for (size_t i = 0; i < 2; i++) {
		struct simtie_line before, after;

		assert_int_equal(simtie_reset(session), 0);
		before = simtie_session_line(session);
		assert_int_equal(simtie_select(session, NULL), 0);
		attest(session, &key, rows[i].nonce_len, false);
		after = simtie_session_line(session);
		assert_int_equal(after.exchanges - before.exchanges, 3);
		assert_int_equal(after.bytes - before.bytes, rows[i].bytes);
	}
	simtie_close(&session);
}

static void pin_and_puk(void **state)
{
	struct simtie_session *session = open_card("loop:", SIMTIE_PROTOCOL_ANY);
	struct simtie_pin_state pin;
	struct simtie_card_key key;
	unsigned tries;

	(void)state;
	personalise(session, &key);
	assert_int_equal(simtie_pin_verify(session, "0000", &tries), SIMTIE_ERR_CARD);
	assert_int_equal(tries, 2);
	assert_int_equal(simtie_pin_change(session, "0000", "4321", &tries), SIMTIE_ERR_CARD);
	assert_int_equal(tries, 1);
	assert_int_equal(simtie_pin_verify(session, "0000", &tries), SIMTIE_ERR_CARD);
	assert_int_equal(tries, 0);
	tries = 99;
	assert_int_equal(simtie_pin_verify(session, PIN, &tries), SIMTIE_ERR_CARD);
	assert_int_equal(simtie_status_word(session), SIMTIE_SW_BLOCKED);
	assert_int_equal(tries, 0);
	assert_int_equal(simtie_pin_unblock(session, PUK, PIN, &tries), 0);
	assert_int_equal(simtie_pin_change(session, PIN, "98765432", &tries), 0);
	assert_int_equal(simtie_pin_verify(session, "98765432", &tries), 0);
	assert_int_equal(simtie_pin_status(session, &pin), 0);
	assert_int_equal(pin.pin_tries, 3);
	assert_int_equal(pin.puk_tries, 10);
	assert_true(pin.verified);
	assert_int_equal(simtie_reset(session), 0);
	assert_int_equal(simtie_pin_status(session, &pin), SIMTIE_ERR_CARD); /* not selected */
	assert_int_equal(simtie_select(session, NULL), 0);
	assert_int_equal(simtie_pin_status(session, &pin), 0);
	assert_false(pin.verified);
	simtie_close(&session);
}

/* The largest objects both ways: a chain of five links, responses in many pieces. */
static void large_objects(void **state)
{
	static uint8_t stored[SIMTIE_CERTIFICATE_MAX], read[SIMTIE_CERTIFICATE_MAX];
	struct simtie_log_entry entries[SIMTIE_LOG_ENTRIES];
	struct simtie_session *session = open_card("loop:", SIMTIE_PROTOCOL_ANY);
	const struct simtie_objects objects = {.certificate = stored,
					       .certificate_len = sizeof stored};
	struct simtie_card_key key;
	uint8_t random[SIMTIE_CHALLENGE_MAX];
	size_t len, count;

	(void)state;
	for (size_t i = 0; i < sizeof stored; i++)
		stored[i] = (uint8_t)(i * 7);
	assert_int_equal(simtie_select(session, NULL), 0);
	assert_int_equal(simtie_get_certificate(session, read, sizeof read, &len), SIMTIE_ERR_CARD);
	assert_int_equal(simtie_status_word(session), SIMTIE_SW_DATA_NOT_FOUND);
	secure(session);
	assert_int_equal(simtie_store(session, &objects), 0);
	personalise(session, &key);
	assert_int_equal(simtie_get_certificate(session, read, sizeof read, &len), 0);
	assert_int_equal(len, sizeof stored);
	assert_memory_equal(read, stored, len);
	assert_int_equal(simtie_select(session, NULL), 0); /* in clear: Le counts */
	assert_int_equal(simtie_get_challenge(session, random, sizeof random), 0);

	for (uint32_t i = 1; i <= SIMTIE_LOG_ENTRIES + 2; i++)
		assert_int_equal(attest(session, &key, 16, false), i);
	assert_int_equal(simtie_get_log(session, entries, &count), SIMTIE_ERR_CARD);
	assert_int_equal(simtie_status_word(session), SIMTIE_SW_NOT_SATISFIED);
	assert_int_equal(simtie_pin_verify(session, PIN, NULL), 0);
	assert_int_equal(simtie_get_log(session, entries, &count), 0);
	assert_int_equal(count, SIMTIE_LOG_ENTRIES);
	assert_int_equal(entries[0].counter, SIMTIE_LOG_ENTRIES + 2);
	assert_int_equal(entries[count - 1].counter, 3);
	assert_string_equal(entries[0].audience, "chat.example");
	simtie_close(&session);
}

static void channels_have_pins_of_their_own(void **state)
{
	struct simtie_session *session = open_card("loop:", SIMTIE_PROTOCOL_ANY);
	struct simtie_pin_state pin;
	struct simtie_card_key key;
	uint8_t channel;

	(void)state;
	personalise(session, &key);
	assert_int_equal(simtie_pin_verify(session, PIN, NULL), 0);
	assert_int_equal(simtie_channel_open(session, &channel), 0);
	assert_int_equal(simtie_use_channel(session, channel), 0);
	assert_int_equal(simtie_select(session, NULL), 0);
	assert_int_equal(simtie_pin_status(session, &pin), 0);
	assert_false(pin.verified);
	attest(session, &key, 16, true); /* its response is fetched on that channel */
	assert_int_equal(simtie_channel_close(session, channel), 0);
	assert_int_equal(simtie_pin_status(session, &pin), 0);
	assert_true(pin.verified);
	simtie_close(&session);
}

static void card_that_was_terminated(void **state)
{
	struct simtie_session *session = open_card("loop:", SIMTIE_PROTOCOL_ANY);
	struct simtie_info info;

	(void)state;
	secure(session);
	assert_int_equal(simtie_set_lifecycle(session, SIMTIE_LIFECYCLE_TERMINATED), 0);
	assert_int_equal(simtie_select(session, NULL), 0);
	assert_int_equal(simtie_status_word(session), SIMTIE_SW_TERMINATED);
	assert_int_equal(simtie_select(session, &info), 0);
	assert_int_equal(info.lifecycle, SIMTIE_LIFECYCLE_TERMINATED);
	simtie_close(&session);
}

/* ---- State files ---- */

struct place {
	char folder[64];
	char path[96];
	char reader[104]; /* "loop:" before it */
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof *place);

	assert_non_null(place);
	snprintf(place->folder, sizeof place->folder, "/tmp/test_loop.XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->path, sizeof place->path, "%s/card", place->folder);
	snprintf(place->reader, sizeof place->reader, "loop:%s", place->path);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	unlink(place->path);
	rmdir(place->folder);
	free(place);
	return 0;
}

static int refusal(const char *reader, char detail[SIMTIE_DETAIL_MAX])
{
	const struct simtie_options options = {.reader = reader, .detail = detail};
	struct simtie_session *session;
	int error = simtie_open(&options, &session);

	assert_null(session);
	return error;
}

static void state_outlives_the_session(void **state)
{
	struct place *place = *state;
	struct simtie_session *session = open_card(place->reader, SIMTIE_PROTOCOL_T0);
	struct simtie_card_key key;

	personalise(session, &key);
	assert_int_equal(attest(session, &key, 16, false), 1);
	simtie_close(&session);
	session = open_card(place->reader, SIMTIE_PROTOCOL_T1);
	assert_int_equal(simtie_select(session, NULL), 0);
	assert_int_equal(attest(session, &key, 16, false), 2);
	simtie_close(&session);
}

static void one_session_at_a_time(void **state)
{
	struct place *place = *state;
	struct simtie_session *session = open_card(place->reader, SIMTIE_PROTOCOL_ANY);
	char detail[SIMTIE_DETAIL_MAX];

	assert_int_equal(refusal(place->reader, detail), SIMTIE_ERR_BUSY);
	assert_non_null(strstr(detail, place->path));
	simtie_close(&session);
	session = open_card(place->reader, SIMTIE_PROTOCOL_ANY);
	simtie_close(&session);
}

static void files_that_are_no_state(void **state)
{
	struct place *place = *state;
	char detail[SIMTIE_DETAIL_MAX];
	struct simtie_session *session;
	int fd = open(place->path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_int_equal(write(fd, "no state", 8), 8);
	close(fd);
	assert_int_equal(refusal(place->reader, detail), SIMTIE_ERR_STATE);
	assert_non_null(strstr(detail, place->path));
	assert_int_equal(unlink(place->path), 0);

	session = open_card(place->reader, SIMTIE_PROTOCOL_ANY);
	simtie_close(&session);
	assert_int_equal(truncate(place->path, 1000), 0);
	assert_int_equal(refusal(place->reader, detail), SIMTIE_ERR_STATE);

	assert_int_equal(refusal("loop:/nonexistent/folder/card", detail), SIMTIE_ERR_FILE);
	assert_int_equal(errno, ENOENT);
	assert_non_null(strstr(detail, "/nonexistent/folder/card"));
}

/* ---- Threads ---- */

static void *live(void *argument)
{
	struct simtie_session *session;
	const struct simtie_options options = {.reader = "loop:"};
	const struct simtie_objects objects = {.pin = PIN, .puk = PUK};
	const struct simtie_challenge challenge = {
		.audience = "chat.example", .nonce = nonce, .nonce_len = 16};
	const struct simtie_policy policy = {
		.audience = "chat.example", .nonce = nonce, .nonce_len = 16, .allow_virtual = true};
	struct simtie_card_key key;
	const struct simtie_verify_key verify_key = {.card = &key};
	uint8_t token[SIMTIE_TOKEN_MAX];
	bool *good = argument;
	size_t len;

	if (simtie_open(&options, &session) || simtie_select(session, NULL) ||
	    simtie_secure_open(session, &known_keys, SIMTIE_SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC) ||
	    simtie_generate(session, &key) || simtie_store(session, &objects) ||
	    simtie_set_lifecycle(session, SIMTIE_LIFECYCLE_PERSONALISED))
		return NULL;
	*good = true;
	for (unsigned i = 0; i < 10; i++) {
		const struct simtie_crypto *crypto =
			i % 2 ? simtie_crypto_mbedtls() : simtie_crypto_openssl();

		if (simtie_attest(session, &challenge, PIN, i % 3 == 0, token, &len, NULL) ||
		    simtie_token_verify(crypto, &verify_key, &policy, token, len, NULL, NULL) !=
			    SIMTIE_ACCEPTED)
			*good = false;
	}
	simtie_close(&session);
	return NULL;
}

static void session_in_each_thread(void **state)
{
	pthread_t threads[THREADS];
	bool good[THREADS] = {false};

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, live, &good[i]), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_true(good[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(card_from_factory_to_attestation),
		cmocka_unit_test(attestation_on_the_line),
		cmocka_unit_test(pin_and_puk),
		cmocka_unit_test(large_objects),
		cmocka_unit_test(channels_have_pins_of_their_own),
		cmocka_unit_test(card_that_was_terminated),
		cmocka_unit_test_setup_teardown(state_outlives_the_session, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_session_at_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(files_that_are_no_state, set_up, tear_down),
		cmocka_unit_test(session_in_each_thread),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
