/*
 * A session: one card, and the rules and bounds of ISO/IEC 7816 between commands and exchanges.
 *
 * Owns the link to the card, the counts, the bound in time and in exchanges, 61xx, 6Cxx, chaining
 * and the secure channel. Refuses an answer that breaks the standard, and to go on once the card is
 * lost.
 */
#ifndef SIMTIE_LIB_SESSION_H
#define SIMTIE_LIB_SESSION_H

#include "apdu.h"
#include "scp03.h"
#include "transport.h"

struct simtie_session {
	struct link link;
	struct card_line line;
	struct simtie_session *volatile *guard; /* or NULL */
	unsigned timeout_ms;
	int dead; /* the error that ended it, or 0 */
	uint8_t channel;
	uint16_t sw;
	struct simtie_line count;
	unsigned exchanges_left;  /* of the command under way */
	struct deadline deadline; /* likewise */
	struct {
		struct scp03 scp;
		bool broken;           /* it did, and nobody has taken note yet */
		uint8_t channel;       /* logical channel that it is on */
		enum scp03_result why; /* of the last failure */
	} secure;
	size_t dirty; /* bytes of `answer` that responses have been in */
	uint8_t answer[TRANSPORT_ANSWER_MAX];
	uint8_t wrapped[SIMTIE_EXCHANGES_MAX *
			APDU_NE_SHORT]; /* an answer before it is unwrapped */
};

/*
 * Makes a session on a link that is open, and takes the link over; on an error it is closed.
 * `options` gives trace and bound and may be NULL. SIMTIE_ERR_MEMORY, SIMTIE_ERR_FILE.
 */
int session_on(struct link link, const struct card_line *line, const struct simtie_options *options,
	       struct simtie_session **session);

/* Starts the bounds of one command. 0, or the error that ended the session. */
int session_begin(struct simtie_session *session);

/*
 * One exchange: sends `command` as it is. *data is its response without status word, in
 * session->answer, and session->sw the status word. SIMTIE_ERR_ENDLESS, SIMTIE_ERR_TIMEOUT,
 * SIMTIE_ERR_PROTOCOL (under 2 bytes, over TRANSPORT_ANSWER_MAX), the transport's errors.
 */
int session_exchange(struct simtie_session *session, struct bytes command, struct bytes *data);

/* What the transport said of the way to the card. Belongs to the session. */
const struct card_line *session_line(const struct simtie_session *session);

/* Overwrites what the exchanges left in session->answer. */
void session_wipe(struct simtie_session *session);

#endif
