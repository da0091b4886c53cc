/*
 * Fuzzes what services read of one another. The first byte says what the rest is: a sealed number,
 * a credential, a status list or a notice, or the claims of one of the last two, which are then
 * really signed, so that what stands behind the signature is read too.
 *
 * Holds: what is accepted is within the bounds of simtie-service.h and for whom it was asked for;
 * on a refusal nothing is given.
 */
#include "service_internal.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define AUDIENCE "chat.example"
#define ISSUER   "mno.example"
#define STATUS   "https://mno.example/v1/status/7"
#define NOW      1795510000

enum kind {
	KIND_SEALED,
	KIND_CREDENTIAL,
	KIND_STATUS,
	KIND_NOTICE,
	KIND_STATUS_CLAIMS,
	KIND_NOTICE_CLAIMS,
	KIND_COUNT,
};

/* {INTEGER 1, OCTET STRING of the private key, [0] P-256} (RFC 5915): the same key in each run, so
 * that what was signed or sealed once stays right. */
static const uint8_t private_der[] = {0x30, 0x31, 2, 1, 1,    4,    0x20, 0,    0,    0, 0, 0, 0,
				      0,    0,    0, 0, 0,    0,    0,    0,    0,    0, 1, 0, 0,
				      0,    0,    0, 0, 0,    0,    0,    0,    0,    0, 0, 0, 7,
				      0xA0, 10,   6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7};

static const uint8_t nonce[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
/* SEQUENCE {SET {SEQUENCE {CN, "mno"}}} */
static const uint8_t name[] = {0x30, 14, 0x31, 12,   0x30, 10,  6,   3,
			       0x55, 4,  3,    0x0C, 3,    'm', 'n', 'o'};

static void need(bool holds)
{
	if (!holds)
		abort();
}

static const struct simtie_service_key *the_key(void)
{
	static struct simtie_service_key key;
	const uint8_t *at = private_der;
	size_t len;

	if (key.private_key)
		return &key;
	key.private_key = d2i_PrivateKey(EVP_PKEY_EC, NULL, &at, sizeof(private_der));
	need(key.private_key &&
	     EVP_PKEY_get_octet_string_param(key.private_key, OSSL_PKEY_PARAM_PUB_KEY, key.point,
					     sizeof(key.point), &len) == 1 &&
	     service_key_id(key.point, key.key_id));
	memcpy(key.kid, key.key_id, sizeof(key.kid));
	memcpy(key.name, name, sizeof(name));
	key.name_len = sizeof(name);
	return &key;
}

static void try_sealed(const uint8_t *data, size_t size)
{
	char number[SIMTIE_NUMBER_SIZE];
	int result =
		simtie_number_unseal(the_key(), AUDIENCE, nonce, sizeof(nonce), data, size, number);

	need(result == SIMTIE_SERVICE_OK ? simtie_number_valid(number) : number[0] == '\0');
}

static void try_credential(const uint8_t *data, size_t size)
{
	struct simtie_credential credential;
	int result = simtie_credential_verify(the_key(), AUDIENCE, NOW, data, size, &credential);

	if (result != SIMTIE_SERVICE_OK) {
		need(credential.audience[0] == '\0' && credential.service_public[0] == 0);
		return;
	}
	need(strcmp(credential.audience, AUDIENCE) == 0);
	need(credential.not_before <= NOW && NOW <= credential.not_after);
	need(simtie_crypto_openssl()->p256_point(credential.service_public) == VERDICT_GOOD);
}

static void try_notice(const char *jwt, size_t len)
{
	struct simtie_notice notice;
	int result = simtie_notice_verify(the_key(), ISSUER, AUDIENCE, NOW, jwt, len, &notice);

	if (result != SIMTIE_SERVICE_OK) {
		need(notice.id[0] == '\0' && notice.event == 0);
		return;
	}
	need(strcmp(notice.audience, AUDIENCE) == 0 && strcmp(notice.issuer, ISSUER) == 0);
	need(simtie_event_name(notice.event) && notice.id[0] && notice.registration[0]);
	need(notice.issued_at <= NOW + SERVICE_CLOCK_SKEW);
}

static void try_status(const char *jwt, size_t len)
{
	const int looked_up = simtie_status_check(the_key(), STATUS, 9, NOW, jwt, len);
	struct service_status status;
	const int read = service_status_read(the_key(), STATUS, NOW, jwt, len, &status);

	/* One bit and the whole list come to the same. */
	if (read == SIMTIE_SERVICE_OK &&
	    (9 < status.size
		     ? (status.bits[1] >> 1 & 1) != (looked_up == SIMTIE_SERVICE_ERR_REVOKED)
		     : looked_up != SIMTIE_SERVICE_ERR_ARGUMENT))
		abort();
	service_status_free(&status);
}

/* Signs claims, if they are JSON, and hands them on. */
static void try_claims(const char *typ, const uint8_t *data, size_t size,
		       void (*next)(const char *jwt, size_t len))
{
	json_t *claims = json_loadb((const char *)data, size, 0, NULL);
	char *jwt;

	if (!claims)
		return;
	need(service_jwt_sign(the_key(), typ, claims, &jwt) == SIMTIE_SERVICE_OK);
	next(jwt, strlen(jwt));
	free(jwt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch ((enum kind)(data[0] % KIND_COUNT)) {
	case KIND_SEALED:
		try_sealed(data + 1, size - 1);
		break;
	case KIND_CREDENTIAL:
		try_credential(data + 1, size - 1);
		break;
	case KIND_STATUS:
		try_status((const char *)data + 1, size - 1);
		break;
	case KIND_NOTICE:
		try_notice((const char *)data + 1, size - 1);
		break;
	case KIND_STATUS_CLAIMS:
		try_claims("statuslist+jwt", data + 1, size - 1, try_status);
		break;
	case KIND_NOTICE_CLAIMS:
		try_claims("secevent+jwt", data + 1, size - 1, try_notice);
		break;
	case KIND_COUNT:
		break;
	}
	return 0;
}
