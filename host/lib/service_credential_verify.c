/*
 * Reading a service credential. The functions here only look for the fields, without much care: a
 * certificate that is not to the byte what service_credential.c would write with them is refused.
 */
#include "service_credential.h"

#include <stdio.h>
#include <time.h>

static bool take_time(struct bytes *in, int64_t *seconds)
{
	char text[sizeof("YYYYMMDDhhmmssZ")];
	struct bytes content;
	struct tm tm = {0};
	size_t at = 0;

	if (service_der_take(in, DER_UTC_TIME, &content) && content.len)
		at = (size_t)sprintf(text, content.ptr[0] < '5' ? "20" : "19");
	else if (!service_der_take(in, DER_GENERALIZED_TIME, &content))
		return false;
	if (at + content.len + 1 != sizeof(text))
		return false;
	memcpy(text + at, content.ptr, content.len);
	text[sizeof(text) - 1] = '\0';
	if (!strptime(text, "%Y%m%d%H%M%SZ", &tm))
		return false;
	*seconds = (int64_t)timegm(&tm);
	return *seconds >= 0;
}

static bool copy(struct bytes from, void *to, size_t size)
{
	if (from.len != size)
		return false;
	memcpy(to, from.ptr, size);
	return true;
}

static bool copy_text(struct bytes from, char *to, size_t size)
{
	if (from.len >= size)
		return false;
	memcpy(to, from.ptr, from.len);
	to[from.len] = '\0';
	return true;
}

static bool take_subject(struct bytes *in, char audience[static SIMTIE_AUDIENCE_MAX + 1])
{
	struct bytes name, set, entry, value;

	return service_der_take(in, DER_SEQUENCE, &name) &&
	       service_der_take(&name, DER_SET, &set) &&
	       service_der_take(&set, DER_SEQUENCE, &entry) &&
	       service_der_take(&entry, DER_OID, &value) &&
	       service_der_take(&entry, DER_UTF8_STRING, &value) &&
	       copy_text(value, audience, SIMTIE_AUDIENCE_MAX + 1);
}

static bool take_key(struct bytes *in, uint8_t point[static SIMTIE_POINT_SIZE])
{
	struct bytes info, value;

	if (!service_der_take(in, DER_SEQUENCE, &info) ||
	    !service_der_take(&info, DER_SEQUENCE, &value) ||
	    !service_der_take(&info, DER_BIT_STRING, &value) || value.len == 0)
		return false;
	return copy(bytes_of(value.ptr + 1, value.len - 1), point, SIMTIE_POINT_SIZE);
}

/* STATUS-URI#INDEX. */
static bool reference_read(struct bytes uri, struct simtie_credential *of)
{
	const uint8_t *mark = uri.len ? memchr(uri.ptr, SERVICE_REFERENCE_MARK, uri.len) : NULL;
	uint64_t index = 0;

	if (!mark || !copy_text(bytes_of(uri.ptr, (size_t)(mark - uri.ptr)), of->status_uri,
				sizeof(of->status_uri)))
		return false;
	for (const uint8_t *at = mark + 1; at < uri.ptr + uri.len; at++) {
		if (*at < '0' || *at > '9' || index > UINT32_MAX)
			return false;
		index = 10 * index + *at - '0';
	}
	of->status_index = (uint32_t)index;
	return index <= UINT32_MAX;
}

/* One extension, its content's own wrapping taken off. */
static bool take_extension(struct bytes *in, struct bytes *content)
{
	struct bytes extension, oid, critical;

	if (!service_der_take(in, DER_SEQUENCE, &extension) ||
	    !service_der_take(&extension, DER_OID, &oid))
		return false;
	service_der_take(&extension, DER_BOOLEAN, &critical);
	return service_der_take(&extension, DER_OCTET_STRING, content);
}

static bool take_extensions(struct bytes *in, struct service_credential_fields *fields)
{
	struct bytes outer, list, content, inner, value;

	return service_der_take(in, DER_EXTENSIONS, &outer) &&
	       service_der_take(&outer, DER_SEQUENCE, &list) && take_extension(&list, &content) &&
	       take_extension(&list, &content) && take_extension(&list, &content) &&
	       take_extension(&list, &content) &&
	       service_der_take(&content, DER_SEQUENCE, &inner) &&
	       service_der_take(&inner, DER_KEY_ID, &value) &&
	       copy(value, fields->issuer_key, sizeof(fields->issuer_key)) &&
	       take_extension(&list, &content) &&
	       service_der_take(&content, DER_SEQUENCE, &inner) &&
	       service_der_take(&inner, DER_URI, &value) && reference_read(value, &fields->of);
}

