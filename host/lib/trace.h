/*
 * The trace: every exchange with the card, appended to a file, as text or as a capture.
 *
 * Owns the file, the form and the blanking: what decode.h calls secret is shown as "**" (in a
 * capture as 2A), unless the caller asked for secrets, which the file then says itself. Refuses to
 * write through a symbolic link, to put secrets where others can read them, and to go on untraced:
 * once the file cannot be written, no further command is sent.
 */
#ifndef SIMTIE_LIB_TRACE_H
#define SIMTIE_LIB_TRACE_H

#include "decode.h"
#include "transport.h"

/*
 * Opens the file that the options name and puts the trace around `link`. On success *link is the
 * traced one and closing it closes the other as well; on an error it is as before.
 * SIMTIE_ERR_FILE (errno; options->detail), SIMTIE_ERR_MEMORY.
 */
int trace_wrap(struct link *link, const struct card_line *line,
	       const struct simtie_options *options);

/* ---- What is secret (trace_secret.c) ---- */

#define TRACE_CHANNELS 20 /* that a class byte can name (ISO/IEC 7816-4 §5.4.1) */

/* What went before, as far as it decides what is secret next. */
struct trace_memory {
	bool chained; /* the last command was a link of a chain, of this instruction */
	uint8_t chain_ins;
	uint8_t channel; /* that the last command went to */
	struct {
		struct decode_command command; /* the last one, GET RESPONSE apart */
		bool begun;                    /* some of its response has been given */
	} channels[TRACE_CHANNELS];
};

void trace_memory_start(struct trace_memory *memory);

/* Sets hidden[i] for each byte of the command, or of the response with its status word, that is
 * secret and clears the others; then remembers what went by. */
void trace_hide_command(struct trace_memory *memory, struct bytes command, bool *hidden);
void trace_hide_answer(struct trace_memory *memory, struct bytes answer, bool *hidden);

/* ---- The forms (trace_text.c, trace_pcapng.c) ---- */

/* Bytes as they may be shown. */
struct trace_bytes {
	struct bytes bytes;
	const bool *hidden;
};

/* Where the forms write. */
struct trace_file {
	int fd;
	int fault; /* errno of the first write that failed, or 0 */
	bool secrets;
	int64_t start_us; /* of CLOCK_REALTIME */
	size_t used;
	uint8_t buffer[2 *
		       (TRANSPORT_COMMAND_MAX + TRANSPORT_ANSWER_MAX)]; /* what is being written */
};

/* Appends to the buffer; what does not fit is left out. */
void trace_put(struct trace_file *file, const void *bytes, size_t len);
__attribute__((format(printf, 2, 3))) void trace_print(struct trace_file *file, const char *format,
						       ...);

/* Writes the buffer out in one piece and empties it. */
void trace_flush(struct trace_file *file);

/* One exchange. Times are microseconds since the session began. */
struct trace_exchange {
	int64_t at_us;
	int64_t elapsed_us;
	const char *name; /* of the command */
	struct trace_bytes command;
	struct trace_bytes answer; /* with status word */
	int error;                 /* why there is no answer, or 0 */
};

struct trace_form {
	/* A session begins. */
	void (*start)(struct trace_file *file, const struct card_line *line);
	/* A command is about to be sent; its answer is not there yet. */
	void (*command)(struct trace_file *file, const struct trace_exchange *exchange);
	/* It was answered, or failed. */
	void (*answer)(struct trace_file *file, const struct trace_exchange *exchange);
	/* The card was reset. */
	void (*reset)(struct trace_file *file, int64_t at_us, const struct card_line *line);
};

extern const struct trace_form trace_text;
extern const struct trace_form trace_pcapng;

#endif
