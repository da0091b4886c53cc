/*
 * The secure channel of a session: which commands go through it, and what ends it.
 *
 * Owns the channel's state within struct simtie_session. Refuses to let a command go in clear on a
 * logical channel whose secure channel broke, until the caller has taken note: by closing it, by
 * opening another, by SELECT or by reset.
 */
#ifndef SIMTIE_LIB_SESSION_SECURE_H
#define SIMTIE_LIB_SESSION_SECURE_H

#include "session.h"

/* How a command goes. */
struct secure_route {
	bool wrapped;
	bool ends; /* the channel ends with it, unless the card refuses */
};

/* SIMTIE_ERR_SECURE: it would go where the channel broke. SIMTIE_ERR_ARGUMENT: it carries secure
 * messaging of its own into an open channel. */
int session_secure_route(struct simtie_session *session, const struct apdu *apdu,
			 struct secure_route *route);

/* After a command that ends the channel: ends it, if the card carried it out. */
void session_secure_after(struct simtie_session *session);

/* Most bytes of an answer that go without a Le that asked for them: an R-MAC's. */
uint32_t session_secure_unasked(const struct simtie_session *session);

/*
 * Wraps a short command; `size` counts the room at `out`. Unwraps a whole answer in place, its
 * status word being session->sw. SIMTIE_ERR_SECURE: the channel has then broken.
 */
int session_secure_wrap(struct simtie_session *session, struct bytes command, uint8_t *out,
			size_t size, size_t *len);
int session_secure_unwrap(struct simtie_session *session, uint8_t *answer, size_t *len);

/* An error of the pure part as one of the session's, and keeps it for simtie_secure_text(); 0 for
 * SCP03_OK. */
int session_secure_failed(struct simtie_session *session, enum scp03_result why);

/* Ends the channel, and keeps why for simtie_secure_text(). */
void session_secure_break(struct simtie_session *session, enum scp03_result why);

#endif
