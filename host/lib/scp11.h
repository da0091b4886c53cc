/*
 * The host's side of GlobalPlatform's SCP11b (Amendment F v1.3), as pure code: the card proves that
 * it has the key of its certificate, the host proves nothing, and both agree on session keys. From
 * then on the channel is one of SCP03 (scp03.h).
 *
 * Owns the ephemeral private key, from scp11_begin() until scp11_answered() wipes it. Refuses a
 * receipt that is not the card's. Whose the card's key is, scp11_certificate() says, against a root
 * that the caller trusts; without one an eavesdropper is shut out, and an impostor is not.
 */
#ifndef SIMTIE_LIB_SCP11_H
#define SIMTIE_LIB_SCP11_H

#include "contract.h"
#include "scp03.h"

#define SCP11_SCALAR_SIZE 32

struct scp11 {
	bool begun;
	uint8_t channel;
	uint8_t ephemeral[SCP11_SCALAR_SIZE];
	uint8_t request[LIMIT_CHANNEL_REQUEST_SIZE];
};

/* Draws an ephemeral private key. SCP03_FAILED. */
enum scp03_result scp11_draw(uint8_t ephemeral[static SCP11_SCALAR_SIZE]);

#define SCP11_COMMAND_MAX (5 + LIMIT_CHANNEL_REQUEST_SIZE + 1)

/* Writes INTERNAL AUTHENTICATE for logical channel 0 to 3 under an ephemeral key, which is fresh.
 * SCP03_ARGUMENT, SCP03_FAILED (also for a key that is none). */
enum scp03_result scp11_begin(struct scp11 *scp11, uint8_t channel,
			      const uint8_t ephemeral[static SCP11_SCALAR_SIZE],
			      uint8_t command[static SCP11_COMMAND_MAX], size_t *len);

#define SCP11_ANSWER_MAX (3 + LIMIT_POINT_SIZE + 2 + LIMIT_RECEIPT_SIZE)

/*
 * Reads the answer of the card that has the private key of `card_point`, and opens `scp` at level
 * 33. SCP03_REFUSED for a status word other than 9000; SCP03_MALFORMED; SCP03_RECEIPT: the card
 * does not have that key, or the line was altered; SCP03_POINT; SCP03_FAILED; SCP03_ORDER. In each
 * case nothing is open, and the ephemeral key is gone.
 */
enum scp03_result scp11_answered(struct scp11 *scp11,
				 const uint8_t card_point[static LIMIT_POINT_SIZE],
				 struct bytes answer, uint16_t sw, struct scp03 *scp);

/*
 * The card's point out of its certificate (X.509, DER), which must be for key agreement, on P-256,
 * and now valid. `root` is the operator's certificate, DER or PEM, under which it must verify;
 * empty: only the form is checked. Revocation is not asked for: the host may be offline.
 * SCP03_CERTIFICATE, SCP03_FAILED.
 */
enum scp03_result scp11_certificate(struct bytes certificate, struct bytes root,
				    uint8_t point[static LIMIT_POINT_SIZE]);

#endif
