/*
 * Fuzzes what a modem says: the input is all that it ever will, while a channel is opened, a
 * command goes through it and it is closed.
 *
 * The first byte chooses the way (mod 3). What must hold: no crash, an answer of 2 to 258 bytes,
 * our channel one that a SIM can have, nothing left of the PIN when all is done.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "at.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct at at;

/* A command that is a secret: VERIFY with a PIN. */
static const uint8_t verify[] = {0x00, 0x20, 0x00, 0x01, 0x08, '7', '3',
				 '1',  '9',  '4',  '6',  '2',  '8'};

#define SECRET "3733313934363238"

static void talk(struct deadline deadline)
{
	char detail[SIMTIE_DETAIL_MAX] = "";
	uint8_t answer[258];
	size_t len = 0;
	int error = at_channel_open(&at, deadline, detail);

	if (error == 0 && at.way == AT_WAY_CSIM && (at.channel == 0 || at.channel >= AT_CHANNELS))
		abort();
	if (error == 0)
		error = at_transmit(&at, deadline, bytes_of(verify, sizeof verify), answer,
				    sizeof answer, &len);
	if (error == 0 && (len < 2 || len > sizeof answer))
		abort();
	at_channel_close(&at, deadline);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int ends[2];

	if (size < 1 || size > 4096)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
		abort();
	if (write(ends[1], data + 1, size - 1) != (ssize_t)(size - 1))
		abort();
	shutdown(ends[1], SHUT_WR);
	at.port.fd = ends[0];
	at.way = data[0] % 3;
	at.is_open = false;
	talk(deadline_after(1000));
	/* Unless the modem itself says it, as the name of a session. */
	if (memmem(at.out, sizeof at.out, SECRET, strlen(SECRET)) &&
	    !memmem(data, size, SECRET, strlen(SECRET)))
		abort();
	at_wipe(&at);
	at_port_forget(&at.port);
	close(ends[0]);
	close(ends[1]);
	return 0;
}
