/*
 * A SIM behind a modem's AT commands (3GPP TS 27.007), on a logical channel of its own.
 *
 * Two ways lead to it. Where the modem has +CCHO, +CGLA and +CCHC (clauses 8.45, 8.43, 8.46), it
 * opens a channel to the applet by its AID and hands out a session; it alone puts the channel's
 * number into the class byte. Else +CSIM (clause 8.17) passes commands on as they are, MANAGE
 * CHANNEL opens a channel, and its number is put in here. Either way the host's basic channel is
 * that channel, and what the phone has selected on its own stays as it is.
 *
 * Owns the port, the channel, and such further channels as the host opens through it. Refuses
 * commands to any other channel, since the modem has its own work on those, and to reset the SIM,
 * since the phone's connection lives on it: a reset here closes the channel and opens a new one.
 */
#ifndef SIMTIE_LIB_AT_H
#define SIMTIE_LIB_AT_H

#include <signal.h>

#include "at_port.h"

#define AT_SPEED 115200 /* bits a second, unless the name says otherwise */

/* Logical channels that a SIM can have (ETSI TS 102 221 §10.1.1). */
#define AT_CHANNELS 20

/* A +CCHO session, as the modem writes it; some write no number. */
#define AT_SESSION_MAX 33

enum at_way {
	AT_WAY_ANY,
	AT_WAY_CSIM,
	AT_WAY_CGLA,
};

/* +CME ERROR without a number, and plain ERROR. */
#define AT_CME_NONE (-1)

struct at {
	struct at_port port;
	enum at_way way;
	bool is_open;                 /* the channel */
	char session[AT_SESSION_MAX]; /* with +CGLA */
	uint8_t channel;              /* with +CSIM */
	uint32_t further;             /* with +CSIM: a bit for each that the host opened */

	/* For a signal handler: a command goes out; its end has not come. */
	volatile sig_atomic_t sending, waiting;

	bool refused; /* the last command: it was answered, by an error */
	int cme;      /* its number (clause 9.2) */

	size_t out_len, out_dirty, info_len;
	char out[AT_LINE_MAX];      /* the command under way */
	char info[AT_LINE_MAX + 1]; /* the answer's line, without its prefix */
};

/* ---- at_chat.c: a command and its result ---- */

/* Begin a command, and add to it; it ends up in at->out. */
void at_say(struct at *at, const char *text);
void at_add(struct at *at, const char *text);
void at_add_number(struct at *at, size_t number);
void at_add_hex(struct at *at, struct bytes bytes);

/*
 * Sends the command and waits for its result; lines that are nobody's answer are passed over, the
 * echo too. With `prefix`, "+CSIM:", what follows it in the line that begins with it ends up in
 * at->info, which is empty if no line does. 0; when the modem refuses, at_error() of its number,
 * and at->refused is set; SIMTIE_ERR_TIMEOUT, GONE, PROTOCOL. Safe in a signal handler.
 */
int at_chat(struct at *at, struct deadline deadline, const char *prefix);

/* Waits until the modem has done with a command that was left alone. Safe in a signal handler. */
void at_settle(struct at *at, struct deadline deadline);

/* Overwrites command and answer. */
void at_wipe(struct at *at);

/* The error for a number of +CME ERROR, and a sentence for it: what it means, what to do. */
int at_error(int cme);
const char *at_cme_text(int cme);

/* ---- at_sim.c: APDUs ---- */

/* One exchange on the way that at->way says, as it is. */
int at_exchange(struct at *at, struct deadline deadline, struct bytes command, uint8_t *answer,
		size_t size, size_t *answer_len);

/* The same for a command of the host: put on its channel, in the form of a T=0 line. */
int at_transmit(struct at *at, struct deadline deadline, struct bytes command, uint8_t *answer,
		size_t size, size_t *answer_len);

/* Whether a class byte can go on the channel: it is of the basic channel, or of one that the host
 * opened. *mapped is what the SIM gets. */
bool at_class(const struct at *at, uint8_t cla, uint8_t *mapped);

/* ---- at_channel.c ---- */

/* Opens the channel, by the way that at->way says or, for ANY, the better one that there is. An
 * error other than of the port comes with a sentence in `detail`. */
int at_channel_open(struct at *at, struct deadline deadline, char *detail);

/* Closes it, and all further ones. Safe in a signal handler. */
int at_channel_close(struct at *at, struct deadline deadline);

#endif
