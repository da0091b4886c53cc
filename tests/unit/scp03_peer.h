/*
 * The card's side of SCP03, for tests: written from Amendment D apart from the library, on OpenSSL.
 *
 * It checks every command as a card does, and answers; it also answers wrongly on demand. Its
 * functions fail the test when OpenSSL fails; what the host did wrong they return.
 */
#ifndef SIMTIE_TESTS_SCP03_PEER_H
#define SIMTIE_TESTS_SCP03_PEER_H

#include "scp03.h"

#define PEER_DATA_MAX 66000

#define NO_BYTES bytes_of(NULL, 0)

struct peer {
	struct scp03_keys keys;
	uint8_t i;
	uint8_t diversification[10];
	uint8_t sequence[3];
	uint8_t aid[16];
	size_t aid_len;
	/* Of the session. */
	size_t mac_size;
	uint8_t level;
	uint8_t host_challenge[16], card_challenge[16];
	uint8_t s_enc[32], s_mac[32], s_rmac[32];
	uint8_t chain[16];
	uint64_t counter;
};

struct bytes peer_aid(const struct peer *peer);

/* Keys of that length, each byte from `seed`, and the security domain's default AID. */
void peer_make(struct peer *peer, uint8_t version, size_t key_len, uint8_t seed, uint8_t i);

/* Answers INITIALIZE UPDATE; returns the length, 0 when the command is wrong. The card challenge is
 * what stands in peer->card_challenge, unless i has it derived. */
size_t peer_initialize(struct peer *peer, struct bytes command, uint8_t answer[static 64]);

/* The host's side, up to the answer: begins a channel with a challenge drawn anew. Returns the
 * length of the peer's answer to INITIALIZE UPDATE. */
size_t peer_meet(struct peer *peer, struct scp03 *scp, uint8_t channel, uint8_t answer[static 64]);

/* The host's side of it all: opens a channel at that level. */
void peer_join(struct peer *peer, struct scp03 *scp, uint8_t channel, uint8_t level);

/* Whether an EXTERNAL AUTHENTICATE is right; the session is then open. */
bool peer_authenticate(struct peer *peer, struct bytes command);

/* Checks a wrapped command and gives the plain one: header with its plain class, Lc, data, Le as it
 * came. Returns its length; 0 when MAC, padding or form are wrong. */
size_t peer_open(struct peer *peer, struct bytes command, uint8_t *plain);

/* The answer to it: `data` under the session's level. Returns its length. */
size_t peer_answer(struct peer *peer, struct bytes data, uint16_t sw, uint8_t *answer);

/* The same with `data` taken for already padded; it need not be. */
size_t peer_answer_padded(struct peer *peer, struct bytes data, uint16_t sw, uint8_t *answer);

/* The session state is wiped to the last byte. */
void assert_wiped(const struct scp03 *scp);

void assert_bytes(const uint8_t *got, size_t len, const char *hex);

/* What lies under a static DEK, in place. */
void peer_decrypt_key(const struct scp03_keys *keys, uint8_t *data, size_t len);

#endif
