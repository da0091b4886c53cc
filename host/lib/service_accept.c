/*
 * An operator's yes: its credential, and the attestation under it.
 */
#include "service_internal.h"

int simtie_credential_accept(const struct simtie_service_key *issuer,
			     const struct simtie_policy *policy, int64_t now, const uint8_t *der,
			     size_t len, const uint8_t *token, size_t token_len,
			     struct simtie_credential *credential, enum simtie_refusal *refusal)
{
	struct simtie_credential opened;
	const struct simtie_verify_key key = {.service_public = opened.service_public};
	int error;

	memset(credential, 0, sizeof(*credential));
	*refusal = SIMTIE_INTERNAL_ERROR;
	if (!policy->audience)
		return SIMTIE_SERVICE_ERR_ARGUMENT;
	error = simtie_credential_verify(issuer, policy->audience, now, der, len, &opened);
	if (error)
		return error;
	*refusal = simtie_token_verify(simtie_crypto_openssl(), &key, policy, token, token_len,
				       NULL, NULL);
	if (*refusal == SIMTIE_INTERNAL_ERROR)
		return SIMTIE_SERVICE_ERR_LIBRARY;
	if (*refusal != SIMTIE_ACCEPTED)
		return SIMTIE_SERVICE_ERR_TOKEN;
	*credential = opened;
	return SIMTIE_SERVICE_OK;
}
