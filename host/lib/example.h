/*
 * Runs exchanges written in the contract's small language (apdu-specs/example.py): its own examples
 * in their flat form, and scripts of a person in the form in which the contract's files have them.
 *
 *     0020000108{wrong_pin}>63C2
 *     80 88 00 00 ( 80 [ {audience} ] 81 [ {nonce} ] 84 [ {pin} ] ) 00 > {sealed:8} ?1 ** 9000
 *
 * One step is a line: a command and, behind ">", what must come back. {name} is a known value,
 * {name:N} captures N bytes of the answer, ? is any digit (alone: any byte), ** any bytes up to the
 * status word, AB*N the byte AB N times, ( ) the bytes between with Lc before them, [ ] with a BER
 * length; # begins a comment. A line that begins with ! goes outside the secure channel that is
 * open.
 *
 * Owns the named values, among them PINs, until example_wipe(), and the comparison. Refuses to say
 * a secret: its texts quote no input, and the texts of what went over the line are blanked.
 * Everything is bounded; nothing here recurses or allocates.
 */
#ifndef SIMTIE_EXAMPLE_H
#define SIMTIE_EXAMPLE_H

#include "decode.h"
#include "examples.h"
#include "scp03.h"
#include "simtie.h"

#define EXAMPLE_COMMAND_MAX 65544 /* bytes of an extended APDU */
#define EXAMPLE_ANSWER_MAX  65538 /* bytes, status word included */
#define EXAMPLE_VALUE_MAX   1280  /* bytes of a named value */
#define EXAMPLE_NAME_MAX    32    /* bytes of its name, terminator included */
#define EXAMPLE_NAMES_MAX   40    /* named values in one run */
#define EXAMPLE_PIECES_MAX  16    /* captures in one answer */
#define EXAMPLE_TEXT_MAX    256

/* How a step goes to the card. */
enum example_way {
	EXAMPLE_WAY_SESSION, /* 61xx, 6Cxx, chaining and the secure channel are done for it */
	EXAMPLE_WAY_RAW,     /* one exchange as it stands */
	EXAMPLE_WAY_BARE,    /* as SESSION, but outside the secure channel */
};

enum example_result {
	EXAMPLE_HELD,      /* answered as expected, or nothing was expected */
	EXAMPLE_EMPTY,     /* the line has no step */
	EXAMPLE_DIFFERED,  /* the card answered something else */
	EXAMPLE_MALFORMED, /* the line is no step, or names an unknown value; nothing was sent */
	EXAMPLE_FAILED,    /* the command could not be carried out; see `error` */
};

/*
 * Sends one command. The response's data goes to `answer` (room for `size` bytes), its length to
 * *len, its status word to *sw. Returns 0 or a negative enum simtie_error.
 */
typedef int example_transmit(void *context, enum example_way way, struct bytes command,
			     uint8_t *answer, size_t size, size_t *len, uint16_t *sw);

struct example_name {
	char name[EXAMPLE_NAME_MAX];
	bool fixed;  /* cannot be captured anew */
	bool secret; /* its bytes are blanked wherever they turn up */
	size_t len;
	uint8_t value[EXAMPLE_VALUE_MAX];
};

/* Bytes of an answer that are captured, or that have to repeat such. */
struct example_piece {
	char name[EXAMPLE_NAME_MAX];
	bool capture;
	size_t at, len;
	size_t same_as; /* where the capture stands that this one repeats */
};

/* One side of a step, in bytes. */
struct example_side {
	size_t len;
	uint8_t bytes[EXAMPLE_COMMAND_MAX];
	/* Of an expected answer, the bits that must agree. Of a command, FF where the line had the
	 * byte literally and 00 where a named value put it. */
	uint8_t mask[EXAMPLE_COMMAND_MAX];
};

struct example {
	example_transmit *transmit;
	void *context;
	enum application application; /* that is selected, to show its commands by name */
	size_t name_count;
	struct example_name names[EXAMPLE_NAMES_MAX];

	/* The step that was read last. */
	unsigned step; /* counted from 1 over the run */
	bool bare;     /* the line began with ! */
	struct example_side command;
	struct example_side expected; /* status word included */
	bool expects;
	bool open_ended; /* any bytes may stand before the expected status word */
	size_t piece_count;
	struct example_piece pieces[EXAMPLE_PIECES_MAX];

	/* Its answer. */
	int error; /* of the transmission */
	uint16_t sw;
	size_t answer_len;
	uint8_t answer[EXAMPLE_ANSWER_MAX];

