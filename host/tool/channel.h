/*
 * The way from a key file to an open secure channel.
 *
 * Owns the options that name keys, and the wording of what goes wrong with them. Refuses keys on
 * the command line, and a second try with keys that were wrong: a card blocks a key set for good.
 */
#ifndef SIMTIE_TOOL_CHANNEL_H
#define SIMTIE_TOOL_CHANNEL_H

#include "keys.h"

#include "card.h"

/* Filled in by the options of KEYS_OPTIONS(). */
struct keys_source {
	const char *file;            /* --keys, or NULL */
	struct option_bytes version; /* --key-version */
};

/* Two entries of an option table, --keys and --key-version, into a struct keys_source. */
#define KEYS_OPTIONS(source)                                                                       \
	{.name = "keys",                                                                           \
	 .kind = OPTION_TEXT,                                                                      \
	 .target = &(source).file,                                                                 \
	 .value = "FILE",                                                                          \
	 .min = 1,                                                                                 \
	 .help = "the card's keys, or masters to derive them from, mode 0600"},                    \
	{                                                                                          \
		.name = "key-version", .kind = OPTION_HEX, .target = &(source).version,            \
		.value = "HEX", .min = 1, .max = 1,                                                \
		.help = "key set to use, 01 to 7F or FF, in place of the file's"                   \
	}

/* Reads the key file. Returns TOOL_DONE, TOOL_USAGE or TOOL_IO; a failure is already printed. */
int channel_read(const struct common_options *common, const struct command *command,
		 const struct keys_source *source, struct keys *keys);

/* The keys that virtual cards come with, which everybody knows. */
void channel_test_keys(const struct keys_source *source, struct keys *keys);

/* A channel that was opened: with which keys, to be wiped, and with which card. */
struct channel {
	struct simtie_keys keys;
	struct simtie_secure_card card;
};

/*
 * Derives this card's keys, if they are to be, and opens the channel. `iccid` and `opened` may be
 * NULL. 0 or a negative enum simtie_error; *why then gets a sentence on it, for "cannot open the
 * secure channel: ".
 */
int channel_open(struct simtie_session *session, const struct keys *keys, const uint8_t *iccid,
		 uint8_t level, struct channel *opened, const char **why);

/* The same for a subcommand: prints what went wrong and returns the exit code. */
int channel_open_or_say(const struct common_options *common, struct simtie_session *session,
			const struct keys *keys, const uint8_t *iccid, uint8_t level,
			struct channel *opened);

/* The keys in the library's other form: for example_define_keys(). To be wiped. */
struct scp03_keys channel_set(const struct simtie_keys *keys);

#endif
