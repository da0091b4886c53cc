/*
 * The way of an example's step to the card, and a step as people and programs read it.
 *
 * Owns the form in which exchanges are shown. Secrets are blanked by host/lib/decode.h and
 * example.h, unless the caller says that they be shown.
 */
#ifndef SIMTIE_TOOL_EXCHANGE_H
#define SIMTIE_TOOL_EXCHANGE_H

#include <jansson.h>

#include "example.h"

/* An example_transmit; `context` is the struct simtie_session. */
example_transmit exchange_transmit;

/* Prints the step that was sent last: command, answer, both decoded, and what differed. */
void exchange_print(const struct example *run, enum example_result result, bool show_secrets);

/*
 * The same as {"step", "command", "name", "channel", "parameters", "objects"} and, once it is
 * answered, {"response", "statusWord", "status", "text", "advice", "responseObjects"}; with an
 * expectation also {"expected", "held"}, and "difference" when it did not hold.
 */
json_t *exchange_json(const struct example *run, enum example_result result, bool show_secrets);

#endif
