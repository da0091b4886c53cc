/*
 * SIMs by the thousand, from a seed: their records, and tokens as they would sign them.
 *
 * Owns the arithmetic of a card without a card, by OpenSSL, since a core that signs on mbedTLS
 * would be slower than what it is to load. Refuses to be mistaken for hardware: debug status 0.
 */
#ifndef SIMTIE_TESTS_LOAD_TOKENS_H
#define SIMTIE_TESTS_LOAD_TOKENS_H

#include <openssl/evp.h>

#include "token.h"

struct load_sim {
	struct simtie_card_key key;
	EVP_PKEY *service; /* private, for one audience */
};

/* The SIM number `index` of a seed, with its service key for an audience. Ends the program when
 * OpenSSL fails. */
void load_sim_make(struct load_sim *sim, const char *seed, uint32_t index, const char *audience);

/* Its number and ICCID, from the index. */
#define LOAD_TEXT_SIZE 24
void load_sim_number(uint32_t index, char text[static LOAD_TEXT_SIZE]);
void load_sim_iccid(uint32_t index, char text[static LOAD_TEXT_SIZE]);

/* A token for the audience with this counter and a nonce of 16 random bytes. */
void load_sim_attest(const struct load_sim *sim, const char *audience, uint32_t counter,
		     uint8_t nonce[static 16], uint8_t token[static SIMTIE_TOKEN_MAX], size_t *len);

#endif
