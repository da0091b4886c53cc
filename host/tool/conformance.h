/*
 * A run of the contract's examples against a card: what its files share.
 *
 * conformance_card.c brings a card into the state that an example starts from, with
 * conformance_fresh.c for new cards and conformance_pin.c for the tries; conformance_run.c goes
 * through the examples, conformance_attest.c checks attestations, conformance_report.c prints,
 * cmd_conformance.c has the options.
 *
 * Owns the session, the keys, the PIN and the PUK for the time of the run. Refuses to take a PIN
 * try when fewer than two are left, to try keys again that a card did not take and, unless told, to
 * run what would change a card for good.
 */
#ifndef SIMTIE_TOOL_CONFORMANCE_H
#define SIMTIE_TOOL_CONFORMANCE_H

#include "card.h"
#include "channel.h"
#include "example.h"
#include "secret.h"

enum conformance_outcome {
	CONFORMANCE_PASSED,
	CONFORMANCE_FAILED,
	CONFORMANCE_SKIPPED,
};

#define CONFORMANCE_TEXT_MAX 1024

struct conformance_result {
	const char *group; /* the command, "VERIFY_PIN" */
	const char *name;
	enum conformance_outcome outcome;
	double seconds;
	char text[CONFORMANCE_TEXT_MAX]; /* why it failed or was skipped; else "" */
};

/* Where a factory-fresh card comes from. */
enum conformance_supply {
	SUPPLY_NONE,    /* there is the one card in the reader */
	SUPPLY_LOOP,    /* each session on "loop:" has one */
	SUPPLY_COMMAND, /* a command puts one into the reader */
};

/* What a card says of itself, read with a lenient eye: it is the card that is under test. */
struct conformance_look {
	uint8_t lifecycle; /* 0 when it does not say */
	uint8_t pin_tries;
	uint8_t puk_tries;
	uint8_t content;      /* bits of enum content */
	uint8_t debug_status; /* FF when it does not say */
	bool has_iccid;
	uint8_t iccid[SIMTIE_ICCID_SIZE];
};

struct conformance {
	struct common_options common;
	const struct command *command;
	bool all, list;
	const char *only, *fresh, *junit, *record_path; /* or NULL */
	struct option_number patience;                  /* seconds that a new card may take */
	struct secret_source pin_source, puk_source;

	/* PIN and PUK: the ones given, else those of cards that the run personalises itself. */
	bool pin_given, puk_given;
	char pin[SECRET_SIZE], puk[SECRET_SIZE], new_pin[SECRET_SIZE];
	struct example_values values;

	/* The keys given, else the test keys for a card that says that it is virtual. */
	struct keys_source keys_source;
	struct keys keys;
	struct channel channel; /* the last that was opened; all 0 before */

	/* The card. */
	enum conformance_supply supply;
	struct simtie_session *session;      /* NULL between two cards */
	char reader[SIMTIE_READER_NAME_MAX]; /* "" before the first session */
	char atr[2 * SIMTIE_ATR_MAX + 1];
	enum simtie_protocol protocol;
	bool lent, selected;          /* of its line: struct card_line */
	struct conformance_look look; /* when its state was last of interest */
	bool ours;                    /* this run personalised it */
	bool pristine; /* nothing was counted, stored or spent since it came into its state */
	bool worn;     /* something failed, or changed for good: a new one is wanted */
	bool has_key;  /* `key` is this card's */
	struct simtie_card_key key;
	char no_pin[160];   /* why examples that need the PIN are left out; else "" */
	char no_tries[160]; /* why all of a personalised card are; else "" */
	char no_keys[320];  /* why those that need a secure channel are; else "" */

	struct example *run;
	size_t count;
	struct conformance_result *results; /* room for every example and check */
};

/* What comes of getting a card ready. */
enum conformance_ready {
	READY,
	NOT_READY,  /* `text` says why: to be skipped */
	UNFIT,      /* `text` says what the card did wrong: failed */
	BROKEN_OFF, /* the run cannot go on: `text` says why, *error is what is behind it */
};

