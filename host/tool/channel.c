#include "channel.h"

#include "contract.h"
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* GlobalPlatform's own test key: 40 41 42 ... */
#define TEST_KEY_FIRST 0x40
#define TEST_KEY_LEN   16

#define TEXT(number)   #number
#define DIGITS(number) TEXT(number)

int channel_read(const struct common_options *common, const struct command *command,
		 const struct keys_source *source, struct keys *keys)
{
	unsigned line = 0;
	enum keys_result result;

	if (source->version.len && (source->version.bytes[0] == SCP03_VERSION_FIRST ||
				    !scp03_version_valid(source->version.bytes[0])))
		return options_wrong(command, "--key-version takes 01 to 7F or FF");
	result = keys_read_file(source->file, keys, &line);
	if (result == KEYS_NO_FILE)
		return card_failed(common, NULL, "cannot read the keys", SIMTIE_ERR_FILE);
	if (result != KEYS_OK && line)
		return card_refused(common, TOOL_IO, "KEYS", "%s, line %u: %s", source->file, line,
				    keys_text(result));
	if (result != KEYS_OK)
		return card_refused(common, TOOL_IO, "KEYS", "%s: %s", source->file,
				    keys_text(result));
	if (source->version.len)
		keys->set.version = source->version.bytes[0];
	return TOOL_DONE;
}

void channel_test_keys(const struct keys_source *source, struct keys *keys)
{
	*keys = (struct keys){.kind = KEYS_OF_CARD, .set = {.len = TEST_KEY_LEN}};
	if (source->version.len)
		keys->set.version = source->version.bytes[0];
	for (uint8_t i = 0; i < TEST_KEY_LEN; i++) {
		keys->set.enc[i] = TEST_KEY_FIRST + i;
		keys->set.mac[i] = TEST_KEY_FIRST + i;
		keys->set.dek[i] = TEST_KEY_FIRST + i;
	}
}

static void give_keys(const struct scp03_keys *set, struct simtie_keys *keys)
{
	*keys = (struct simtie_keys){.version = set->version, .len = set->len};
	memcpy(keys->enc, set->enc, sizeof keys->enc);
	memcpy(keys->mac, set->mac, sizeof keys->mac);
	memcpy(keys->dek, set->dek, sizeof keys->dek);
}

struct scp03_keys channel_set(const struct simtie_keys *keys)
{
	struct scp03_keys set = {.version = keys->version, .len = keys->len};

	memcpy(set.enc, keys->enc, sizeof set.enc);
	memcpy(set.mac, keys->mac, sizeof set.mac);
	memcpy(set.dek, keys->dek, sizeof set.dek);
	return set;
}

/* What a refusal means where it is keys that were tried. */
static const char *explain(const struct simtie_session *session, int error)
{
	if (error == SIMTIE_ERR_SECURE)
		return simtie_secure_text(session);
	if (error != SIMTIE_ERR_CARD)
		return simtie_strerror(error);
	switch (simtie_status_word(session)) {
	case SIMTIE_SW_DATA_NOT_FOUND:
		return "the card has no key set of that version; `simtie info` shows which it has";
	case SIMTIE_SW_BLOCKED:
		return "this key set is blocked, after " DIGITS(
			SIMTIE_AUTHENTICATIONS) " failures in a row; use another key set of the "
						"card";
	case SIMTIE_SW_AUTHENTICATION_FAILED:
		return "the card refused these keys, which used up one of at most " DIGITS(
			SIMTIE_AUTHENTICATIONS) " tries in a row; get the right ones before the "
						"next";
	}
	return simtie_sw_text(simtie_status_word(session));
}

int channel_open(struct simtie_session *session, const struct keys *keys, const uint8_t *iccid,
		 uint8_t level, struct channel *opened, const char **why)
{
	struct simtie_secure_card card;
	struct scp03_keys set;
	struct simtie_keys own = {0};
	enum keys_result derived;
	int error = simtie_secure_begin(session, keys->set.version, &card);

	if (error) {
		*why = explain(session, error);
		return error;
	}
	derived = keys_for_card(keys, card.diversification, iccid, &set);
	if (derived != KEYS_OK) {
		*why = keys_text(derived);
		return SIMTIE_ERR_FORMAT;
	}
	give_keys(&set, &own);
	error = simtie_secure_finish(session, &own, level);
	if (error)
		*why = explain(session, error);
	else if (opened)
		*opened = (struct channel){own, card};
	explicit_bzero(&own, sizeof own);
	explicit_bzero(&set, sizeof set);
	return error;
}

int channel_open_or_say(const struct common_options *common, struct simtie_session *session,
			const struct keys *keys, const uint8_t *iccid, uint8_t level,
			struct channel *opened)
{
	const char *why = "";
	int error = channel_open(session, keys, iccid, level, opened, &why);

	if (!error)
		return TOOL_DONE;
	return card_refused(common,
			    error == SIMTIE_ERR_SECURE ? TOOL_REFUSED : card_exit_code(error),
			    card_error_code(error), "cannot open the secure channel: %s", why);
}
