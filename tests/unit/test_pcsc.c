/* PC/SC as it fails: each fault has its error, and a call that never returns holds nobody up. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_pcsc.h"
#include "simtie.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int open_within(unsigned ms, struct simtie_session **session)
{
	const struct simtie_options options = {.timeout_ms = ms};

	return simtie_open(&options, session);
}

static int transmit(struct simtie_session *session)
{
	static const uint8_t command[] = {0x00, 0xCA, 0x01, 0x02};
	uint8_t out[16];
	size_t len;

	return simtie_transmit(session, command, sizeof command, out, sizeof out, &len);
}

static void opens_and_closes(void **state)
{
	struct simtie_session *session;
	size_t len;

	(void)state;
	assert_int_equal(simtie_open(NULL, &session), 0);
	assert_string_equal(simtie_session_reader(session), "Reader A");
	assert_int_equal(simtie_session_protocol(session), SIMTIE_PROTOCOL_T1);
	assert_memory_equal(simtie_session_atr(session, &len), "\x3B\x00", 2);
	assert_int_equal(len, 2);
	assert_int_equal(fake_pcsc.protocols, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1);
	assert_int_equal(transmit(session), 0);
	assert_int_equal(fake_pcsc.pci, SCARD_PROTOCOL_T1);
	assert_int_equal(fake_pcsc.command_len, 4);
	assert_memory_equal(fake_pcsc.command, "\x00\xCA\x01\x02", 4);
	fake_pcsc.protocol = SCARD_PROTOCOL_T0;
	assert_int_equal(simtie_reset(session), 0);
	assert_int_equal(simtie_session_protocol(session), SIMTIE_PROTOCOL_T0);
	assert_int_equal(transmit(session), 0);
	assert_int_equal(fake_pcsc.pci, SCARD_PROTOCOL_T0);
	simtie_close(&session);
	assert_int_equal(fake_pcsc.disconnects, 1);
	assert_int_equal(fake_pcsc.disposition, SCARD_RESET_CARD);
	assert_int_equal(fake_pcsc.contexts, 0);
}

static void protocol_asked_for(void **state)
{
	static const DWORD wanted[] = {
		[SIMTIE_PROTOCOL_T0] = SCARD_PROTOCOL_T0,
		[SIMTIE_PROTOCOL_T1] = SCARD_PROTOCOL_T1,
	};

	(void)state;
	for (unsigned i = SIMTIE_PROTOCOL_T0; i <= SIMTIE_PROTOCOL_T1; i++) {
		const struct simtie_options options = {.protocol = (enum simtie_protocol)i};
		struct simtie_session *session;

		assert_int_equal(simtie_open(&options, &session), 0);
		assert_int_equal(fake_pcsc.protocols, wanted[i]);
		simtie_close(&session);
	}
}

static void each_fault_while_opening(void **state)
{
	static const struct {
		enum fake_call call;
		DWORD result;
		int error;
	} rows[] = {
		{PCSC_ESTABLISH, SCARD_E_NO_SERVICE, SIMTIE_ERR_SERVICE},
		{PCSC_ESTABLISH, SCARD_F_COMM_ERROR, SIMTIE_ERR_SERVICE},
		{PCSC_ESTABLISH, SCARD_W_SECURITY_VIOLATION, SIMTIE_ERR_ACCESS},
		{PCSC_ESTABLISH, SCARD_E_NO_MEMORY, SIMTIE_ERR_MEMORY},
		{PCSC_LIST, SCARD_E_NO_SERVICE, SIMTIE_ERR_SERVICE},
		{PCSC_LIST, SCARD_E_NO_READERS_AVAILABLE, SIMTIE_ERR_NO_READER},
		{PCSC_STATES, SCARD_E_UNKNOWN_READER, SIMTIE_ERR_NO_READER},
		{PCSC_CONNECT, SCARD_E_NO_SMARTCARD, SIMTIE_ERR_NO_CARD},
		{PCSC_CONNECT, SCARD_W_REMOVED_CARD, SIMTIE_ERR_NO_CARD},
		{PCSC_CONNECT, SCARD_E_SHARING_VIOLATION, SIMTIE_ERR_BUSY},
		{PCSC_CONNECT, SCARD_W_UNRESPONSIVE_CARD, SIMTIE_ERR_MUTE},
		{PCSC_CONNECT, SCARD_W_UNPOWERED_CARD, SIMTIE_ERR_MUTE},
		{PCSC_CONNECT, SCARD_E_PROTO_MISMATCH, SIMTIE_ERR_MUTE},
		{PCSC_CONNECT, SCARD_E_UNKNOWN_READER, SIMTIE_ERR_NO_READER},
		{PCSC_CONNECT, SCARD_E_READER_UNAVAILABLE, SIMTIE_ERR_NO_READER},
		{PCSC_CONNECT, SCARD_W_SECURITY_VIOLATION, SIMTIE_ERR_ACCESS},
		{PCSC_CONNECT, SCARD_F_COMM_ERROR, SIMTIE_ERR_SERVICE},
		{PCSC_CONNECT, SCARD_F_INTERNAL_ERROR, SIMTIE_ERR_TRANSPORT},
		{PCSC_BEGIN, SCARD_W_REMOVED_CARD, SIMTIE_ERR_NO_CARD},
		{PCSC_RECONNECT, SCARD_W_UNRESPONSIVE_CARD, SIMTIE_ERR_MUTE},
		{PCSC_STATUS, SCARD_E_NO_SMARTCARD, SIMTIE_ERR_NO_CARD},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct simtie_session *session;

		fake_pcsc.failing = rows[i].call;
		fake_pcsc.result = (LONG)rows[i].result;
		assert_int_equal(simtie_open(NULL, &session), rows[i].error);
		assert_null(session);
		assert_int_equal(fake_pcsc.contexts, 0);
	}
}

static void empty_reader(void **state)
{
	struct simtie_session *session;

	(void)state;
	fake_pcsc.state = SCARD_STATE_EMPTY;
	assert_int_equal(simtie_open(NULL, &session), SIMTIE_ERR_NO_CARD);
	assert_int_equal(fake_pcsc.contexts, 0);
}

/* pcscd 1.9 closes the connection of a user whom it does not serve. */
static void service_that_turns_us_away(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct simtie_session *session;
	char folder[] = "/tmp/test_pcsc.XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", folder);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	setenv("PCSCLITE_CSOCK_NAME", address.sun_path, 1);
	fake_pcsc.failing = PCSC_ESTABLISH;
	fake_pcsc.result = (LONG)SCARD_F_COMM_ERROR;
	assert_int_equal(simtie_open(NULL, &session), SIMTIE_ERR_SERVICE); /* nobody listens */
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(simtie_open(NULL, &session), SIMTIE_ERR_ACCESS);
	fake_pcsc.result = (LONG)SCARD_E_NO_SERVICE;
	assert_int_equal(simtie_open(NULL, &session), SIMTIE_ERR_ACCESS);
	fake_pcsc.failing = PCSC_CONNECT;
	fake_pcsc.result = (LONG)SCARD_F_COMM_ERROR;
	assert_int_equal(simtie_open(NULL, &session), SIMTIE_ERR_ACCESS);
	close(fd);
	unlink(address.sun_path);
	rmdir(folder);
}

