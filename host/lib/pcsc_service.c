#include "pcsc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Where libpcsclite looks for the service. */
#define SOCKET_VARIABLE "PCSCLITE_CSOCK_NAME"
#define SOCKET_DEFAULT  "/run/pcscd/pcscd.comm"

/* Room for the names of all readers, whatever SCardListReaders() thinks that it needs: libpcsclite
 * 1.9 keeps the list in a global, where another thread's call can make it longer meanwhile. */
#define NAMES_SIZE (PCSC_READERS_MAX * SIMTIE_READER_NAME_MAX + 1)

int pcsc_error(LONG result)
{
	switch ((DWORD)result) {
	case SCARD_S_SUCCESS:
		return 0;
	case SCARD_E_NO_SERVICE:
	case SCARD_E_SERVICE_STOPPED:
	case SCARD_F_COMM_ERROR:
		return SIMTIE_ERR_SERVICE;
	case SCARD_W_SECURITY_VIOLATION:
		return SIMTIE_ERR_ACCESS;
	case SCARD_E_NO_READERS_AVAILABLE:
	case SCARD_E_UNKNOWN_READER:
	case SCARD_E_READER_UNAVAILABLE:
		return SIMTIE_ERR_NO_READER;
	case SCARD_E_NO_SMARTCARD:
	case SCARD_W_REMOVED_CARD:
		return SIMTIE_ERR_NO_CARD;
	case SCARD_E_SHARING_VIOLATION:
		return SIMTIE_ERR_BUSY;
	case SCARD_W_UNRESPONSIVE_CARD:
	case SCARD_W_UNPOWERED_CARD:
	case SCARD_W_UNSUPPORTED_CARD:
	case SCARD_E_PROTO_MISMATCH:
		return SIMTIE_ERR_MUTE;
	case SCARD_E_NO_MEMORY:
		return SIMTIE_ERR_MEMORY;
	case SCARD_E_TIMEOUT:
		return SIMTIE_ERR_TIMEOUT;
	}
	return SIMTIE_ERR_TRANSPORT;
}

int pcsc_lost(LONG result)
{
	int error = pcsc_error(result);

	switch (error) {
	case SIMTIE_ERR_SERVICE:
	case SIMTIE_ERR_NO_READER:
	case SIMTIE_ERR_NO_CARD:
		return SIMTIE_ERR_GONE;
	}
	/* The service was started anew and knows our handle no more; or the card was reset over our
	 * head: another was put in, or the reader lost power. */
	if (result == (LONG)SCARD_E_INVALID_HANDLE || result == (LONG)SCARD_W_RESET_CARD)
		return SIMTIE_ERR_GONE;
	return error;
}

/* 0 when something accepts connections at the service's socket, else the errno. */
static int knock(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv(SOCKET_VARIABLE);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int fault = 0;

	if (fd < 0)
		return errno;
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path ? path : SOCKET_DEFAULT);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		fault = errno;
	close(fd);
	return fault;
}

/* pcscd 1.9 turns a client away by closing the connection, and a socket that may not be opened
 * looks like no service at all. */
int pcsc_turned_away(void)
{
	int fault = knock();

	return fault == 0 || fault == EACCES || fault == EPERM ? SIMTIE_ERR_ACCESS
							       : SIMTIE_ERR_SERVICE;
}

int pcsc_establish(SCARDCONTEXT *context)
{
	LONG result = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, context);
	int error = pcsc_error(result);

	return error == SIMTIE_ERR_SERVICE ? pcsc_turned_away() : error;
}

static void read_state(const SCARD_READERSTATE *state, struct simtie_reader *reader, bool *in_use)
{
	DWORD event = state->dwEventState;

	reader->card = event & SCARD_STATE_PRESENT;
	reader->mute = event & SCARD_STATE_MUTE;
	reader->busy = event & SCARD_STATE_EXCLUSIVE;
	reader->events = (uint32_t)(event >> 16 & 0xFFFF);
	*in_use = event & (SCARD_STATE_INUSE | SCARD_STATE_EXCLUSIVE);
	reader->atr_len = reader->card && state->cbAtr <= sizeof reader->atr ? state->cbAtr : 0;
	memcpy(reader->atr, state->rgbAtr, reader->atr_len);
}

/* Splits the list of names, each ended by a NUL and the last by two. */
static size_t split(const char *names, SCARD_READERSTATE *states)
{
	size_t count = 0;

	for (; *names && count < PCSC_READERS_MAX; names += strlen(names) + 1)
		states[count++] = (SCARD_READERSTATE){.szReader = names,
						      .dwCurrentState = SCARD_STATE_UNAWARE};
	return count;
}

int pcsc_list(SCARDCONTEXT context, struct pcsc_readers *readers)
{
	SCARD_READERSTATE states[PCSC_READERS_MAX];
	char names[NAMES_SIZE];
	DWORD len = sizeof names;
	LONG result = SCardListReaders(context, NULL, names, &len);

	*readers = (struct pcsc_readers){0};
	if (result == (LONG)SCARD_E_NO_READERS_AVAILABLE)
		return 0;
	if (result != SCARD_S_SUCCESS)
		return pcsc_error(result);
	readers->count = split(names, states);
	result = SCardGetStatusChange(context, 0, states, (DWORD)readers->count);
	if (result != SCARD_S_SUCCESS)
		return pcsc_error(result);
	for (size_t i = 0; i < readers->count; i++) {
		snprintf(readers->reader[i].name, sizeof readers->reader[i].name, "%s",
			 states[i].szReader);
		read_state(&states[i], &readers->reader[i], &readers->in_use[i]);
	}
	return 0;
}
