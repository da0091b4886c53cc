/*
 * Writing a service credential. An operator issues thousands a second, one beside each
 * verification: the certificate is written straight in DER, of which all but seven fields is the
 * same each time, for a tenth of what OpenSSL's X509 takes (tests/bench/bench_service).
 * service_credential_verify.c reads it; other tools read it as any certificate.
 */
#include "service_credential.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <time.h>

#define DAY      86400
#define TIME_MAX 253402300799 /* 9999-12-31T23:59:59Z */
#define URI_MAX  (SIMTIE_STATUS_URI_MAX + sizeof("#4294967295"))

/* Values that stand in every credential, whole, in DER. */
static const uint8_t version_3[] = {DER_INTEGER, 1, 2};
static const uint8_t ecdsa_with_sha256[] = {DER_SEQUENCE, 10,   DER_OID, 8,    0x2A, 0x86,
					    0x48,         0xCE, 0x3D,    0x04, 0x03, 0x02};
static const uint8_t p256_key[] = {DER_SEQUENCE, 19,   DER_OID, 7,    0x2A,    0x86, 0x48,
				   0xCE,         0x3D, 0x02,    0x01, DER_OID, 8,    0x2A,
				   0x86,         0x48, 0xCE,    0x3D, 0x03,    0x01, 0x07};
static const uint8_t common_name[] = {DER_OID, 3, 0x55, 4, 3};
static const uint8_t no_bits_unused[] = {0};

/* Extensions (RFC 5280 §4.2.1): those without content of their own are whole, the others' OIDs. */
static const uint8_t basic_constraints[] = {
	DER_SEQUENCE,     12, DER_OID,      3, 0x55, 0x1D, 19, DER_BOOLEAN, 1, 0xFF,
	DER_OCTET_STRING, 2,  DER_SEQUENCE, 0};
static const uint8_t digital_signature[] = {
	DER_SEQUENCE,     14, DER_OID,        3, 0x55, 0x1D, 15, DER_BOOLEAN, 1, 0xFF,
	DER_OCTET_STRING, 4,  DER_BIT_STRING, 2, 7,    0x80};
static const uint8_t subject_key_id[] = {DER_OID, 3, 0x55, 0x1D, 14};
static const uint8_t authority_key_id[] = {DER_OID, 3, 0x55, 0x1D, 35};
static const uint8_t subject_alt_name[] = {DER_OID, 3, 0x55, 0x1D, 17};

#define WHOLE(array) bytes_of(array, sizeof(array))

static struct bytes text_bytes(const char *text)
{
	return bytes_of((const uint8_t *)text, strlen(text));
}

/* ---- Writing ---- */

/* UTCTime up to 2049, then GeneralizedTime (RFC 5280 §4.1.2.5). */
static void put_time(struct service_der *der, int64_t seconds)
{
	time_t time = (time_t)seconds;
	char text[sizeof("YYYYMMDDhhmmssZ")];
	struct tm tm;
	bool utc;

	if (!gmtime_r(&time, &tm) || strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm) == 0) {
		der->full = true;
		return;
	}
	utc = tm.tm_year < 150;
	service_der_value(der, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME,
			  text_bytes(text + (utc ? 2 : 0)));
}

/* An extension whose content is from `der->at` to `end`. */
static void wrap_extension(struct service_der *der, struct bytes oid, const uint8_t *end)
{
	service_der_wrap(der, DER_OCTET_STRING, end);
	service_der_raw(der, oid);
	service_der_wrap(der, DER_SEQUENCE, end);
}

/* From here on what stands last is written first. */
static bool put_extensions(struct service_der *der, const struct service_credential_fields *fields)
{
	const uint8_t *all = der->at, *end = der->at;
	uint8_t key_id[SERVICE_KEY_ID_SIZE];
	char uri[URI_MAX];

	if (!service_key_id(fields->of.service_public, key_id))
		return false;
	snprintf(uri, sizeof(uri), "%s%c%u", fields->of.status_uri, SERVICE_REFERENCE_MARK,
		 fields->of.status_index);
	service_der_value(der, DER_URI, text_bytes(uri));
	service_der_wrap(der, DER_SEQUENCE, end);
	wrap_extension(der, WHOLE(subject_alt_name), end);
	end = der->at;
	service_der_value(der, DER_KEY_ID, WHOLE(fields->issuer_key));
	service_der_wrap(der, DER_SEQUENCE, end);
	wrap_extension(der, WHOLE(authority_key_id), end);
	end = der->at;
	service_der_value(der, DER_OCTET_STRING, WHOLE(key_id));
	wrap_extension(der, WHOLE(subject_key_id), end);
	service_der_raw(der, WHOLE(digital_signature));
	service_der_raw(der, WHOLE(basic_constraints));
	service_der_wrap(der, DER_SEQUENCE, all);
	service_der_wrap(der, DER_EXTENSIONS, all);
	return true;
}

static void put_key(struct service_der *der, const uint8_t point[static SIMTIE_POINT_SIZE])
{
	const uint8_t *end = der->at;

	service_der_raw(der, bytes_of(point, SIMTIE_POINT_SIZE));
	service_der_raw(der, WHOLE(no_bits_unused));
	service_der_wrap(der, DER_BIT_STRING, end);
	service_der_raw(der, WHOLE(p256_key));
	service_der_wrap(der, DER_SEQUENCE, end);
}