static void each_fault_within_a_session(void **state)
{
	static const struct {
		DWORD result, next_state;
		int error;
	} rows[] = {
		{SCARD_W_REMOVED_CARD, 0, SIMTIE_ERR_GONE},
		{SCARD_E_NO_SMARTCARD, 0, SIMTIE_ERR_GONE},
		{SCARD_E_READER_UNAVAILABLE, 0, SIMTIE_ERR_GONE},
		{SCARD_E_NO_SERVICE, 0, SIMTIE_ERR_GONE},
		{SCARD_F_COMM_ERROR, 0, SIMTIE_ERR_GONE},
		{SCARD_E_INVALID_HANDLE, 0, SIMTIE_ERR_GONE},
		{SCARD_W_RESET_CARD, 0, SIMTIE_ERR_GONE},
		{SCARD_E_INSUFFICIENT_BUFFER, 0, SIMTIE_ERR_PROTOCOL},
		/* A failed exchange is the line's fault, unless the card turns out to be gone. */
		{SCARD_E_NOT_TRANSACTED, 0, SIMTIE_ERR_TRANSPORT},
		{SCARD_E_NOT_TRANSACTED, SCARD_STATE_PRESENT, SIMTIE_ERR_TRANSPORT},
		{SCARD_E_NOT_TRANSACTED, SCARD_STATE_EMPTY, SIMTIE_ERR_GONE},
		{SCARD_E_NOT_TRANSACTED, SCARD_STATE_UNAVAILABLE, SIMTIE_ERR_GONE},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct simtie_session *session;

		fake_pcsc_start(NULL);
		assert_int_equal(simtie_open(NULL, &session), 0);
		fake_pcsc.failing = PCSC_TRANSMIT;
		fake_pcsc.result = (LONG)rows[i].result;
		fake_pcsc.next_state = rows[i].next_state;
		assert_int_equal(transmit(session), rows[i].error);
		fake_pcsc.failing = PCSC_NONE;
		assert_int_equal(transmit(session),
				 rows[i].error == SIMTIE_ERR_GONE ? SIMTIE_ERR_GONE : 0);
		simtie_close(&session);
		assert_int_equal(fake_pcsc.contexts, 0);
	}
}

