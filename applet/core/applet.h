/*
 * The card: one struct applet holds everything that it knows while it has power.
 *
 * Owns the journal (all that outlives power), the logical channels, the command chain and the
 * response under way. Refuses to work on a port with a NULL pointer, on memory that journal.h
 * refuses, and, by answering SW_CARD_SHUT to everything, after a failed self-test or random source.
 *
 * No heap, no globals. One applet has one owner; calls must not overlap.
 */
#ifndef SIMTIE_CORE_APPLET_H
#define SIMTIE_CORE_APPLET_H

#include "../crypto/messaging.h"
#include "contract.h"
#include "journal.h"

/* The transmission protocol that the reader chose (ISO/IEC 7816-3): it decides who trims lengths.
 */
enum applet_protocol {
	APPLET_T0,
	APPLET_T1,
};

/* A response APDU. `data` stands in the applet until the next call to it. */
struct answer {
	struct bytes data;
	uint16_t sw;
};

/* A session of SCP03 or SCP11b (GlobalPlatform Amendments D and F): one on the card, bound to a
 * channel. */
enum secure_state {
	SECURE_NONE,
	SECURE_STARTED, /* INITIALIZE UPDATE was answered; only EXTERNAL AUTHENTICATE goes on */
	SECURE_OPEN,
};

struct secure {
	enum secure_state state;
	uint8_t channel;
	uint8_t key_set;                            /* slot of the key set under it */
	uint8_t options;                            /* i */
	struct messaging messaging;                 /* its level counts once it is open */
	uint8_t host_cryptogram[MESSAGING_MAC_MAX]; /* the right one, until it was compared */
};

/* STORE DATA (domain) under way: it, and INSTALL before it, hold until another command comes. */
struct store {
	bool for_attestation; /* INSTALL [for personalisation] named the attestation applet */
	uint8_t block;        /* number of the block that is expected next */
	size_t used;          /* bytes of the blocks before, at the front of `chain` */
};

/* One logical channel. All of it dies with SELECT, close and reset. */
struct channel {
	bool open;
	enum application selected;
	bool verified; /* the PIN was given and has not been used up */
};

struct applet {
	const struct port *port;
	struct journal journal;
	enum applet_protocol protocol;
	enum lifecycle lifecycle;
	uint32_t counter;        /* of the newest attestation; 0 before the first */
	bool shut;               /* self-test or random source failed: nothing works until reset */
	uint8_t random_check[8]; /* fingerprint of the random block before this one */
	struct channel channels[LIMIT_CHANNELS];
	struct secure secure;
	uint8_t status_next; /* entry that GET STATUS gives next */
	struct store store;

	/* Command chaining (ISO/IEC 7816-4 §5.1.1.1): data gathered so far under one header. */
	bool chaining;
	uint8_t chain_header[4];
	size_t chain_used;
	uint8_t chain[LIMIT_COMMAND_DATA];

	/* The response, from `sent` on still to be fetched: by GET RESPONSE, or by the command of
	 * `response_header` again after a 6Cxx. */
	uint8_t response_channel;
	bool response_repeat;
	uint8_t response_header[4];
	uint16_t response_sw;
	size_t response_sent;
	size_t response_len;
	uint8_t response[LIMIT_RESPONSE_DATA];
};

/*
 * Powers the card for the first time: opens the journal on `port` (which must outlive the applet),
 * loads the state and tests the crypto. A failed self-test is no error here: the card is then shut.
 * JOURNAL_OK, or why the memory was refused (journal_open).
 */
enum journal_result applet_open(struct applet *applet, const struct port *port);

/* A cold or warm reset: everything volatile is gone, the self-test runs again. */
void applet_reset(struct applet *applet, enum applet_protocol protocol);

/*
 * Carries out one command APDU of any length and answers it. Everything that must last is durable
 * on return. `command` is not kept. Malformed commands get the status word of ISO/IEC 7816-4.
 */
struct answer applet_transmit(struct applet *applet, struct bytes command);

#endif
