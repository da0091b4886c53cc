/*
 * What dispatch hands to a command's handler, and how the handler answers.
 *
 * When a handler runs, CLA, INS, P1, P2 and the length of the data are ones that the contract
 * allows and the channel is open; only what the table cannot say is left to check. It returns the
 * status word and appends response data to `out`; with a status other than 9000 or a warning the
 * data is dropped.
 */
#ifndef SIMTIE_CORE_COMMAND_H
#define SIMTIE_CORE_COMMAND_H

#include "applet.h"
#include "ber.h"

struct command {
	uint8_t header[4]; /* CLA without its chaining bit, INS, P1, P2 */
	uint8_t p1, p2;
	uint8_t channel_number;
	struct channel *channel; /* the logical channel that the command came on */
	uint8_t level;           /* security level under which it came; 0: in clear */
	struct bytes data;       /* of the whole chain */
	bool sent_data;          /* it came with data, be that a MAC alone */
	uint32_t ne;             /* response bytes asked for; 0 without Le */
	struct writer out;       /* response data */
};

typedef uint16_t command_handler(struct applet *applet, struct command *command);

#define COMMAND_HANDLER(id, name, handler, ...) command_handler handler;
COMMANDS(COMMAND_HANDLER)
#undef COMMAND_HANDLER

/* A row of the contract's table. */
struct command_row {
	command_handler *handler;
	uint8_t cla, ins;
	const char *p1, *p2; /* values allowed, as many as the counts say; any when 0 */
	uint8_t p1_count, p2_count;
	uint16_t lc_min, lc_max, lc_step;
	uint8_t flags; /* enum command_flag */
};

/* The row of an instruction in a class (00 or 80) for what is selected, of several that of P2; NULL
 * when there is none. */
const struct command_row *command_find(uint8_t cla, uint8_t ins, uint8_t p2,
				       enum application selected);

/* Whether a response with this status word carries data: done, or done with a warning. */
bool command_answers(uint16_t sw);

bool command_parameters_allowed(const struct command_row *row, uint8_t p1, uint8_t p2);
bool command_length_allowed(const struct command_row *row, size_t lc);

#endif