static void put_subject(struct service_der *der, const char *audience)
{
	const uint8_t *end = der->at;

	service_der_value(der, DER_UTF8_STRING, text_bytes(audience));
	service_der_raw(der, WHOLE(common_name));
	service_der_wrap(der, DER_SEQUENCE, end);
	service_der_wrap(der, DER_SET, end);
	service_der_wrap(der, DER_SEQUENCE, end);
}

static int64_t day_begin(int64_t seconds)
{
	return seconds - seconds % DAY;
}

static int64_t day_end(int64_t seconds)
{
	return day_begin(seconds) + DAY - 1;
}

bool service_credential_tbs(struct service_der *der, const struct service_credential_fields *fields)
{
	const uint8_t *all = der->at, *end;

	if (!put_extensions(der, fields))
		return false;
	put_key(der, fields->of.service_public);
	put_subject(der, fields->of.audience);
	end = der->at;
	put_time(der, day_end(fields->of.not_after));
	put_time(der, day_begin(fields->of.not_before));
	service_der_wrap(der, DER_SEQUENCE, end);
	service_der_raw(der, fields->issuer_name);
	service_der_raw(der, WHOLE(ecdsa_with_sha256));
	service_der_value(der, DER_INTEGER, WHOLE(fields->serial));
	service_der_value(der, DER_VERSION, WHOLE(version_3));
	service_der_wrap(der, DER_SEQUENCE, all);
	return !der->full;
}

bool service_credential_whole(struct service_der *der, struct bytes tbs, struct bytes signature)
{
	const uint8_t *all = der->at;

	service_der_raw(der, signature);
	service_der_raw(der, WHOLE(no_bits_unused));
	service_der_wrap(der, DER_BIT_STRING, all);
	service_der_raw(der, WHOLE(ecdsa_with_sha256));
	service_der_raw(der, tbs);
	service_der_wrap(der, DER_SEQUENCE, all);
	return !der->full;
}

/* 16 bytes that are neither negative nor shorter as an INTEGER; 126 of their bits are random. */
static bool serial_draw(uint8_t serial[static SERVICE_SERIAL_SIZE])
{
	bool ok;

	ERR_set_mark();
	ok = RAND_bytes(serial, SERVICE_SERIAL_SIZE) == 1;
	ERR_pop_to_mark();
	serial[0] = (uint8_t)((serial[0] & 0x3F) | 0x40);
	return ok;
}

/* Visible ASCII without the sign that parts it from the index. */
static bool uri_valid(const char *uri, size_t size)
{
	size_t len = strnlen(uri, size);

	for (size_t i = 0; i < len; i++)
		if (uri[i] <= ' ' || uri[i] >= 0x7F || uri[i] == SERVICE_REFERENCE_MARK)
			return false;
	return len > 0 && len < size;
}

int service_credential_check(const struct simtie_credential *of)
{
	size_t len = strnlen(of->audience, sizeof(of->audience));

	if (!simtie_audience_valid(bytes_of((const uint8_t *)of->audience, len)) ||
	    !uri_valid(of->status_uri, sizeof(of->status_uri)) || of->not_before < 0 ||
	    of->not_after < of->not_before || of->not_after > TIME_MAX)
		return SIMTIE_SERVICE_ERR_ARGUMENT;
	switch (simtie_crypto_openssl()->p256_point(of->service_public)) {
	case VERDICT_GOOD:
		return SIMTIE_SERVICE_OK;
	case VERDICT_BAD:
		return SIMTIE_SERVICE_ERR_ARGUMENT;
	case VERDICT_FAILED:
		break;
	}
	return SIMTIE_SERVICE_ERR_LIBRARY;
}

int simtie_credential_issue(const struct simtie_service_key *issuer,
			    const struct simtie_credential *credential,
			    uint8_t der[SIMTIE_CREDENTIAL_MAX], size_t *len)
{
	uint8_t room[SIMTIE_CREDENTIAL_MAX], whole_room[SIMTIE_CREDENTIAL_MAX];
	uint8_t digest[SIMTIE_DIGEST_SIZE], signature[SERVICE_SIGNATURE_DER_MAX];
	struct service_der tbs = service_der_open(room, sizeof(room));
	struct service_der whole = service_der_open(whole_room, sizeof(whole_room));
	struct service_credential_fields fields = {
		.issuer_name = bytes_of(issuer->name, issuer->name_len), .of = *credential};
	size_t signature_len;
	int result = service_credential_check(credential);

	if (result)
		return result;
	memcpy(fields.issuer_key, issuer->key_id, sizeof(fields.issuer_key));
	if (!serial_draw(fields.serial) || !service_credential_tbs(&tbs, &fields) ||
	    !simtie_crypto_openssl()->sha256(service_der_done(&tbs), digest))
		return SIMTIE_SERVICE_ERR_LIBRARY;
	result = service_key_sign(issuer, digest, signature, &signature_len);
	if (result)
		return result;
	if (!service_credential_whole(&whole, service_der_done(&tbs),
				      bytes_of(signature, signature_len)))
		return SIMTIE_SERVICE_ERR_SIZE;
	*len = service_der_done(&whole).len;
	memcpy(der, whole.at, *len);
	return SIMTIE_SERVICE_OK;
}
