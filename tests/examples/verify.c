/*
 * What a messenger does with an attestation once it has the operator's yes: verifies it with the
 * service credential, without asking anybody. cc verify.c $(pkg-config --cflags --libs simtie)
 *
 *   verify AUDIENCE NONCE-HEX ISSUER.pem SIGNER.pem CREDENTIAL.der STATUS.jwt TOKEN
 */
#include <simtie-service.h>
#include <simtie-token.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STATUS_MAX (1 << 22) /* bytes that this one is ready to read */

static size_t file_read(const char *path, void *bytes, size_t size)
{
	FILE *file = fopen(path, "rb");
	size_t len = file ? fread(bytes, 1, size, file) : 0;

	if (!file) {
		perror(path);
		exit(2);
	}
	fclose(file);
	return len;
}

static size_t hex_read(const char *text, uint8_t *out, size_t size)
{
	size_t len = 0;
	unsigned byte;

	for (; len < size && sscanf(text, "%2x", &byte) == 1; text += 2)
		out[len++] = (uint8_t)byte;
	return len;
}

static void need(int error, const char *what)
{
	if (error == 0)
		return;
	fprintf(stderr, "verify: %s: %s\n", what, simtie_service_strerror(error));
	exit(1);
}

int main(int argc, char **argv)
{
	struct simtie_service_key *issuer, *signer;
	struct simtie_credential credential;
	uint8_t der[SIMTIE_CREDENTIAL_MAX], token[SIMTIE_TOKEN_MAX], nonce[SIMTIE_NONCE_MAX];
	struct simtie_policy policy = {.nonce = nonce};
	struct simtie_verify_key key = {NULL, credential.service_public};
	char *status = malloc(STATUS_MAX);
	enum simtie_refusal refusal;

	if (argc != 8 || !status)
		return 2;
	policy.audience = argv[1];
	policy.nonce_len = hex_read(argv[2], nonce, sizeof(nonce));
	need(simtie_service_key_read(argv[3], NULL, &issuer), argv[3]);
	need(simtie_service_key_read(argv[4], NULL, &signer), argv[4]);
	need(simtie_credential_verify(issuer, argv[1], time(NULL), der,
				      file_read(argv[5], der, sizeof(der)), &credential),
	     argv[5]);
	need(simtie_status_check(signer, credential.status_uri, credential.status_index, time(NULL),
				 status, file_read(argv[6], status, STATUS_MAX)),
	     argv[6]);
	refusal = simtie_token_verify(simtie_crypto_openssl(), &key, &policy, token,
				      file_read(argv[7], token, sizeof(token)), NULL, NULL);
	puts(simtie_refusal_text(refusal));
	simtie_service_key_free(&issuer);
	simtie_service_key_free(&signer);
	free(status);
	return refusal != SIMTIE_ACCEPTED;
}
