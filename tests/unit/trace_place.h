/*
 * A folder with a trace in it, for tests of what a trace says.
 */
#ifndef SIMTIE_TEST_TRACE_PLACE_H
#define SIMTIE_TEST_TRACE_PLACE_H

#include "scripted_transport.h"

#define TRACE_CONTENT_MAX 65536

struct trace_place {
	char folder[64];
	char path[96];
	char content[TRACE_CONTENT_MAX]; /* of the file, NUL after it */
	size_t len;
};

/* Set-up and tear-down functions; *state is the struct trace_place. */
int trace_place_make(void **state);
int trace_place_remove(void **state);

/* Reads the trace. */
void trace_place_load(struct trace_place *place);

/* Whether it says `text`. */
bool trace_place_has(const struct trace_place *place, const char *text);

/* Traces commands (hexadecimal, ended by NULL), one exchange each, over the script, and reads the
 * trace. */
void trace_place_send(struct trace_place *place, struct scripted script,
		      const char *const *commands, bool secrets);

#define SENT(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
