/*
 * The transmission protocol as an option and as a word.
 */
#ifndef SIMTIE_TOOL_PROTOCOL_H
#define SIMTIE_TOOL_PROTOCOL_H

#include "options.h"
#include "simtie.h"

/* Choices in the order of enum simtie_protocol. */
extern const char *const protocol_choices[];

/* An entry of an option table, into common_options.protocol. */
#define PROTOCOL_OPTION(common)                                                                    \
	{                                                                                          \
		.name = "protocol", .kind = OPTION_CHOICE, .target = &(common).protocol,           \
		.value = "any|T=0|T=1", .choices = protocol_choices,                               \
		.help = "insist on a protocol; any is as card and reader agree"                    \
	}

/* "T=0" or "T=1". */
const char *protocol_word(enum simtie_protocol protocol);

#endif
