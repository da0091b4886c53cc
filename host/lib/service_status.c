/*
 * The status list (draft-ietf-oauth-status-list): signing one, and looking up one bit.
 * Decompression goes through a small window and stops at the most bits that a list may have, so
 * that it needs no memory and little time whatever came in.
 */
#include "service_internal.h"

#include "base64url.h"

#include <stdlib.h>
#include <zlib.h>

#define TYP       "statuslist+jwt"
#define BYTES_MAX (SIMTIE_STATUS_BITS_MAX / 8)
/* Bytes that do not compress grow by less than a thousandth, are written in base64url, and once
 * more with the rest of the claims. */
#define JWT_MAX (BASE64URL_LEN(BASE64URL_LEN(BYTES_MAX + BYTES_MAX / 1000) + 1024) + 1024)
#define WINDOW  4096
#define TTL_MAX (366u * 86400)

static json_t *claims_make(const char *uri, json_t *list, int64_t now, uint32_t ttl)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:{s:i, s:o}}", "sub", uri, "iat", (json_int_t)now,
			 "exp", (json_int_t)(now + 2 * (int64_t)ttl), "ttl", (json_int_t)ttl,
			 "status_list", "bits", 1, "lst", list);
}

/* base64url of what zlib makes of the bits. NULL: out of memory. */
static json_t *list_make(const uint8_t *bits, uint32_t size)
{
	uLongf packed_len = compressBound(size / 8);
	uint8_t *packed = malloc(packed_len);
	char *text = malloc(BASE64URL_LEN(packed_len));
	json_t *list = NULL;

	if (packed && text && compress2(packed, &packed_len, bits, size / 8, 9) == Z_OK)
		list = json_stringn_nocheck(text,
					    base64url_write(bytes_of(packed, packed_len), text));
	free(text);
	free(packed);
	return list;
}

int simtie_status_issue(const struct simtie_service_key *signer, const char *uri,
			const uint8_t *bits, uint32_t size, int64_t now, uint32_t ttl_seconds,
			char **jwt)
{
	json_t *list;

	*jwt = NULL;
	if (size == 0 || size % 8 != 0 || size > SIMTIE_STATUS_BITS_MAX || ttl_seconds == 0 ||
	    ttl_seconds > TTL_MAX || strlen(uri) > SIMTIE_STATUS_URI_MAX)
		return SIMTIE_SERVICE_ERR_ARGUMENT;
	list = list_make(bits, size);
	return list ? service_jwt_sign(signer, TYP, claims_make(uri, list, now, ttl_seconds), jwt)
		    : SIMTIE_SERVICE_ERR_LIBRARY;
}

/* Inflates to the end, keeping the byte at `at`. ERR_FORMAT: it is no zlib stream, goes on after
 * its end, or is larger than a list may be; *len is how many bytes there were. */
static int byte_inflate(z_stream *stream, size_t at, uint8_t *byte, size_t *len)
{
	uint8_t window[WINDOW];
	int state;

	*len = 0;
	do {
		size_t got;

		stream->next_out = window;
		stream->avail_out = sizeof(window);
		state = inflate(stream, Z_NO_FLUSH);
		if (state == Z_MEM_ERROR)
			return SIMTIE_SERVICE_ERR_LIBRARY;
		got = sizeof(window) - stream->avail_out;
		if (at >= *len && at - *len < got)
			*byte = window[at - *len];
		*len += got;
		if (*len > BYTES_MAX)
			return SIMTIE_SERVICE_ERR_FORMAT;
	} while (state == Z_OK);
	return state == Z_STREAM_END && stream->avail_in == 0 ? SIMTIE_SERVICE_OK
							      : SIMTIE_SERVICE_ERR_FORMAT;
}

static int bit_read(struct bytes packed, uint32_t index)
{
	z_stream stream = {.next_in = (Bytef *)packed.ptr, .avail_in = (uInt)packed.len};
	uint8_t byte = 0;
	size_t len;
	int result;

	if (inflateInit(&stream) != Z_OK)
		return SIMTIE_SERVICE_ERR_LIBRARY;
	result = byte_inflate(&stream, index / 8, &byte, &len);
	inflateEnd(&stream);
	if (result)
		return result;
	if (index / 8 >= len)
		return SIMTIE_SERVICE_ERR_ARGUMENT;
	return byte >> index % 8 & 1 ? SIMTIE_SERVICE_ERR_REVOKED : SIMTIE_SERVICE_OK;
}

