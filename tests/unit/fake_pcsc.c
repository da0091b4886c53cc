#include "fake_pcsc.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

struct fake_pcsc fake_pcsc;

int fake_pcsc_start(void **state)
{
	static const char names[] = "Reader A\0Reader B";

	(void)state;
	memset(&fake_pcsc, 0, sizeof fake_pcsc);
	fake_pcsc.names = names;
	fake_pcsc.names_len = strlen("Reader A") + 1;
	fake_pcsc.state = SCARD_STATE_PRESENT;
	fake_pcsc.protocol = SCARD_PROTOCOL_T1;
	memcpy(fake_pcsc.answer, "\x90\x00", 2);
	fake_pcsc.answer_len = 2;
	sem_init(&fake_pcsc.hung, 0, 0);
	sem_init(&fake_pcsc.let_go, 0, 0);
	sem_init(&fake_pcsc.release, 0, 0);
	setenv("PCSCLITE_CSOCK_NAME", "/nonexistent/socket", 1);
	return 0;
}

static LONG call(enum fake_call which)
{
	if (fake_pcsc.hanging == which) {
		sem_post(&fake_pcsc.hung);
		while (sem_wait(&fake_pcsc.let_go) != 0)
			continue;
	}
	return fake_pcsc.failing == which ? fake_pcsc.result : SCARD_S_SUCCESS;
}

LONG SCardEstablishContext(DWORD scope, LPCVOID one, LPCVOID two, LPSCARDCONTEXT context)
{
	LONG result = call(PCSC_ESTABLISH);

	(void)scope;
	(void)one;
	(void)two;
	if (result == SCARD_S_SUCCESS)
		fake_pcsc.contexts++;
	*context = 1;
	return result;
}

LONG SCardReleaseContext(SCARDCONTEXT context)
{
	(void)context;
	fake_pcsc.contexts--;
	sem_post(&fake_pcsc.release);
	return SCARD_S_SUCCESS;
}

LONG SCardListReaders(SCARDCONTEXT context, LPCSTR groups, LPSTR names, LPDWORD len)
{
	LONG result = call(PCSC_LIST);

	(void)context;
	(void)groups;
	assert_true(*len > fake_pcsc.names_len);
	if (result == SCARD_S_SUCCESS && fake_pcsc.names_len == 0)
		return (LONG)SCARD_E_NO_READERS_AVAILABLE;
	memcpy(names, fake_pcsc.names, fake_pcsc.names_len);
	names[fake_pcsc.names_len] = '\0';
	*len = (DWORD)fake_pcsc.names_len + 1;
	return result;
}

LONG SCardGetStatusChange(SCARDCONTEXT context, DWORD timeout, SCARD_READERSTATE *states,
			  DWORD count)
{
	LONG result = call(PCSC_STATES);

	(void)context;
	if (result != SCARD_S_SUCCESS)
		return result;
	if (timeout > 0) {
		if (fake_pcsc.next_state == 0)
			return (LONG)SCARD_E_TIMEOUT;
		fake_pcsc.state = fake_pcsc.next_state;
	}
	for (DWORD i = 0; i < count; i++) {
		states[i].dwEventState = fake_pcsc.state;
		states[i].cbAtr = fake_pcsc.state & SCARD_STATE_PRESENT ? 2 : 0;
		memcpy(states[i].rgbAtr, "\x3B\x00", 2);
	}
	return SCARD_S_SUCCESS;
}

LONG SCardConnect(SCARDCONTEXT context, LPCSTR reader, DWORD mode, DWORD protocols,
		  LPSCARDHANDLE card, LPDWORD protocol)
{
	(void)context;
	(void)reader;
	assert_int_equal(mode, SCARD_SHARE_SHARED);
	fake_pcsc.protocols = protocols;
	*card = 7;
	*protocol = fake_pcsc.protocol;
	return call(PCSC_CONNECT);
}

LONG SCardBeginTransaction(SCARDHANDLE card)
{
	(void)card;
	return call(PCSC_BEGIN);
}

LONG SCardReconnect(SCARDHANDLE card, DWORD mode, DWORD protocols, DWORD initialization,
		    LPDWORD protocol)
{
	(void)card;
	assert_int_equal(mode, SCARD_SHARE_SHARED);
	assert_int_equal(protocols, fake_pcsc.protocols);
	assert_int_equal(initialization, SCARD_RESET_CARD);
	*protocol = fake_pcsc.protocol;
	return call(PCSC_RECONNECT);
}

LONG SCardStatus(SCARDHANDLE card, LPSTR name, LPDWORD name_len, LPDWORD state, LPDWORD protocol,
		 LPBYTE atr, LPDWORD atr_len)
{
	(void)card;
	(void)name;
	(void)name_len;
	*state = 0;
	*protocol = fake_pcsc.protocol;
	memcpy(atr, "\x3B\x00", 2);
	*atr_len = 2;
	return call(PCSC_STATUS);
}

LONG SCardTransmit(SCARDHANDLE card, const SCARD_IO_REQUEST *pci, LPCBYTE command,
		   DWORD command_len, SCARD_IO_REQUEST *received, LPBYTE answer, LPDWORD answer_len)
{
	LONG result = call(PCSC_TRANSMIT);

	(void)card;
	(void)received;
	fake_pcsc.pci = (DWORD)pci->dwProtocol;
	fake_pcsc.command_len = command_len;
	memcpy(fake_pcsc.command, command,
	       command_len < sizeof fake_pcsc.command ? command_len : sizeof fake_pcsc.command);
	memcpy(answer, fake_pcsc.answer, fake_pcsc.answer_len);
	*answer_len = fake_pcsc.answer_len;
	return result;
}

LONG SCardDisconnect(SCARDHANDLE card, DWORD disposition)
{
	(void)card;
	fake_pcsc.disconnects++;
	fake_pcsc.disposition = disposition;
	return call(PCSC_DISCONNECT);
}
