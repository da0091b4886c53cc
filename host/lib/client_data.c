#include <string.h>

#include "audience.h"
#include "client.h"

#define CERTIFICATE_ANSWER_MAX (5 + LIMIT_CERTIFICATE_MAX) /* tag and length before it */

int simtie_get_challenge(struct simtie_session *session, uint8_t *out, size_t len)
{
	const struct client_command command = {
		.cla = CLA_GET_CHALLENGE,
		.ins = INS_GET_CHALLENGE,
		.ne = (uint32_t)len,
	};
	size_t got;
	int error;

	if (len == 0 || len > LIMIT_CHALLENGE_MAX)
		return SIMTIE_ERR_ARGUMENT;
	error = client_send(session, &command, out, len, &got);
	return !error && got != len ? SIMTIE_ERR_PROTOCOL : error;
}

int simtie_get_counter(struct simtie_session *session, uint32_t *counter)
{
	uint8_t answer[16];
	struct bytes value;
	int error = client_get_data(session, TAG_COUNTER, answer, sizeof answer, &value);

	if (error)
		return error;
	if (value.len != 4)
		return SIMTIE_ERR_PROTOCOL;
	*counter = get_be32(value.ptr);
	return 0;
}

int simtie_get_certificate(struct simtie_session *session, uint8_t *out, size_t size, size_t *len)
{
	uint8_t answer[CERTIFICATE_ANSWER_MAX];
	struct bytes value;
	int error = client_get_data(session, TAG_CERTIFICATE, answer, sizeof answer, &value);

	*len = 0;
	if (error)
		return error;
	if (value.len == 0 || value.len > LIMIT_CERTIFICATE_MAX)
		return SIMTIE_ERR_PROTOCOL;
	if (value.len > size)
		return SIMTIE_ERR_MEMORY;
	memcpy(out, value.ptr, value.len);
	*len = value.len;
	return 0;
}

/* The audience's first bytes, which may end within a character: that one is dropped. */
static bool read_audience(struct bytes value, char out[static LIMIT_LOG_AUDIENCE_MAX + 1])
{
	size_t least = value.len == LIMIT_LOG_AUDIENCE_MAX ? value.len - 3 : value.len;

	while (!audience_valid(value))
		if (value.len-- == least)
			return false;
	memcpy(out, value.ptr, value.len);
	out[value.len] = '\0';
	return true;
}

static bool read_entry(struct bytes value, struct simtie_log_entry *entry)
{
	struct tlv_field fields[] = {
		{.tag = TAG_LOG_COUNTER, .min = 4, .max = 4},
		{.tag = TAG_LOG_PURPOSE, .min = 1, .max = 1},
		{.tag = TAG_LOG_CONSENT, .min = 1, .max = 1},
		{.tag = TAG_LOG_HASH, .min = LIMIT_LOG_HASH_SIZE, .max = LIMIT_LOG_HASH_SIZE},
		{.tag = TAG_LOG_AUDIENCE, .min = 1, .max = LIMIT_LOG_AUDIENCE_MAX},
		{.tag = TAG_LOG_SEEDED, .min = 1, .max = 1},
	};

	if (!tlv_read(value, fields, sizeof fields / sizeof fields[0]))
		return false;
	*entry = (struct simtie_log_entry){
		.counter = get_be32(fields[0].value.ptr),
		.purpose = fields[1].value.ptr[0],
		.consent = fields[2].value.ptr[0],
		.seeded = fields[5].value.ptr[0] == 1,
	};
	memcpy(entry->audience_hash, fields[3].value.ptr, sizeof entry->audience_hash);
	return fields[5].value.ptr[0] <= 1 && entry->purpose >= PURPOSE_GENERIC &&
	       entry->purpose <= PURPOSE_PROVISIONING && entry->consent <= CONSENT_TERMINAL &&
	       read_audience(fields[4].value, entry->audience);
}

/* Newest first: the counter falls from entry to entry. */
static bool read_log(struct bytes value, struct simtie_log_entry *entries, size_t *count)
{
	struct ber object;

	while (value.len > 0) {
		struct simtie_log_entry *entry = &entries[*count];

		if (*count == LIMIT_LOG_ENTRIES || !ber_next(&value, &object) ||
		    object.tag != TAG_LOG_ENTRY || !read_entry(object.value, entry))
			return false;
		if (*count > 0 && entry->counter >= entries[*count - 1].counter)
			return false;
		(*count)++;
	}
	return true;
}

int simtie_get_log(struct simtie_session *session,
		   struct simtie_log_entry entries[SIMTIE_LOG_ENTRIES], size_t *count)
{
	uint8_t answer[LIMIT_RESPONSE_DATA];
	struct bytes value;
	int error = client_get_data(session, TAG_LOG, answer, sizeof answer, &value);

	*count = 0;
	if (!error && !read_log(value, entries, count)) {
		*count = 0;
		error = SIMTIE_ERR_PROTOCOL;
	}
	return error;
}
