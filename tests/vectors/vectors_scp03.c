/*
 * SCP03 as a card was traced to speak it: the host's opening of each session, its commands, the
 * answers that are there, and key check values. And Wycheproof's cases for the CMAC below it.
 */
#include "check_vectors.h"

#include <stdio.h>

#include "contract.h"
#include "scp03.h"
#include "scp03_aes.h"

#define APDU_MAX 300

static bool read_keys(const json_t *session, struct scp03_keys *keys)
{
	size_t mac_len, dek_len;

	return json_hex_fixed(session, "key_version", &keys->version, 1) &&
	       json_hex(session, "enc", keys->enc, sizeof(keys->enc), &keys->len) &&
	       json_hex(session, "mac", keys->mac, sizeof(keys->mac), &mac_len) &&
	       json_hex(session, "dek", keys->dek, sizeof(keys->dek), &dek_len) &&
	       mac_len == keys->len && dek_len == keys->len;
}

/* Whether the member is these bytes. */
static bool json_is(const json_t *object, const char *name, const uint8_t *bytes, size_t len)
{
	uint8_t wanted[APDU_MAX];
	size_t wanted_len;

	return json_hex(object, name, wanted, sizeof(wanted), &wanted_len) && wanted_len == len &&
	       memcmp(wanted, bytes, len) == 0;
}

/* From the challenge in INITIALIZE UPDATE to an open channel. */
static bool open_session(struct scp03 *scp, const json_t *session)
{
	struct scp03_keys keys = {0};
	uint8_t asked[APDU_MAX], answer[APDU_MAX], command[SCP03_AUTHENTICATE_MAX], level;
	size_t asked_len, answer_len, len;

	return read_keys(session, &keys) &&
	       json_hex(session, "initialize_update", asked, sizeof(asked), &asked_len) &&
	       json_hex(session, "initialize_update_response", answer, sizeof(answer),
			&answer_len) &&
	       json_hex_fixed(session, "security_level", &level, 1) && asked_len > 6 &&
	       scp03_begin(scp, 0, keys.version, bytes_of(asked + 5, asked_len - 6), command,
			   &len) == SCP03_OK &&
	       json_is(session, "initialize_update", command, len) &&
	       scp03_answered(scp, bytes_of(answer, answer_len), SW_OK) == SCP03_OK &&
	       scp03_authenticate(scp, &keys, bytes_of(NULL, 0), level, command, &len) ==
		       SCP03_OK &&
	       json_is(session, "external_authenticate", command, len) &&
	       scp03_authenticated(scp, bytes_of(NULL, 0), SW_OK) == SCP03_OK;
}

/* A command, and its answer if there is one; without one, an error lets the session go on. */
static bool exchange_case(struct scp03 *scp, const json_t *exchange)
{
	uint8_t plain[APDU_MAX], wrapped[APDU_MAX], answer[APDU_MAX];
	size_t len;

	if (!json_hex(exchange, "plain_command", plain, sizeof(plain), &len) ||
	    scp03_wrap(scp, bytes_of(plain, len), wrapped, sizeof(wrapped), &len) != SCP03_OK ||
	    !json_is(exchange, "wrapped_command", wrapped, len))
		return false;
	if (!json_object_get(exchange, "wrapped_response"))
		return scp03_unwrap(scp, bytes_of(NULL, 0), SW_DATA_NOT_FOUND, answer, 0, &len) ==
		       SCP03_OK;
	return json_hex(exchange, "wrapped_response", answer, sizeof(answer), &len) &&
	       scp03_unwrap(scp, bytes_of(answer, len), SW_OK, answer, sizeof(answer), &len) ==
		       SCP03_OK &&
	       json_is(exchange, "plain_response", answer, len);
}

static void check_sessions(const char *file, const json_t *sessions)
{
	struct tally opened = {.file = file, .what = "SCP03 sessions opened"};
	struct tally exchanged = {.file = file, .what = "SCP03 exchanges"};
	const json_t *session, *exchange;
	size_t i, j;
	char name[80];

	json_array_foreach(sessions, i, session)
	{
		struct scp03 scp;

		tally_case(&opened, open_session(&scp, session), json_text(session, "name"));
		json_array_foreach(json_object_get(session, "exchanges"), j, exchange)
		{
			snprintf(name, sizeof(name), "%s/%zu", json_text(session, "name"), j);
			tally_case(&exchanged, exchange_case(&scp, exchange), name);
		}
		scp03_end(&scp);
	}
	tally_print(&opened);
	tally_print(&exchanged);
}

void check_scp03(const char *file, const json_t *root)
{
	struct tally checks = {.file = file, .what = "key check values"};
	json_t *values = json_object_get(root, "key_check_values");
	const char *hex;
	json_t *value;

	check_sessions(file, json_object_get(root, "sessions"));
	json_object_foreach(values, hex, value)
	{
		json_t *key = json_pack("{s:s}", "key", hex);
		uint8_t bytes[SCP03_KEY_MAX], check[SCP03_KCV_SIZE];
		size_t len;

		tally_case(&checks,
			   json_hex(key, "key", bytes, sizeof(bytes), &len) &&
				   scp03_key_check(bytes_of(bytes, len), check) &&
				   json_is(values, hex, check, sizeof(check)),
			   hex);
		json_decref(key);
	}
	tally_print(&checks);
}

/* Cases of keys that AES does not have come without a tag: that a MAC is made at all is accepting.
 */
static bool cmac_case(const json_t *test, size_t tag_size)
{
	uint8_t key[128], message[1024], tag[AES_BLOCK_SIZE], mac[AES_BLOCK_SIZE];
	size_t key_len, len, tag_len;
	bool accepted;

	if (!json_hex(test, "key", key, sizeof(key), &key_len) ||
	    !json_hex(test, "msg", message, sizeof(message), &len) ||
	    !json_hex(test, "tag", tag, sizeof(tag), &tag_len) ||
	    (tag_len != tag_size && tag_len != 0))
		return false;
	const struct bytes halves[] = {{message, len / 2}, {message + len / 2, len - len / 2}};
	accepted = scp03_aes_cmac(bytes_of(key, key_len), halves, 2, mac) &&
		   bytes_equal_secret(mac, tag, tag_len);
	return vector_expected(test, accepted);
}

void check_cmac(const char *file, const json_t *root)
{
	struct tally tally = {.file = file, .what = "AES-CMAC"};
	const json_t *group, *test;
	size_t g, t;
	char name[32];

	json_array_foreach(json_object_get(root, "testGroups"), g, group)
	{
		json_int_t bits = json_integer_value(json_object_get(group, "tagSize"));

		json_array_foreach(json_object_get(group, "tests"), t, test)
		{
			vector_name(test, name, sizeof(name));
			tally_case(&tally, cmac_case(test, (size_t)bits / 8), name);
		}
	}
	tally_print(&tally);
}
