/*
 * For the tests of the transport "at:": a modem with a personalised card in it, and a session with
 * that.
 */
#ifndef SIMTIE_TEST_AT_PLACE_H
#define SIMTIE_TEST_AT_PLACE_H

#include "core_card.h"
#include "modem_sim.h"
#include "simtie.h"

struct at_place {
	struct core_card card;
	struct modem modem;
	struct simtie_session *session;
	char reader[SIMTIE_READER_NAME_MAX];
	char detail[SIMTIE_DETAIL_MAX];
};

/* Starts the modem, or ends the test; there is no session yet. */
void at_place_begin(struct at_place *place, const struct modem_options *options);

/* Opens the session; what simtie_open() says. A timeout of 0 is the library's own. */
int at_place_open(struct at_place *place);
int at_place_open_within(struct at_place *place, unsigned timeout_ms);

/* Ends session and modem, which nobody may have left a channel open on, nor trespassed. */
void at_place_end(struct at_place *place);

/* Sends a command, which must end as `expected`; gives the status word. */
uint16_t at_place_send(struct at_place *place, const uint8_t *command, size_t len, int expected);

#endif