/* Takes the fields out of a TBSCertificate's content. */
static bool tbs_read(struct bytes in, struct service_credential_fields *fields)
{
	struct bytes value, name;

	if (!service_der_take(&in, DER_VERSION, &value) ||
	    !service_der_take(&in, DER_INTEGER, &value) ||
	    !copy(value, fields->serial, sizeof(fields->serial)) ||
	    !service_der_take(&in, DER_SEQUENCE, &value))
		return false;
	name = in;
	if (!service_der_take(&in, DER_SEQUENCE, &value))
		return false;
	fields->issuer_name = bytes_of(name.ptr, name.len - in.len);
	return service_der_take(&in, DER_SEQUENCE, &value) &&
	       take_time(&value, &fields->of.not_before) &&
	       take_time(&value, &fields->of.not_after) && take_subject(&in, fields->of.audience) &&
	       take_key(&in, fields->of.service_public) && take_extensions(&in, fields);
}

/* The parts of a certificate: what is signed, and with what. */
static bool certificate_split(struct bytes in, struct bytes *tbs, struct bytes *tbs_content,
			      struct bytes *signature)
{
	struct bytes outer, value;

	if (!service_der_take(&in, DER_SEQUENCE, &outer))
		return false;
	*tbs = outer;
	if (!service_der_take(&outer, DER_SEQUENCE, tbs_content))
		return false;
	tbs->len -= outer.len;
	if (!service_der_take(&outer, DER_SEQUENCE, &value) ||
	    !service_der_take(&outer, DER_BIT_STRING, &value) || value.len == 0)
		return false;
	*signature = bytes_of(value.ptr + 1, value.len - 1);
	return true;
}

static bool rebuilds(struct bytes in, const struct service_credential_fields *fields,
		     struct bytes signature)
{
	uint8_t tbs_room[SIMTIE_CREDENTIAL_MAX], room[SIMTIE_CREDENTIAL_MAX];
	struct service_der tbs = service_der_open(tbs_room, sizeof(tbs_room));
	struct service_der whole = service_der_open(room, sizeof(room));

	return service_credential_tbs(&tbs, fields) &&
	       service_credential_whole(&whole, service_der_done(&tbs), signature) &&
	       bytes_equal(in, service_der_done(&whole));
}

int simtie_credential_verify(const struct simtie_service_key *issuer, const char *audience,
			     int64_t now, const uint8_t *der, size_t len,
			     struct simtie_credential *credential)
{
	struct bytes in = bytes_of(der, len), tbs, content, signature;
	uint8_t raw[SIMTIE_SIGNATURE_SIZE];
	struct service_credential_fields fields = {0};
	int result;

	memset(credential, 0, sizeof(*credential));
	if (len > SIMTIE_CREDENTIAL_MAX || !certificate_split(in, &tbs, &content, &signature) ||
	    !tbs_read(content, &fields) || !rebuilds(in, &fields, signature) ||
	    !service_signature_raw(signature, raw))
		return SIMTIE_SERVICE_ERR_FORMAT;
	result = service_credential_check(&fields.of);
	if (result)
		return result == SIMTIE_SERVICE_ERR_ARGUMENT ? SIMTIE_SERVICE_ERR_FORMAT : result;
	if (!bytes_equal(fields.issuer_name, bytes_of(issuer->name, issuer->name_len)) ||
	    memcmp(fields.issuer_key, issuer->key_id, sizeof(fields.issuer_key)) != 0)
		return SIMTIE_SERVICE_ERR_KEY;
	if (strcmp(fields.of.audience, audience) != 0)
		return SIMTIE_SERVICE_ERR_AUDIENCE;
	if (now < fields.of.not_before || now > fields.of.not_after)
		return SIMTIE_SERVICE_ERR_TIME;
	result = service_signature_check(issuer->point, tbs, raw);
	if (result == SIMTIE_SERVICE_OK)
		*credential = fields.of;
	return result;
}
