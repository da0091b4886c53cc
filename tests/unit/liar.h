/*
 * A line that lies: a transport around the virtual card that meddles with one exchange, chosen
 * beforehand, and notes what was sent.
 *
 * Owns the inner link. Everything else goes through as it is.
 */
#ifndef SIMTIE_TEST_LIAR_H
#define SIMTIE_TEST_LIAR_H

#include "session.h"

struct liar {
	struct link inner;
	unsigned exchanges; /* so far */
	unsigned at;        /* the exchange to meddle with, from 1; 0: none */
	size_t byte;        /* of its answer, counted from the end, that is changed */
	bool in_command;    /* change the command instead */
	bool lost;          /* the command gets through, and its answer does not */
	bool wrong_le;      /* the answer is 6C12 */
	uint8_t ins;        /* of the last command, and its class */
	uint8_t cla;
};

/* A session with a virtual card behind it, the applet selected, or the end of the test. `options`
 * may be NULL; `liar` outlives the session. */
struct simtie_session *liar_open_card(struct liar *liar, enum simtie_protocol protocol,
				      const struct simtie_options *options);

/* Opens the session's secure channel under the known keys, or ends the test. */
void liar_secure(struct simtie_session *session, uint8_t level);

#endif