/* What vpcd says when its card leaves in the middle of an exchange. */
static void empty_answer(void **state)
{
	struct simtie_session *session;

	(void)state;
	assert_int_equal(simtie_open(NULL, &session), 0);
	fake_pcsc.answer_len = 0;
	assert_int_equal(transmit(session), SIMTIE_ERR_PROTOCOL);
	fake_pcsc.next_state = SCARD_STATE_EMPTY;
	assert_int_equal(transmit(session), SIMTIE_ERR_GONE);
	simtie_close(&session);
}

static void reset_that_fails(void **state)
{
	struct simtie_session *session;

	(void)state;
	assert_int_equal(simtie_open(NULL, &session), 0);
	fake_pcsc.failing = PCSC_RECONNECT;
	fake_pcsc.result = (LONG)SCARD_W_UNRESPONSIVE_CARD;
	assert_int_equal(simtie_reset(session), SIMTIE_ERR_MUTE);
	fake_pcsc.result = (LONG)SCARD_E_NO_SMARTCARD;
	assert_int_equal(simtie_reset(session), SIMTIE_ERR_GONE);
	assert_int_equal(transmit(session), SIMTIE_ERR_GONE);
	simtie_close(&session);
}

/* Lets the abandoned call return and waits until it has given its context back. */
static void let_go(void)
{
	assert_int_equal(sem_wait(&fake_pcsc.hung), 0);
	assert_int_equal(fake_pcsc.contexts, 1);
	sem_post(&fake_pcsc.let_go);
	assert_int_equal(sem_wait(&fake_pcsc.release), 0);
	assert_int_equal(fake_pcsc.contexts, 0);
}

static void calls_that_hang_while_opening(void **state)
{
	static const struct {
		enum fake_call call;
		DWORD state;
		int error;
	} rows[] = {
		{PCSC_LIST, 0, SIMTIE_ERR_SERVICE},
		{PCSC_STATES, 0, SIMTIE_ERR_SERVICE},
		/* Another program is at the card, and that is what we wait for. */
		{PCSC_CONNECT, SCARD_STATE_INUSE, SIMTIE_ERR_BUSY},
		{PCSC_BEGIN, SCARD_STATE_INUSE, SIMTIE_ERR_BUSY},
		{PCSC_CONNECT, 0, SIMTIE_ERR_TIMEOUT},
		{PCSC_RECONNECT, 0, SIMTIE_ERR_TIMEOUT},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct simtie_session *session;

		fake_pcsc_start(NULL);
		fake_pcsc.hanging = rows[i].call;
		fake_pcsc.state |= rows[i].state;
		assert_int_equal(open_within(30, &session), rows[i].error);
		assert_null(session);
		let_go();
	}
}

static void transmit_that_hangs(void **state)
{
	struct simtie_session *session;

	(void)state;
	assert_int_equal(open_within(30, &session), 0);
	fake_pcsc.hanging = PCSC_TRANSMIT;
	assert_int_equal(transmit(session), SIMTIE_ERR_TIMEOUT);
	assert_int_equal(transmit(session), SIMTIE_ERR_TIMEOUT);
	assert_int_equal(simtie_reset(session), SIMTIE_ERR_TIMEOUT);
	simtie_close(&session); /* does not wait for it */
	assert_null(session);
	let_go();
	assert_int_equal(fake_pcsc.disconnects, 0);
}

