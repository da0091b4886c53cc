/*
 * PC/SC without a service: the functions of libpcsclite, each of which can be made to fail or to
 * hang. A program's own functions come before a library's, so that no unit test reaches a reader.
 */
#ifndef SIMTIE_TEST_FAKE_PCSC_H
#define SIMTIE_TEST_FAKE_PCSC_H

#include <semaphore.h>
#include <stdint.h>
#include <winscard.h>

enum fake_call {
	PCSC_NONE,
	PCSC_ESTABLISH,
	PCSC_LIST,
	PCSC_STATES,
	PCSC_CONNECT,
	PCSC_BEGIN,
	PCSC_RECONNECT,
	PCSC_STATUS,
	PCSC_TRANSMIT,
	PCSC_DISCONNECT,
};

extern struct fake_pcsc {
	enum fake_call failing, hanging;
	LONG result;       /* of the failing call */
	DWORD state;       /* of the reader */
	DWORD next_state;  /* once somebody waits for a change; 0: none comes */
	const char *names; /* each ended by NUL */
	size_t names_len;
	BYTE answer[8];
	DWORD answer_len;

	unsigned contexts; /* established, not released */
	unsigned disconnects;
	DWORD disposition; /* of the last disconnect */
	DWORD protocols;   /* asked for at the last connect */
	DWORD protocol;    /* of the card */
	DWORD pci;         /* protocol of the last transmit */
	BYTE command[8];
	DWORD command_len;
	sem_t hung;    /* posted when a call hangs */
	sem_t let_go;  /* it goes on */
	sem_t release; /* posted with each released context */
} fake_pcsc;

/* A service with one reader, "Reader A", and a T=1 card in it that says 9000. A set-up function. */
int fake_pcsc_start(void **state);

#endif
