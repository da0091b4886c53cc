#include "../crypto/derive.h"
#include "attest.h"
#include "audience.h"
#include "command.h"
#include "log.h"
#include "pin.h"
#include "random.h"

/* The command's data objects by their tags, which follow each other; an absent one has ptr NULL. */
enum {
	AUDIENCE = 0,
	NONCE = TAG_NONCE - TAG_AUDIENCE,
	THUMBPRINT = TAG_THUMBPRINT - TAG_AUDIENCE,
	PURPOSE = TAG_PURPOSE - TAG_AUDIENCE,
	PIN = TAG_PIN - TAG_AUDIENCE,
	OBJECTS,
};

_Static_assert(NONCE == 1 && THUMBPRINT == 2 && PURPOSE == 3 && PIN == 4, "the tags have gaps");

static bool absent_or_sized(struct bytes value, size_t len)
{
	return value.ptr == NULL || value.len == len;
}

static bool purpose_valid(struct bytes purpose)
{
	return purpose.ptr == NULL || (purpose.len == 1 && (*purpose.ptr == PURPOSE_GENERIC ||
							    *purpose.ptr == PURPOSE_REGISTRATION ||
							    *purpose.ptr == PURPOSE_PROVISIONING));
}

static bool request_parse(struct bytes data, struct bytes request[static OBJECTS])
{
	struct ber object;

	memset(request, 0, OBJECTS * sizeof *request);
	while (data.len > 0) {
		if (!ber_next(&data, &object))
			return false;

		unsigned place = (unsigned)object.tag - TAG_AUDIENCE;

		if (place >= OBJECTS || request[place].ptr != NULL)
			return false;
		request[place] = object.value;
	}
	return audience_valid(request[AUDIENCE]) && request[NONCE].len >= LIMIT_NONCE_MIN &&
	       request[NONCE].len <= LIMIT_NONCE_MAX &&
	       absent_or_sized(request[THUMBPRINT], LIMIT_THUMBPRINT_SIZE) &&
	       absent_or_sized(request[PIN], LIMIT_PIN_SIZE) && purpose_valid(request[PURPOSE]);
}

/* Lifecycle, counter and consent; a PIN that came along is charged and checked. SW_OK: go on. */
static uint16_t take_consent(struct applet *applet, struct command *command, struct bytes pin)
{
	struct channel *channel = command->channel;
	bool verified = channel->verified;

	if (applet->lifecycle != LIFECYCLE_PERSONALISED || applet->counter == LOG_COUNTER_MAX)
		return SW_CONDITIONS;
	if (pin.ptr == NULL && !verified)
		return SW_NOT_SATISFIED;
	channel->verified = false; /* used up, whatever happens now */
	return pin.ptr == NULL ? SW_OK : pin_try(applet, command, PIN_HOLDER, pin.ptr);
}

/* Commits counter and log entry, and with them the tries of a PIN that came along. */
static uint16_t commit(struct applet *applet, const struct attestation *attestation, bool seeded,
		       bool tries_back)
{
	uint8_t entry[LOG_SIZE_MAX];
	uint8_t hash[SHA256_SIZE];
	uint32_t counter = applet->counter + 1;
	size_t len;
	uint16_t sw;

	if (!crypto_sha256(&attestation->audience, 1, hash)) {
		applet->shut = true;
		return SW_CARD_SHUT;
	}
	len = log_entry(entry, counter, attestation->purpose, attestation->consent,
			seeded ? LOG_FLAG_SEEDED : 0, attestation->audience, hash);

	const struct journal_write writes[] = {log_write(counter, bytes_of(entry, len)),
					       pin_tries_back(PIN_HOLDER)};

	sw = record_commit(applet, writes, tries_back ? 2 : 1);
	if (sw == SW_OK)
		applet->counter = counter;
	return sw;
}

/* After the commit: seals, signs, answers. */
static uint16_t answer(struct applet *applet, struct command *command,
		       struct attestation *attestation, const uint8_t key[static KEY_SIZE],
		       struct bytes salt)
{
	const uint8_t *device_key = key + KEY_DEVICE;
	const uint8_t *chain_code = key + KEY_CHAIN_CODE;
	struct writer scratch = command->out;

	applet->port->alive(applet->port->context);
	if (!attest_seal(attestation, chain_code, applet->counter, salt) ||
	    !attest_sign(attestation, device_key, chain_code, &scratch)) {
		applet->shut = true;
		return SW_CARD_SHUT;
	}
	if (command->p1 == ANSWER_FORM_FULL)
		attest_put_full(&command->out, attestation);
	else
		attest_put_compact(&command->out, attestation);
	return SW_OK;
}

uint16_t cmd_internal_authenticate(struct applet *applet, struct command *command)
{
	uint8_t key[KEY_SIZE];
	uint8_t salt[LIMIT_SALT_SIZE];
	struct bytes request[OBJECTS];
	uint16_t sw;

	if (!request_parse(command->data, request))
		return SW_WRONG_DATA;
	sw = take_consent(applet, command, request[PIN]);
	if (sw != SW_OK)
		return sw;

	struct attestation attestation = {
		.audience = request[AUDIENCE],
		.nonce = request[NONCE],
		.thumbprint = request[THUMBPRINT],
		.purpose = request[PURPOSE].ptr ? *request[PURPOSE].ptr : PURPOSE_REGISTRATION,
		.consent = CONSENT_PIN,
		.debug_status = (uint8_t)applet->port->debug_status,
	};

	sw = SW_MEMORY_FAILURE;
	if (record_read(applet, RECORD_KEY, key, sizeof key))
		sw = random_bytes(applet, salt, sizeof salt) ? SW_OK : SW_CARD_SHUT;
	if (sw == SW_OK)
		sw = commit(applet, &attestation,
			    applet->port->seeded || key[KEY_FLAGS] & KEY_FLAG_SEEDED,
			    request[PIN].ptr != NULL);
	if (sw == SW_OK)
		sw = answer(applet, command, &attestation, key, bytes_of(salt, sizeof salt));
	bytes_wipe(key, sizeof key);
	return sw;
}
