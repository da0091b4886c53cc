/*
 * A line that is cut: a transport around another that loses one exchange, chosen beforehand, and
 * everything after it. Owns the inner link. Refuses nothing until then.
 */
#ifndef SIMTIE_TEST_FAULT_TRANSPORT_H
#define SIMTIE_TEST_FAULT_TRANSPORT_H

#include "transport.h"

enum fault_cut {
	FAULT_COMMAND_LOST, /* the card never gets the command */
	FAULT_ANSWER_LOST,  /* the card carries it out, and nobody hears */
};

struct fault {
	struct link inner;
	unsigned exchanges_left; /* before the cut */
	enum fault_cut cut;
	bool happened;
};

/* Puts the fault around a link. `fault` outlives the link. */
void fault_wrap(struct fault *fault, struct link *link);

#endif
