/*
 * What the client calls share: one command of the contract, sent on the channel in use.
 *
 * Owns the putting together of command APDUs and the wiping of what they carried. Refuses nothing
 * of the contract's bounds: each call checks its own before it sends.
 */
#ifndef SIMTIE_LIB_CLIENT_H
#define SIMTIE_LIB_CLIENT_H

#include "ber.h"
#include "contract.h"
#include "session.h"
#include "tlv.h"

struct client_command {
	uint8_t cla, ins, p1, p2;
	struct bytes data; /* at most LIMIT_COMMAND_DATA bytes */
	uint32_t ne;       /* response bytes asked for, 0 to 256; 256 means all that there are */
};

/*
 * Sends a command. 0 when the card says SW_OK, and `out` holds the response; SIMTIE_ERR_CARD when
 * it says anything else; SIMTIE_ERR_PROTOCOL for a response over `size` bytes; the session's
 * errors.
 */
int client_send(struct simtie_session *session, const struct client_command *command, uint8_t *out,
		size_t size, size_t *len);

/* GET DATA of one object. *value is the object's value, within `out`. */
int client_get_data(struct simtie_session *session, uint16_t tag, uint8_t *out, size_t size,
		    struct bytes *value);

/* Writes `digits` (at least `min`, at most LIMIT_PIN_SIZE decimal ones) padded as TS 102 221 §9.5.1
 * says. False for anything else, NULL too. */
bool client_pad(const char *digits, size_t min, uint8_t padded[static LIMIT_PIN_SIZE]);

/* Notes the tries left in *tries (may be NULL) if the last status word says how many. */
void client_tries(const struct simtie_session *session, unsigned *tries);

#endif
