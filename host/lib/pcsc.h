/*
 * What the transport and the list of readers share of PC/SC: a context, the readers in it, and what
 * its result codes mean. All of these may block for ever: they are for a worker's thread alone.
 */
#ifndef SIMTIE_LIB_PCSC_H
#define SIMTIE_LIB_PCSC_H

#include <winscard.h>

#include "simtie.h"

/* pcscd knows no more readers than this. */
#define PCSC_READERS_MAX 16

/* The readers of one moment. */
struct pcsc_readers {
	size_t count;
	struct simtie_reader reader[PCSC_READERS_MAX];
	bool in_use[PCSC_READERS_MAX]; /* some program is connected to the card */
};

/* Connects to the service. 0, SIMTIE_ERR_SERVICE, SIMTIE_ERR_ACCESS, SIMTIE_ERR_MEMORY. */
int pcsc_establish(SCARDCONTEXT *context);

/* Lists the readers with the state of each; none is no error. */
int pcsc_list(SCARDCONTEXT context, struct pcsc_readers *readers);

/* A result code from before a session stands, or (pcsc_lost) within one, where what is missing has
 * gone. */
int pcsc_error(LONG result);
int pcsc_lost(LONG result);

/* What a broken connection to the service means: SIMTIE_ERR_ACCESS when the service is there and
 * turned us away, else SIMTIE_ERR_SERVICE. */
int pcsc_turned_away(void);

#endif
