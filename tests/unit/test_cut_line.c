/* A card whose line is cut, at every exchange of its life, before and after the command got
 * through: whoever starts again gets on, no PIN try is lost, and no counter comes twice. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault_transport.h"
#include "known_keys.h"
#include "session.h"

#define PIN "1234"
#define PUK "12345678"

static const uint8_t nonce[16] = {1};
static const struct simtie_challenge challenge = {
	.audience = "chat.example", .nonce = nonce, .nonce_len = sizeof nonce};

/* What a person with a card in hand knows of it. */
struct life {
	char path[64];
	struct simtie_card_key key;
	uint32_t counter; /* of the last token that came through */
	unsigned tokens;
};

static struct simtie_session *open_card(const struct life *life, struct fault *fault)
{
	char reader[80], detail[SIMTIE_DETAIL_MAX];
	struct card_request request = {.deadline = deadline_after(SIMTIE_TIMEOUT_MS),
				       .detail = detail};
	struct simtie_session *session;
	struct card_line line;
	struct link link;

	snprintf(reader, sizeof reader, "loop:%s", life->path);
	assert_int_equal(transport_open(reader, &request, &link, &line), 0);
	if (fault)
		fault_wrap(fault, &link);
	assert_int_equal(session_on(link, &line, NULL, &session), 0);
	return session;
}

/* Personalises the card unless that is done, as `simtie personalise` would. */
static int personalise(struct simtie_session *session, struct life *life)
{
	const struct simtie_objects objects = {.pin = PIN, .puk = PUK};
	struct simtie_info info;
	int error = simtie_select(session, &info);

	if (error || info.lifecycle == SIMTIE_LIFECYCLE_PERSONALISED)
		return error;
	error = simtie_secure_open(session, &known_keys, SIMTIE_SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC);
	if (!error)
		error = simtie_generate(session, &life->key);
	if (!error)
		error = simtie_store(session, &objects);
	if (!error)
		error = simtie_set_lifecycle(session, SIMTIE_LIFECYCLE_PERSONALISED);
	return error;
}

static int attest(struct simtie_session *session, struct life *life)
{
	const struct simtie_policy policy = {.audience = challenge.audience,
					     .nonce = nonce,
					     .nonce_len = sizeof nonce,
					     .allow_virtual = true,
					     .min_counter = life->counter + 1};
	const struct simtie_verify_key key = {.card = &life->key};
	uint8_t token[SIMTIE_TOKEN_MAX];
	size_t len;
	int error = simtie_attest(session, &challenge, PIN, life->tokens % 2, token, &len, NULL);

	if (error)
		return error;
	assert_int_equal(simtie_token_verify(simtie_crypto_openssl(), &key, &policy, token, len,
					     NULL, &life->counter),
			 SIMTIE_ACCEPTED);
	life->tokens++;
	return 0;
}

/* A life up to two tokens, as far as the line lets it. */
static int live(struct simtie_session *session, struct life *life)
{
	int error = personalise(session, life);

	while (!error && life->tokens < 2)
		error = attest(session, life);
	return error;
}

/* One life with a cut after `exchanges` of them. False: it was over before. */
static bool live_with_a_cut(unsigned exchanges, enum fault_cut cut)
{
	struct life life = {.path = "/tmp/test_cut_line.XXXXXX"};
	struct fault fault = {.exchanges_left = exchanges, .cut = cut};
	struct simtie_session *session;
	struct simtie_info info;
	int error;

	assert_non_null(mkdtemp(life.path));
	strcat(life.path, "/card");
	session = open_card(&life, &fault);
	error = live(session, &life);
	assert_int_equal(error, fault.happened ? SIMTIE_ERR_GONE : 0);
	simtie_close(&session);
	session = open_card(&life, NULL);
	assert_int_equal(live(session, &life), 0);
	assert_true(life.counter == 2 || (fault.happened && life.counter == 3));
	assert_int_equal(simtie_select(session, &info), 0);
	assert_int_equal(info.pin_tries, SIMTIE_PIN_TRIES);
	simtie_close(&session);
	unlink(life.path);
	*strrchr(life.path, '/') = '\0';
	rmdir(life.path);
	return fault.happened;
}

static void every_cut(enum fault_cut cut, void **state)
{
	unsigned exchanges = 0;

	(void)state;
	while (live_with_a_cut(exchanges, cut))
		exchanges++;
	/* SELECT and information 4, secure channel 3, key, objects and lifecycle 2 each,
	 * attestations 2 each through it. */
	assert_int_equal(exchanges, 17);
}

static void commands_that_are_lost(void **state)
{
	every_cut(FAULT_COMMAND_LOST, state);
}

static void answers_that_are_lost(void **state)
{
	every_cut(FAULT_ANSWER_LOST, state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_that_are_lost),
		cmocka_unit_test(answers_that_are_lost),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