	/* What decides about secrets, over several steps. */
	struct decode_command decoded;  /* the command */
	struct decode_command answered; /* the one whose data the answer is; before GET RESPONSE */
	bool command_part;              /* goes on with a chain of single commands */
	bool answer_part;               /* a piece of a longer answer */
	bool chained;                   /* the last command announced another */

	char text[EXAMPLE_TEXT_MAX]; /* after anything but HELD and EMPTY: why; else "" */
};

/* Begins a run without named values. */
void example_start(struct example *run, example_transmit *transmit, void *context);

/* Names a value, fixed for the run. False: the name is malformed or taken, the value too long, or
 * there are too many. */
bool example_define(struct example *run, const char *name, bool secret, struct bytes value);

/* Forgets every value and all that went over the line. */
void example_wipe(struct example *run);

/* Takes in one line (without its end): EXAMPLE_HELD when it is a step, else EMPTY or MALFORMED. */
enum example_result example_read(struct example *run, const char *line, size_t len);

/* Sends the step that was read and compares: HELD, DIFFERED or FAILED. */
enum example_result example_send(struct example *run, bool raw);

/* Sends nothing and takes the step as answered, with zeros for what it captures: so that a script
 * can be read to its end before its first command goes out. */
void example_rehearse(struct example *run);

/* Reads and sends each line of `steps` up to the first that does not hold. */
enum example_result example_run(struct example *run, const char *steps, bool raw);

/* Whether some byte of the command that was read is secret and stands in the line literally. */
bool example_literal_secret(const struct example *run);

/*
 * The step's command, what was expected of its answer and what came (data, then status word), in
 * hexadecimal, cut to `size` bytes (at least 32) with "..." where it was cut, secrets blanked
 * unless show_secrets. All return `out`.
 */
char *example_show_command(const struct example *run, bool show_secrets, char *out, size_t size);
char *example_show_expected(const struct example *run, bool show_secrets, char *out, size_t size);
char *example_show_answer(const struct example *run, bool show_secrets, char *out, size_t size);

/* The value of an object within the step's command or answer, as decode_show_value() has it; whole
 * blanked when a secret value stands in it. */
char *example_show_value(const struct example *run, const struct decode_object *object,
			 bool show_secrets, char *out, size_t size);

/* Overwrites by '*' every secret value that stands in `text` in hexadecimal. */
void example_blank(const struct example *run, char *text);

/* ---- The contract's examples ---- */

struct example_case {
	const char *command; /* "VERIFY_PIN"; "COMMON" */
	const char *name;
	enum example_state state;
	enum example_effect effect;
	const char *fault;    /* what must fail: "memory", "read", "full", "random"; or "" */
	const char *protocol; /* "T=0", "T=1"; or "": it holds on both */
	bool raw;
	bool select; /* the application has to be selected first */
	enum application application;
	uint8_t secure; /* enum security_level of the session that the steps go through; 0: none */
	const char *steps;
};

const struct example_case *example_cases(size_t *count);
enum simtie_protocol example_protocol(const struct example_case *example);

/* The steps that bring a factory-fresh, selected card into a state. */
const char *example_preamble(enum example_state state);

/* Whether the steps use the value of that name. */
bool example_needs(const char *steps, const char *name);

/* The values that the contract's examples use, as sent: padded with FF. */
struct example_values {
	uint8_t pin[LIMIT_PIN_SIZE];
	uint8_t wrong_pin[LIMIT_PIN_SIZE]; /* differs from pin and new_pin */
	uint8_t puk[LIMIT_PIN_SIZE];
	uint8_t wrong_puk[LIMIT_PIN_SIZE];
	uint8_t new_pin[LIMIT_PIN_SIZE];
};

/* Pads `least` to 8 digits with FF (TS 102 221 §9.5.1). False: they are not that. */
bool example_pad(const char *digits, size_t least, uint8_t padded[static LIMIT_PIN_SIZE]);

/* Another PIN of the same length, which is not `avoid` (NULL: no matter) either. */
void example_other(const uint8_t pin[static LIMIT_PIN_SIZE], const uint8_t *avoid,
		   uint8_t other[static LIMIT_PIN_SIZE]);

/* Fills them in from a PIN of 4 to 8 digits and a PUK of 8. False: they are not that. */
bool example_values(const char *pin, const char *puk, struct example_values *values);

/* Names all five, as secrets. */
bool example_define_values(struct example *run, const struct example_values *values);

/* Names the PUT KEY data that some examples use, "put_key_31" to "put_key_33": key sets that the
 * example adds, under the key of `current` for that. False: no such keys, or no room. */
bool example_define_keys(struct example *run, const struct scp03_keys *current);

/* Names the contract's fixtures: aid, audience, nonce and so on. For lines that are not flat. */
bool example_define_fixtures(struct example *run);

#endif