/* ---- conformance_card.c ---- */

/* Reaches the card for the first time. 0 or a negative enum simtie_error, `text` then says more. */
int conformance_card_open(struct conformance *conf, char *text);

/* Brings a card into the state that an example starts from: reset, selected when it asks for that.
 */
enum conformance_ready conformance_card_ready(struct conformance *conf,
					      const struct example_case *example, char *text,
					      int *error);

/* After an example: gives PIN tries back, keeps in mind what became of the card. READY or
 * BROKEN_OFF. */
enum conformance_ready conformance_card_after(struct conformance *conf,
					      const struct example_case *example,
					      enum conformance_outcome outcome, char *text,
					      int *error);

/* Opens a session with the card in the reader and looks at it; the applet is selected. */
int conformance_card_reach(struct conformance *conf, char *text);

/* ---- conformance_fresh.c ---- */

/* Selects the applet and reads what the card says. 0 or a negative enum simtie_error. */
int conformance_look(struct simtie_session *session, struct conformance_look *look);

/* Whether a card looks as it comes from the factory, where it may have got an ICCID. */
bool conformance_looks_fresh(const struct conformance_look *look);

/* Has --fresh put a factory-fresh card into the reader, and waits until it is there; opens a
 * session with it. 0 or a negative enum simtie_error, `text` then says more. */
int conformance_fresh(struct conformance *conf, char *text);

/* ---- conformance_pin.c: for a card that was there before the run ---- */

/* Finds out, with one try at most, whether the PIN can be used and all its tries are there; sets
 * no_pin and no_tries. 0, or a negative enum simtie_error: `text` says more. */
int conformance_pin_settle(struct conformance *conf, char *text);

/* Gives back the tries that an example took, and the PIN if it was changed. `doubtful`: the example
 * may have stopped half way. As above. */
int conformance_pin_give_back(struct conformance *conf, bool doubtful, char *text);

/* ---- conformance_keys.c ---- */

/* Sees which keys the card that was just reached can be asked with; sets no_keys. */
void conformance_keys_settle(struct conformance *conf);

/* Whether a step authenticates by hand, which can fail and then counts against the key set. */
bool conformance_keys_at_stake(const struct example_case *example);

/* Opens a secure channel with what is selected. READY; NOT_READY and UNFIT with why, the keys then
 * not being tried again on this card; BROKEN_OFF. */
enum conformance_ready conformance_keys_open(struct conformance *conf, uint8_t level, char *text,
					     int *error);

/* ---- conformance_run.c ---- */

/* Runs all that was asked for. 0, or the error that broke the run off; `text` then says more. */
int conformance_run(struct conformance *conf, char *text);

/* Says which step differed and how. */
void conformance_difference(const struct example *run, char *text, size_t size);

/* ---- conformance_modem.c ---- */

/* Why the way to the card cannot carry an example, though the card may hold it; NULL: it can. */
const char *conformance_modem_forbids(const struct conformance *conf,
				      const struct example_case *example);

/* ---- conformance_attest.c ---- */

/* The one check beyond the examples: this card's attestations verify. The card is ready. */
enum conformance_outcome conformance_attest(struct conformance *conf, char *text);

/* ---- conformance_report.c ---- */

void conformance_print(const struct conformance *conf, const struct conformance_result *result);

/* The last line, or the JSON object, and the JUnit file. `error` and `text`: what broke the run
 * off. Returns an exit code. */
int conformance_finish(const struct conformance *conf, int error, const char *text);

/* Lists what --only asks for, without a card. */
int conformance_list(const struct conformance *conf);

/* Whether --only asks for it. */
bool conformance_wanted(const struct conformance *conf, const char *group, const char *name);

/* What every card of the run is asked for beyond the examples, as if it were one of them. */
extern const struct example_case conformance_check;

#endif