/* What zlib made of the bits; *packed is malloc()ed. */
static int list_packed(const json_t *claims, uint8_t **packed, size_t *len)
{
	const json_t *list = json_object_get(claims, "status_list");
	const json_t *lst = json_object_get(list, "lst"), *bits = json_object_get(list, "bits");
	size_t text_len = json_string_length(lst), size = BASE64URL_BYTES_MAX(text_len);

	*packed = NULL;
	if (!json_is_string(lst) || !json_is_integer(bits) || json_integer_value(bits) != 1)
		return SIMTIE_SERVICE_ERR_FORMAT;
	*packed = malloc(size + 1);
	if (!*packed)
		return SIMTIE_SERVICE_ERR_LIBRARY;
	return base64url_read(json_string_value(lst), text_len, *packed, size, len)
		       ? SIMTIE_SERVICE_OK
		       : SIMTIE_SERVICE_ERR_FORMAT;
}

static int list_look_up(const json_t *claims, uint32_t index)
{
	uint8_t *packed;
	size_t len;
	int result = list_packed(claims, &packed, &len);

	if (result == SIMTIE_SERVICE_OK)
		result = bit_read(bytes_of(packed, len), index);
	free(packed);
	return result;
}

/* All of the bits, malloc()ed. */
static int list_unpack(const json_t *claims, struct service_status *status)
{
	uLongf bits_len = BYTES_MAX;
	uLong used;
	uint8_t *packed, *bits = malloc(BYTES_MAX);
	size_t len;
	int result = list_packed(claims, &packed, &len);

	if (!bits)
		result = SIMTIE_SERVICE_ERR_LIBRARY;
	if (result == SIMTIE_SERVICE_OK) {
		used = len;
		if (uncompress2(bits, &bits_len, packed, &used) != Z_OK || used != len)
			result = SIMTIE_SERVICE_ERR_FORMAT;
	}
	free(packed);
	if (result == SIMTIE_SERVICE_OK) {
		status->bits = bits;
		status->size = (uint32_t)bits_len * 8;
	} else {
		free(bits);
	}
	return result;
}

static int claims_check(const json_t *claims, const char *uri, int64_t now)
{
	const json_t *sub = json_object_get(claims, "sub"), *iat = json_object_get(claims, "iat");
	const json_t *exp = json_object_get(claims, "exp");

	if (!json_is_string(sub) || !json_is_integer(iat) || !json_is_integer(exp))
		return SIMTIE_SERVICE_ERR_FORMAT;
	if (strcmp(json_string_value(sub), uri) != 0)
		return SIMTIE_SERVICE_ERR_AUDIENCE;
	if (now < json_integer_value(iat) - SERVICE_CLOCK_SKEW || now >= json_integer_value(exp))
		return SIMTIE_SERVICE_ERR_TIME;
	return SIMTIE_SERVICE_OK;
}

int service_status_read(const struct simtie_service_key *signer, const char *uri, int64_t now,
			const char *jwt, size_t len, struct service_status *status)
{
	json_t *claims;
	const json_t *ttl;
	int result = service_jwt_verify(signer, TYP, jwt, len, JWT_MAX, &claims);

	memset(status, 0, sizeof(*status));
	if (result == SIMTIE_SERVICE_OK)
		result = claims_check(claims, uri, now);
	if (result == SIMTIE_SERVICE_OK)
		result = list_unpack(claims, status);
	if (result == SIMTIE_SERVICE_OK) {
		ttl = json_object_get(claims, "ttl");
		status->until = json_integer_value(json_object_get(claims, "exp"));
		if (json_is_integer(ttl) && json_integer_value(ttl) > 0 &&
		    json_integer_value(ttl) < status->until - now)
			status->until = now + json_integer_value(ttl);
	}
	json_decref(claims);
	return result;
}

void service_status_free(struct service_status *status)
{
	free(status->bits);
	memset(status, 0, sizeof(*status));
}

int simtie_status_check(const struct simtie_service_key *signer, const char *uri, uint32_t index,
			int64_t now, const char *jwt, size_t len)
{
	json_t *claims;
	int result = service_jwt_verify(signer, TYP, jwt, len, JWT_MAX, &claims);

	if (result == SIMTIE_SERVICE_OK)
		result = claims_check(claims, uri, now);
	if (result == SIMTIE_SERVICE_OK)
		result = list_look_up(claims, index);
	json_decref(claims);
	return result;
}
