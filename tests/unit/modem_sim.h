/*
 * A modem on a pseudo-terminal, with a card's core for its SIM: 3GPP TS 27.007's +CSIM, and +CCHO,
 * +CGLA and +CCHC if it is told to have them.
 *
 * As strict as a modem: a length that does not fit, a form that no T=0 line carries, a class byte
 * of another channel in a session and MANAGE CHANNEL there are refused with +CME ERROR. It counts
 * what a good guest does not do. Owns pseudo-terminal and thread; the card is its caller's.
 */
#ifndef SIMTIE_TESTS_MODEM_SIM_H
#define SIMTIE_TESTS_MODEM_SIM_H

#include <pthread.h>
#include <signal.h>

#include "applet.h"

/* What goes wrong, from some access to the SIM on. */
enum modem_fault {
	MODEM_WELL,
	MODEM_REFUSES,  /* with +CME ERROR: `cme` */
	MODEM_MUTE,     /* takes the command and says nothing */
	MODEM_GONE,     /* the port vanishes */
	MODEM_HALF,     /* half of an answer, then nothing */
	MODEM_GARBLED,  /* a length that does not fit the response */
	MODEM_ODD,      /* half a byte too much */
	MODEM_NO_HEX,   /* letters that are none */
	MODEM_EMPTY,    /* OK without an answer */
	MODEM_SHORT,    /* not even a status word */
	MODEM_BABBLING, /* one line without end */
};

struct modem_options {
	bool csim, cgla;    /* commands that it has */
	bool stuck_echo;    /* ATE0 changes nothing */
	bool chatty;        /* unsolicited lines around every answer */
	bool fetches;       /* GET RESPONSE by itself */
	bool hex_sessions;  /* as some makers' modems write them */
	bool bare_sessions; /* +CCHO answers without its prefix */
	bool silent_tests;  /* says nothing to AT+...=? */
	bool plain_errors;  /* knows no AT+CMEE */
	unsigned sleepy;    /* commands at first that it answers together, with the one after */
	unsigned chunk;     /* bytes that are written at a time; 0: all */
	unsigned phone;     /* logical channels that the phone opens for itself */
	unsigned slow_ms;   /* that the SIM takes */
	enum modem_fault fault;
	unsigned after; /* accesses that go well before */
	int cme;
};

#define MODEM_LINE_MAX     4096
#define MODEM_SESSIONS_MAX 4

struct modem {
	struct modem_options options;
	struct applet *applet;
	char path[64]; /* of the port */

	/* What was seen. */
	unsigned accesses;   /* to the SIM */
	unsigned refused;    /* accesses of a form that is none */
	unsigned trespasses; /* commands on the phone's channels, but for MANAGE CHANNEL */
	unsigned opened, closed;

	/* Its state. */
	bool echo, numbers;                   /* ATE, AT+CMEE */
	unsigned pending;                     /* answers kept back while it is sleepy */
	uint8_t sessions[MODEM_SESSIONS_MAX]; /* channel of each; 0: none */
	int master, slave;
	int wake[2]; /* a byte ends the thread */
	pthread_t thread;
	bool running;
	size_t used;
	char in[MODEM_LINE_MAX];
};

/* Makes the port and the phone's channels. False: errno says why. */
bool modem_open(struct modem *modem, const struct modem_options *options, struct applet *applet);
void modem_close(struct modem *modem);

/* Serves until modem_stop(), or until `fresh` is called when the signals of `wanted` come: NULL for
 * neither. */
void modem_serve(struct modem *modem, const sigset_t *wanted, void (*fresh)(struct modem *modem));

/* The same in a thread of its own. */
bool modem_start(struct modem *modem);
void modem_stop(struct modem *modem);

/* How many logical channels are open on the card beside the basic one and the phone's own. */
unsigned modem_guests(const struct modem *modem);

#endif
