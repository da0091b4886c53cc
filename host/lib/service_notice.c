/*
 * Notices: Security Event Tokens (RFC 8417) with one event each, whose subject is an opaque
 * identifier (RFC 9493 §3.2.3), the registration's.
 */
#include "service_internal.h"

#define TYP        "secevent+jwt"
#define URI_PREFIX "urn:x-simtie:event:"
#define URI_MAX    (sizeof(URI_PREFIX) + 16)

static const struct {
	enum simtie_event event;
	const char *name;
} events[] = {
	{SIMTIE_EVENT_TERMINATED, "TERMINATED"},   {SIMTIE_EVENT_PORTED_OUT, "PORTED_OUT"},
	{SIMTIE_EVENT_SIM_SWAPPED, "SIM_SWAPPED"}, {SIMTIE_EVENT_SUSPENDED, "SUSPENDED"},
	{SIMTIE_EVENT_RESUMED, "RESUMED"},
};

#define EVENT_COUNT (sizeof(events) / sizeof(events[0]))

const char *simtie_event_name(enum simtie_event event)
{
	for (size_t i = 0; i < EVENT_COUNT; i++)
		if (events[i].event == event)
			return events[i].name;
	return NULL;
}

enum simtie_event simtie_event_read(const char *name)
{
	for (size_t i = 0; i < EVENT_COUNT; i++)
		if (strcmp(events[i].name, name) == 0)
			return events[i].event;
	return (enum simtie_event)0;
}

/* 1 to SIMTIE_NOTICE_ID_MAX letters of base64url. */
static bool id_valid(const char *id)
{
	size_t len = strnlen(id, SIMTIE_NOTICE_ID_MAX + 1);

	return len > 0 && len <= SIMTIE_NOTICE_ID_MAX &&
	       strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
		       len;
}

static bool name_valid(const char *name)
{
	size_t len = strnlen(name, SIMTIE_AUDIENCE_MAX + 1);

	return simtie_audience_valid(bytes_of((const uint8_t *)name, len));
}

static bool notice_valid(const struct simtie_notice *notice)
{
	return name_valid(notice->issuer) && name_valid(notice->audience) && id_valid(notice->id) &&
	       id_valid(notice->registration) && simtie_event_name(notice->event) &&
	       notice->issued_at >= 0;
}

int simtie_notice_issue(const struct simtie_service_key *signer, const struct simtie_notice *notice,
			char **jwt)
{
	char uri[URI_MAX];
	json_t *claims;

	*jwt = NULL;
	if (!notice_valid(notice))
		return SIMTIE_SERVICE_ERR_ARGUMENT;
	strcpy(uri, URI_PREFIX);
	strcat(uri, simtie_event_name(notice->event));
	claims = json_pack("{s:s, s:s, s:I, s:s, s:{s:s, s:s}, s:{s:{}}}", "iss", notice->issuer,
			   "aud", notice->audience, "iat", (json_int_t)notice->issued_at, "jti",
			   notice->id, "sub_id", "format", "opaque", "id", notice->registration,
			   "events", uri);
	return service_jwt_sign(signer, TYP, claims, jwt);
}

/* ---- Reading ---- */

static bool text_read(const json_t *object, const char *name, char *out, size_t size)
{
	const json_t *value = json_object_get(object, name);
	size_t len = json_string_length(value);

	if (!json_is_string(value) || len >= size)
		return false;
	memcpy(out, json_string_value(value), len + 1);
	return true;
}

/* The one event. None, or more than one, or one that is not ours: false. */
static bool event_read(const json_t *claims, enum simtie_event *event)
{
	json_t *all = json_object_get(claims, "events");
	const char *uri = json_object_iter_key(json_object_iter(all));

	if (json_object_size(all) != 1 || !json_is_object(json_object_get(all, uri)) ||
	    strncmp(uri, URI_PREFIX, sizeof(URI_PREFIX) - 1) != 0)
		return false;
	*event = simtie_event_read(uri + sizeof(URI_PREFIX) - 1);
	return *event != 0;
}

static bool subject_read(const json_t *claims, char id[static SIMTIE_NOTICE_ID_MAX + 1])
{
	const json_t *subject = json_object_get(claims, "sub_id");
	char format[sizeof("opaque")];

	return text_read(subject, "format", format, sizeof(format)) &&
	       strcmp(format, "opaque") == 0 &&
	       text_read(subject, "id", id, SIMTIE_NOTICE_ID_MAX + 1);
}

static bool claims_read(const json_t *claims, struct simtie_notice *notice)
{
	const json_t *iat = json_object_get(claims, "iat");

	notice->issued_at = json_integer_value(iat);
	return json_is_integer(iat) &&
	       text_read(claims, "iss", notice->issuer, sizeof(notice->issuer)) &&
	       text_read(claims, "aud", notice->audience, sizeof(notice->audience)) &&
	       text_read(claims, "jti", notice->id, sizeof(notice->id)) &&
	       subject_read(claims, notice->registration) && event_read(claims, &notice->event) &&
	       notice_valid(notice);
}

int simtie_notice_verify(const struct simtie_service_key *signer, const char *issuer,
			 const char *audience, int64_t now, const char *jwt, size_t len,
			 struct simtie_notice *notice)
{
	struct simtie_notice read = {0};
	json_t *claims;
	int result = service_jwt_verify(signer, TYP, jwt, len, SIMTIE_NOTICE_MAX, &claims);

	memset(notice, 0, sizeof(*notice));
	if (result == SIMTIE_SERVICE_OK && !claims_read(claims, &read))
		result = SIMTIE_SERVICE_ERR_FORMAT;
	json_decref(claims);
	if (result)
		return result;
	if (strcmp(read.issuer, issuer) != 0 || strcmp(read.audience, audience) != 0)
		return SIMTIE_SERVICE_ERR_AUDIENCE;
	if (read.issued_at > now + SERVICE_CLOCK_SKEW ||
	    read.issued_at < now - SIMTIE_NOTICE_AGE_MAX - SERVICE_CLOCK_SKEW)
		return SIMTIE_SERVICE_ERR_TIME;
	*notice = read;
	return SIMTIE_SERVICE_OK;
}
