/*
 * A transport: the way to one card, as four functions.
 *
 * PC/SC and the in-process card are transports; tracing and fault injection are transports around
 * another. Owns the reader, the card and the time that one exchange may take. Refuses to know
 * anything of APDUs: 61xx, 6Cxx, chaining and their bounds are the session's.
 */
#ifndef SIMTIE_LIB_TRANSPORT_H
#define SIMTIE_LIB_TRANSPORT_H

#include "bytes.h"
#include "deadline.h"
#include "simtie.h"

/* Most bytes of a command APDU (7 of header and Lc, 65535, Le) and of a response (65536, SW). */
#define TRANSPORT_COMMAND_MAX 65544
#define TRANSPORT_ANSWER_MAX  65538

/* What a transport says of the card it reached. */
struct card_line {
	char reader[SIMTIE_READER_NAME_MAX];
	enum simtie_protocol protocol; /* T0 or T1 */
	uint8_t atr[SIMTIE_ATR_MAX];
	size_t atr_len;    /* 0 where the way to the card does not tell it */
	bool fetches;      /* who is in between may fetch an answer that no Le asked for */
	bool lent;         /* the basic channel here is another of the card's: numbers of channels
			    * are not the host's to choose */
	bool selected;     /* the applet is selected from the start, the domain never was */
	bool over_the_air; /* whoever is near can listen: what is secret goes into a secure channel
			    */
};

/* What a transport is asked for. */
struct card_request {
	const char *name;              /* what follows the prefix; "" or NULL: no preference */
	enum simtie_protocol protocol; /* ANY, or the only one that will do */
	struct deadline deadline;
	char *detail; /* SIMTIE_DETAIL_MAX bytes, "" beforehand: one sentence on what went wrong */
};

/*
 * Every function returns 0 or a negative enum simtie_error, by the deadline. After
 * SIMTIE_ERR_TIMEOUT and SIMTIE_ERR_GONE only close() may follow. One caller at a time.
 */
struct transport {
	const char *prefix; /* of the names that are its own: "loop:" */

	/* Reaches a card, freshly reset, and takes it for this caller alone. */
	int (*open)(const struct card_request *request, void **state, struct card_line *line);

	/* Sends one command APDU as it is and stores its response, status word included, in
	 * `answer` (room for `size` bytes). A response that does not fit is SIMTIE_ERR_PROTOCOL. */
	int (*transmit)(void *state, struct deadline deadline, struct bytes command,
			uint8_t *answer, size_t size, size_t *answer_len);

	/* Resets the card; *line is brought up to date. */
	int (*reset)(void *state, struct deadline deadline, struct card_line *line);

	/* Lets go of the card and frees the state; bounded in time like the others. */
	void (*close)(void *state);

	/* NULL, or what has to be done when a signal ends the process, wherever it comes: safe in a
	 * signal handler, in time bounded like the others. Only close() may follow. */
	void (*abandon)(void *state);
};

/* A transport in use. */
struct link {
	const struct transport *transport;
	void *state;
};

/* libpcsclite (pcsc.c), and the virtual card in this process (loop.c). */
extern const struct transport transport_pcsc;
extern const struct transport transport_loop;

/* Contactless cards, through libnfc (nfc.c). */
extern const struct transport transport_nfc;
extern const struct transport transport_at; /* a SIM in a modem (at.c) */

/*
 * Opens what `reader` names: the transport whose prefix it begins with, else PC/SC. NULL is "".
 * Everything else in *request is the caller's to set.
 */
int transport_open(const char *reader, struct card_request *request, struct link *link,
		   struct card_line *line);

#endif