static void service_that_hangs_for_lists(void **state)
{
	struct simtie_reader *readers;
	size_t count;

	(void)state;
	fake_pcsc.hanging = PCSC_LIST;
	assert_int_equal(simtie_readers_wait(NULL, 0, 10), SIMTIE_ERR_TIMEOUT);
	let_go();
	fake_pcsc.hanging = PCSC_NONE;
	assert_int_equal(simtie_readers(&readers, &count), 0);
	free(readers);
}

static void list_of_readers(void **state)
{
	struct simtie_reader *readers;
	size_t count;

	(void)state;
	fake_pcsc.names_len = 2 * (strlen("Reader A") + 1);
	fake_pcsc.state = SCARD_STATE_PRESENT | SCARD_STATE_MUTE | SCARD_STATE_EXCLUSIVE | 5 << 16;
	assert_int_equal(simtie_readers(&readers, &count), 0);
	assert_int_equal(count, 2);
	assert_string_equal(readers[0].name, "Reader A");
	assert_string_equal(readers[1].name, "Reader B");
	assert_true(readers[1].card && readers[1].mute && readers[1].busy);
	assert_int_equal(readers[1].events, 5);
	assert_int_equal(readers[1].atr_len, 2);
	free(readers);
	fake_pcsc.names_len = 0;
	assert_int_equal(simtie_readers(&readers, &count), 0);
	assert_int_equal(count, 0);
	assert_null(readers);
	fake_pcsc.failing = PCSC_ESTABLISH;
	fake_pcsc.result = (LONG)SCARD_E_NO_SERVICE;
	assert_int_equal(simtie_readers(&readers, &count), SIMTIE_ERR_SERVICE);
	assert_int_equal(fake_pcsc.contexts, 0);
}

static void waiting_for_a_change(void **state)
{
	struct simtie_reader *readers;
	size_t count;

	(void)state;
	assert_int_equal(simtie_readers(&readers, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(simtie_readers_wait(readers, count, 1000), SIMTIE_ERR_TIMEOUT);
	fake_pcsc.next_state = SCARD_STATE_EMPTY; /* taken out while we wait */
	assert_int_equal(simtie_readers_wait(readers, count, 1000), 0);
	fake_pcsc.next_state = 0; /* and before we wait */
	assert_int_equal(simtie_readers_wait(readers, count, 1000), 0);
	fake_pcsc.state = SCARD_STATE_PRESENT | 2 << 16; /* out and in again */
	assert_int_equal(simtie_readers_wait(readers, count, 1000), 0);
	fake_pcsc.state = SCARD_STATE_PRESENT;
	fake_pcsc.names_len = 2 * (strlen("Reader A") + 1); /* another reader */
	assert_int_equal(simtie_readers_wait(readers, count, 1000), 0);
	assert_int_equal(simtie_readers_wait(readers, 17, 1000), SIMTIE_ERR_ARGUMENT);
	free(readers);
	assert_int_equal(fake_pcsc.contexts, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(opens_and_closes, fake_pcsc_start),
		cmocka_unit_test_setup(protocol_asked_for, fake_pcsc_start),
		cmocka_unit_test_setup(each_fault_while_opening, fake_pcsc_start),
		cmocka_unit_test_setup(empty_reader, fake_pcsc_start),
		cmocka_unit_test_setup(service_that_turns_us_away, fake_pcsc_start),
		cmocka_unit_test_setup(each_fault_within_a_session, fake_pcsc_start),
		cmocka_unit_test_setup(empty_answer, fake_pcsc_start),
		cmocka_unit_test_setup(reset_that_fails, fake_pcsc_start),
		cmocka_unit_test_setup(calls_that_hang_while_opening, fake_pcsc_start),
		cmocka_unit_test_setup(transmit_that_hangs, fake_pcsc_start),
		cmocka_unit_test_setup(service_that_hangs_for_lists, fake_pcsc_start),
		cmocka_unit_test_setup(list_of_readers, fake_pcsc_start),
		cmocka_unit_test_setup(waiting_for_a_change, fake_pcsc_start),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
