/*
 * The way of a holder's PIN to her card: in clear on a wire, within a secure channel over the air.
 *
 * Owns the options that say whom to take the card for. Refuses to send a PIN over the air in clear
 * unless it is told to, and says then what that means.
 */
#ifndef SIMTIE_TOOL_HOLDER_H
#define SIMTIE_TOOL_HOLDER_H

#include "card.h"

/* Filled in by the options of HOLDER_OPTIONS(). */
struct holder_way {
	const char *root;        /* --root, or NULL */
	struct option_bytes key; /* --channel-key */
	bool in_clear;           /* --pin-in-clear */
};

/* Three entries of an option table into a struct holder_way. */
#define HOLDER_OPTIONS(way)                                                                        \
	{.name = "root",                                                                           \
	 .kind = OPTION_TEXT,                                                                      \
	 .target = &(way).root,                                                                    \
	 .value = "FILE",                                                                          \
	 .min = 1,                                                                                 \
	 .help = "the operator's certificate: send the PIN encrypted, and to no\n"                 \
		 "card but the operator's"},                                                       \
		{.name = "channel-key",                                                            \
		 .kind = OPTION_HEX,                                                               \
		 .target = &(way).key,                                                             \
		 .value = "HEX",                                                                   \
		 .min = SIMTIE_POINT_SIZE,                                                         \
		 .max = SIMTIE_POINT_SIZE,                                                         \
		 .help = "the same for the one card whose key for this it is"},                    \
	{                                                                                          \
		.name = "pin-in-clear", .target = &(way).in_clear,                                 \
		.help = "send the PIN in clear, over the air too: whoever listens has it"          \
	}

/*
 * Opens the session that the options ask for and selects the applet. Over the air, or with a root
 * or a key named, the secure channel is open then in which the PIN has to go. Returns TOOL_DONE, or
 * the exit code of a failure that is already printed; then *session is NULL.
 */
int holder_open(const struct common_options *common, const struct holder_way *way,
		struct simtie_session **session);

#endif
