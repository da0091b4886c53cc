#include "command.h"
#include "log.h"
#include "pin.h"

static const uint8_t version[] = {APPLET_VERSION_MAJOR, APPLET_VERSION_MINOR, APPLET_VERSION_PATCH};

/* Bits of enum content. The key is wiped; only its flags are looked at. False: the memory failed.
 */
static bool read_content(const struct applet *applet, uint8_t *content)
{
	uint8_t key[KEY_SIZE];
	bool read = true;

	*content = applet->port->seeded ? CONTENT_SEEDED : 0;
	if (journal_has(&applet->journal, RECORD_KEY)) {
		read = record_read(applet, RECORD_KEY, key, sizeof key);
		*content |= CONTENT_DEVICE_KEY;
		if (read && key[KEY_FLAGS] & KEY_FLAG_SEEDED)
			*content |= CONTENT_SEEDED;
		bytes_wipe(key, sizeof key);
	}
	if (journal_has(&applet->journal, RECORD_CERTIFICATE))
		*content |= CONTENT_CERTIFICATE;
	if (journal_has(&applet->journal, RECORD_ICCID))
		*content |= CONTENT_ICCID;
	if (journal_has(&applet->journal, RECORD_CHANNEL_KEY))
		*content |= CONTENT_CHANNEL_KEY;
	if (pin_guarded(applet))
		*content |= CONTENT_PIN_GUARDED;
	return read;
}

static uint16_t get_information(const struct applet *applet, struct command *command)
{
	struct writer *out = &command->out;
	uint16_t sw = SW_OK;
	uint8_t content;

	if (!read_content(applet, &content))
		return SW_MEMORY_FAILURE;

	size_t template = ber_open(out, TAG_INFORMATION);

	ber_put(out, TAG_INFO_VERSION, bytes_of(version, sizeof version));
	ber_put_u8(out, TAG_INFO_LIFECYCLE, (uint8_t)applet->lifecycle);
	ber_put_u8(out, TAG_INFO_DEBUG_STATUS, (uint8_t)applet->port->debug_status);
	ber_put_u8(out, TAG_INFO_CONTENT, content);
	ber_put_be16(out, TAG_INFO_COMMAND_DATA, LIMIT_COMMAND_DATA);
	ber_put_be16(out, TAG_INFO_RESPONSE_DATA, LIMIT_RESPONSE_DATA);
	if (content & CONTENT_ICCID)
		sw = record_answer(applet, RECORD_ICCID, TAG_INFO_ICCID, out);
	ber_close(out, template);
	return sw;
}

static uint16_t get_pin_state(const struct applet *applet, struct command *command)
{
	struct writer *out = &command->out;
	size_t template = ber_open(out, TAG_PIN_STATE);

	ber_put_u8(out, TAG_STATE_PIN_TRIES, pin_tries_left(applet, PIN_HOLDER));
	ber_put_u8(out, TAG_STATE_PIN_TRIES_MAX, pin_tries_max(PIN_HOLDER));
	ber_put_u8(out, TAG_STATE_PUK_TRIES, pin_tries_left(applet, PIN_UNBLOCK));
	ber_put_u8(out, TAG_STATE_PUK_TRIES_MAX, pin_tries_max(PIN_UNBLOCK));
	ber_put_u8(out, TAG_STATE_VERIFIED, command->channel->verified);
	ber_close(out, template);
	return SW_OK;
}

static void put_log_entry(struct writer *out, const uint8_t *entry, size_t len)
{
	size_t template = ber_open(out, TAG_LOG_ENTRY);

	ber_put_be32(out, TAG_LOG_COUNTER, get_be32(entry + LOG_AT_COUNTER));
	ber_put_u8(out, TAG_LOG_PURPOSE, entry[LOG_AT_PURPOSE]);
	ber_put_u8(out, TAG_LOG_CONSENT, entry[LOG_AT_CONSENT]);
	ber_put(out, TAG_LOG_HASH, bytes_of(entry + LOG_AT_HASH, LIMIT_LOG_HASH_SIZE));
	ber_put(out, TAG_LOG_AUDIENCE, bytes_of(entry + LOG_AT_AUDIENCE, len - LOG_AT_AUDIENCE));
	ber_put_u8(out, TAG_LOG_SEEDED, entry[LOG_AT_FLAGS] & LOG_FLAG_SEEDED);
	ber_close(out, template);
}

static uint16_t get_log(const struct applet *applet, struct command *command)
{
	uint8_t entry[LOG_SIZE_MAX];
	uint32_t kept = applet->counter < LIMIT_LOG_ENTRIES ? applet->counter : LIMIT_LOG_ENTRIES;
	size_t len;

	if (!command->channel->verified)
		return SW_NOT_SATISFIED;
	command->channel->verified = false;

	size_t template = ber_open(&command->out, TAG_LOG);

	for (uint32_t i = 0; i < kept; i++) {
		if (!log_read(applet, applet->counter - i, entry, &len))
			return SW_MEMORY_FAILURE;
		put_log_entry(&command->out, entry, len);
	}
	ber_close(&command->out, template);
	return SW_OK;
}

/* The one key that may be named, where it may be. */
static const uint8_t key_query[] = {
	TAG_KEY_AGREEMENT, 4, TAG_AGREEMENT_KEY, 2, KEY_ID_SCP11B, LIMIT_CHANNEL_KEY_VERSION};

_Static_assert(sizeof key_query == LIMIT_KEY_QUERY_SIZE, "the table lets through what fits");

uint16_t cmd_get_data(struct applet *applet, struct command *command)
{
	const uint16_t tag = (uint16_t)(command->p1 << 8 | command->p2);

	if (command->data.len > 0 && (tag != TAG_CHANNEL_CERTIFICATE ||
				      memcmp(command->data.ptr, key_query, sizeof key_query) != 0))
		return SW_DATA_NOT_FOUND;
	switch (tag) {
	case TAG_CHANNEL_CERTIFICATE:
		return record_answer(applet, RECORD_CHANNEL_CERTIFICATE, tag, &command->out);
	case TAG_INFORMATION:
		return get_information(applet, command);
	case TAG_COUNTER:
		ber_put_be32(&command->out, TAG_COUNTER, applet->counter);
		return SW_OK;
	case TAG_PIN_STATE:
		return get_pin_state(applet, command);
	case TAG_CERTIFICATE:
		return record_answer(applet, RECORD_CERTIFICATE, TAG_CERTIFICATE, &command->out);
	case TAG_LOG:
		return get_log(applet, command);
	}
	return SW_DATA_NOT_FOUND;
}
