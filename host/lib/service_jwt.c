/*
 * Compact JWS with ES256 (RFC 7515, RFC 7518 §3.4), as far as JWTs of two kinds need it. What a
 * token says of how it is to be verified is compared with the one way there is, never followed.
 */
#include "service_internal.h"

#include "base64url.h"

#include <stdlib.h>

#define ALG           "ES256"
#define HEADER_MAX    512 /* characters */
#define KID_LEN       BASE64URL_LEN(SERVICE_KID_SIZE)
#define SIGNATURE_LEN BASE64URL_LEN(SIMTIE_SIGNATURE_SIZE)

static void kid_text(const struct simtie_service_key *key, char text[static KID_LEN + 1])
{
	text[base64url_write(bytes_of(key->kid, SERVICE_KID_SIZE), text)] = '\0';
}

/* ---- Writing ---- */

static char *header_text(const struct simtie_service_key *signer, const char *typ)
{
	char kid[KID_LEN + 1];
	json_t *header;
	char *text;

	kid_text(signer, kid);
	header = json_pack("{s:s, s:s, s:s}", "alg", ALG, "kid", kid, "typ", typ);
	text = header ? json_dumps(header, JSON_COMPACT) : NULL;
	json_decref(header);
	return text;
}

/* Signs `len` characters and puts a dot and the signature behind them. */
static int signature_append(const struct simtie_service_key *signer, char *text, size_t *len)
{
	uint8_t digest[SIMTIE_DIGEST_SIZE], der[SERVICE_SIGNATURE_DER_MAX];
	uint8_t raw[SIMTIE_SIGNATURE_SIZE];
	size_t der_len;
	int result;

	if (!simtie_crypto_openssl()->sha256(bytes_of((const uint8_t *)text, *len), digest))
		return SIMTIE_SERVICE_ERR_LIBRARY;
	result = service_key_sign(signer, digest, der, &der_len);
	if (result)
		return result;
	if (!service_signature_raw(bytes_of(der, der_len), raw))
		return SIMTIE_SERVICE_ERR_LIBRARY;
	text[(*len)++] = '.';
	*len += base64url_write(bytes_of(raw, sizeof(raw)), text + *len);
	text[*len] = '\0';
	return SIMTIE_SERVICE_OK;
}

int service_jwt_sign(const struct simtie_service_key *signer, const char *typ, json_t *claims,
		     char **jwt)
{
	char *header = claims ? header_text(signer, typ) : NULL;
	char *payload = claims ? json_dumps(claims, JSON_COMPACT) : NULL;
	size_t header_len = header ? strlen(header) : 0, len = 0;
	size_t payload_len = payload ? strlen(payload) : 0;
	char *text = NULL;
	int result = SIMTIE_SERVICE_ERR_LIBRARY;

	*jwt = NULL;
	if (header && payload)
		text = malloc(BASE64URL_LEN(header_len) + 1 + BASE64URL_LEN(payload_len) + 1 +
			      SIGNATURE_LEN + 1);
	if (text) {
		len = base64url_write(bytes_of((const uint8_t *)header, header_len), text);
		text[len++] = '.';
		len += base64url_write(bytes_of((const uint8_t *)payload, payload_len), text + len);
		result = signature_append(signer, text, &len);
	}
	if (result == SIMTIE_SERVICE_OK) {
		*jwt = text;
		text = NULL;
	}
	free(text);
	free(payload);
	free(header);
	json_decref(claims);
	return result;
}

/* ---- Reading ---- */

/* The three parts of a JWT, as characters. */
struct parts {
	struct bytes header, payload, signature;
	struct bytes input; /* what is signed: the first two and the dot */
};

/* Takes what stands before the next dot off the front. False: there is none. */
static bool take_part(struct bytes *in, struct bytes *part)
{
	const uint8_t *dot = in->len ? memchr(in->ptr, '.', in->len) : NULL;

	if (!dot)
		return false;
	*part = bytes_of(in->ptr, (size_t)(dot - in->ptr));
	in->ptr += part->len + 1;
	in->len -= part->len + 1;
	return true;
}

static bool parts_split(struct bytes jwt, struct parts *parts)
{
	struct bytes rest = jwt;

	if (!take_part(&rest, &parts->header) || !take_part(&rest, &parts->payload))
		return false;
	parts->signature = rest;
	parts->input = bytes_of(jwt.ptr, jwt.len - rest.len - 1);
	return parts->header.len <= HEADER_MAX;
}

/* The JSON object that a part stands for. ERR_FORMAT, ERR_LIBRARY. */
static int part_json(struct bytes part, json_t **out)
{
	size_t size = BASE64URL_BYTES_MAX(part.len), len = 0;
	uint8_t *text = malloc(size + 1);
	json_error_t error = {0};
	int result = SIMTIE_SERVICE_ERR_FORMAT;

	*out = NULL;
	if (!text)
		return SIMTIE_SERVICE_ERR_LIBRARY;
	if (base64url_read((const char *)part.ptr, part.len, text, size, &len)) {
		*out = json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, &error);
		if (!*out && json_error_code(&error) == json_error_out_of_memory)
			result = SIMTIE_SERVICE_ERR_LIBRARY;
	}
	free(text);
	if (json_is_object(*out))
		return SIMTIE_SERVICE_OK;
	json_decref(*out);
	*out = NULL;
	return result;
}

static bool is_text(const json_t *object, const char *name, const char *text)
{
	const json_t *value = json_object_get(object, name);

	return json_is_string(value) && json_string_length(value) == strlen(text) &&
	       strcmp(json_string_value(value), text) == 0;
}

/* `crit` would name what must be understood (RFC 7515 §4.1.11); nothing more is. */
static int header_check(const struct simtie_service_key *signer, const char *typ,
			const json_t *header)
{
	char kid[KID_LEN + 1];

	if (!is_text(header, "alg", ALG) || !is_text(header, "typ", typ) ||
	    json_object_get(header, "crit"))
		return SIMTIE_SERVICE_ERR_FORMAT;
	kid_text(signer, kid);
	if (json_object_get(header, "kid") && !is_text(header, "kid", kid))
		return SIMTIE_SERVICE_ERR_KEY;
	return SIMTIE_SERVICE_OK;
}

static int parts_verify(const struct simtie_service_key *signer, const char *typ,
			const struct parts *parts)
{
	uint8_t raw[SIMTIE_SIGNATURE_SIZE];
	size_t raw_len;
	json_t *header;
	int result = part_json(parts->header, &header);

	if (result == SIMTIE_SERVICE_OK)
		result = header_check(signer, typ, header);
	json_decref(header);
	if (result)
		return result;
	if (!base64url_read((const char *)parts->signature.ptr, parts->signature.len, raw,
			    sizeof(raw), &raw_len) ||
	    raw_len != sizeof(raw))
		return SIMTIE_SERVICE_ERR_FORMAT;
	return service_signature_check(signer->point, parts->input, raw);
}

int service_jwt_verify(const struct simtie_service_key *signer, const char *typ, const char *jwt,
		       size_t len, size_t max, json_t **claims)
{
	struct parts parts;
	int result = SIMTIE_SERVICE_ERR_FORMAT;

	*claims = NULL;
	if (len <= max && parts_split(bytes_of((const uint8_t *)jwt, len), &parts))
		result = parts_verify(signer, typ, &parts);
	return result ? result : part_json(parts.payload, claims);
}
