/* The trace as a capture: every block and header in it, read back by the book. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "scripted_transport.h"

#define BLOCKS_MAX 16

enum { SECTION = 0x0A0D0D0A, INTERFACE = 1, PACKET = 6 };

struct capture {
	char folder[64];
	char path[96];
	uint8_t bytes[262144];
	size_t count;
	struct {
		uint32_t type;
		struct bytes body; /* between the two lengths */
	} block[BLOCKS_MAX];
};

static int set_up(void **state)
{
	struct capture *capture = calloc(1, sizeof *capture);

	assert_non_null(capture);
	snprintf(capture->folder, sizeof capture->folder, "/tmp/test_trace.XXXXXX");
	assert_non_null(mkdtemp(capture->folder));
	snprintf(capture->path, sizeof capture->path, "%s/trace.PcapNG", capture->folder);
	*state = capture;
	return 0;
}

static int tear_down(void **state)
{
	struct capture *capture = *state;

	unlink(capture->path);
	rmdir(capture->folder);
	free(capture);
	return 0;
}

static uint32_t u32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof value);
	return value;
}

static uint16_t u16(const uint8_t *bytes)
{
	uint16_t value;

	memcpy(&value, bytes, sizeof value);
	return value;
}

/* Splits the file into blocks, each with its length before and after it. */
static void load(struct capture *capture)
{
	FILE *file = fopen(capture->path, "rb");
	size_t len, at = 0;

	assert_non_null(file);
	len = fread(capture->bytes, 1, sizeof capture->bytes, file);
	fclose(file);
	assert_true(len < sizeof capture->bytes);
	for (capture->count = 0; at < len; capture->count++) {
		const uint8_t *start = capture->bytes + at;
		uint32_t size;

		assert_true(capture->count < BLOCKS_MAX && len - at >= 12);
		size = u32(start + 4);
		assert_true(size >= 12 && size % 4 == 0 && size <= len - at);
		assert_int_equal(u32(start + size - 4), size);
		capture->block[capture->count].type = u32(start);
		capture->block[capture->count].body = bytes_of(start + 8, size - 12);
		at += size;
	}
}

/* Finds an option among those from `at` on; its text is compared if it is there. */
static void expect_option(struct bytes body, size_t at, uint16_t code, const char *text)
{
	for (;;) {
		uint16_t len;

		assert_true(body.len - at >= 4);
		len = u16(body.ptr + at + 2);
		assert_true(len <= body.len - at - 4);
		if (u16(body.ptr + at) == code)
			break;
		assert_int_not_equal(u16(body.ptr + at), 0); /* the end */
		at += 4 + (size_t)(len + 3) / 4 * 4;
	}
	assert_int_equal(u16(body.ptr + at + 2), strlen(text));
	assert_memory_equal(body.ptr + at + 4, text, strlen(text));
}

static void expect_section(const struct capture *capture, size_t i, const char *comment)
{
	struct bytes body = capture->block[i].body;

	assert_int_equal(capture->block[i].type, SECTION);
	assert_int_equal(u32(body.ptr), 0x1A2B3C4D);
	assert_int_equal(u16(body.ptr + 4), 1);
	expect_option(body, 16, 1, comment);
	body = capture->block[i + 1].body;
	assert_int_equal(capture->block[i + 1].type, INTERFACE);
	assert_int_equal(u16(body.ptr), 228); /* IPv4 */
	expect_option(body, 8, 2, "Scripted Reader");
	expect_option(body, 8, 3, "T=0, ATR 3B00");
}

/* The sum of a header with its checksum in it is FFFF (RFC 1071). */
static uint32_t sum(const uint8_t *header, size_t len)
{
	uint32_t total = 0;

	for (size_t i = 0; i < len; i += 2)
		total += get_be16(header + i);
	while (total >> 16)
		total = (total & 0xFFFF) + (total >> 16);
	return total;
}

/* A packet whose payload is `hex`, with that comment. */
static void expect_packet(const struct capture *capture, size_t i, const char *hex,
			  const char *comment)
{
	struct bytes body = capture->block[i].body;
	const uint8_t *ip = body.ptr + 20;
	uint8_t payload[512];
	size_t len = scripted_bytes(hex, payload, sizeof payload), total = 20 + 8 + 16 + len;

	assert_int_equal(capture->block[i].type, PACKET);
	assert_int_equal(u32(body.ptr), 0);
	assert_int_equal(u32(body.ptr + 12), total);
	assert_int_equal(u32(body.ptr + 16), total);
	assert_int_equal(ip[0], 0x45);
	assert_int_equal(get_be16(ip + 2), total);
	assert_int_equal(ip[9], 17);
	assert_int_equal(sum(ip, 20), 0xFFFF);
	assert_int_equal(get_be32(ip + 12), 0x7F000001);
	assert_int_equal(get_be32(ip + 16), 0x7F000001);
	assert_int_equal(get_be16(ip + 22), 4729);
	assert_int_equal(get_be16(ip + 24), total - 20);
	assert_memory_equal(ip + 28, "\x02\x04\x04", 3); /* version 2, four words, SIM */
	assert_memory_equal(ip + 44, payload, len);
	expect_option(body, 20 + (total + 3) / 4 * 4, 1, comment);
}

static struct simtie_session *open_capture(struct capture *capture, struct scripted *script,
					   bool secrets)
{
	const struct simtie_options options = {.trace = capture->path, .trace_secrets = secrets};

	return scripted_session(script, &options);
}

#define BLANKED "Secrets are blanked: their bytes are 2A."

static void packet_for_each_exchange(void **state)
{
	struct capture *capture = *state;
	struct scripted script = SCRIPT("* > 6102", "* > AABB9000", "* > 9000", "* > transport");
	struct simtie_session *session = open_capture(capture, &script, false);
	char out[SCRIPTED_OUT];

	assert_int_equal(scripted_send(session,
				       "00A4040C05F000000001"
				       "00",
				       out),
			 0);
	assert_int_equal(scripted_send(session, "002000010831323334FFFFFFFF", out), 0);
	assert_int_equal(scripted_send(session, "00CABF2000", out), SIMTIE_ERR_TRANSPORT);
	simtie_close(&session);
	load(capture);
	assert_int_equal(capture->count, 6);
	expect_section(capture, 0, BLANKED);
	expect_packet(capture, 2, "00A4040C05F000000001 6102", "SELECT");
	expect_packet(capture, 3, "00C0000002 AABB9000", "GET RESPONSE");
	expect_packet(capture, 4, "0020000108 2A2A2A2A2A2A2A2A 9000", "VERIFY PIN");
	expect_packet(capture, 5, "00CABF2000", simtie_strerror(SIMTIE_ERR_TRANSPORT));
}

static void time_is_kept(void **state)
{
	struct capture *capture = *state;
	struct scripted script = SCRIPT("* > 9000", "* > 9000");
	struct simtie_session *session = open_capture(capture, &script, false);
	char out[SCRIPTED_OUT];
	uint64_t times[2];

	assert_int_equal(scripted_send(session, "00010203", out), 0);
	assert_int_equal(scripted_send(session, "00010203", out), 0);
	simtie_close(&session);
	load(capture);
	for (size_t i = 0; i < 2; i++) {
		const uint8_t *body = capture->block[2 + i].body.ptr;

		times[i] = (uint64_t)u32(body + 4) << 32 | u32(body + 8);
		assert_true(times[i] / 1000000 - (uint64_t)time(NULL) + 60 <= 60);
	}
	assert_true(times[1] >= times[0]);
}

static void reset_begins_a_section(void **state)
{
	struct capture *capture = *state;
	struct scripted script = SCRIPT("* > 9000");
	struct simtie_session *session = open_capture(capture, &script, false);
	char out[SCRIPTED_OUT];

	assert_int_equal(simtie_reset(session), 0);
	assert_int_equal(scripted_send(session, "00010203", out), 0);
	simtie_close(&session);
	load(capture);
	assert_int_equal(capture->count, 5);
	expect_section(capture, 0, BLANKED);
	expect_section(capture, 2, BLANKED);
	expect_packet(capture, 4, "00010203 9000", "unknown command");
}

static void secrets_on_request(void **state)
{
	struct capture *capture = *state;
	struct scripted script = SCRIPT("* > 9000");
	struct simtie_session *session = open_capture(capture, &script, true);
	char out[SCRIPTED_OUT];

	assert_int_equal(scripted_send(session, "002000010831323334FFFFFFFF", out), 0);
	simtie_close(&session);
	load(capture);
	expect_section(
		capture, 0,
		"WARNING: PINs and keys stand in this capture in clear. Delete it when it has "
		"served.");
	expect_packet(capture, 2, "0020000108 31323334FFFFFFFF 9000", "VERIFY PIN");
}

static int huge_transmit(void *state, struct deadline deadline, struct bytes command,
			 uint8_t *answer, size_t size, size_t *answer_len)
{
	(void)state;
	(void)deadline;
	(void)command;
	memset(answer, 0x90, size);
	*answer_len = size;
	return 0;
}

static void huge_close(void *state)
{
	(void)state;
}

/* IPv4 can say 65535 bytes; a packet that would be longer is cut. */
static void huge_exchange_is_cut(void **state)
{
	static const struct transport transport = {.transmit = huge_transmit, .close = huge_close};
	static uint8_t command[65544] = {0x00, 0x01, 0x02, 0x03, 0x00, 0xFF, 0xFF}, out[65536];
	struct capture *capture = *state;
	const struct simtie_options options = {.trace = capture->path};
	struct card_line line = {.protocol = SIMTIE_PROTOCOL_T1};
	struct simtie_session *session;
	size_t len;

	assert_int_equal(session_on((struct link){&transport, NULL}, &line, &options, &session), 0);
	assert_int_equal(
		simtie_transmit_raw(session, command, sizeof command, out, sizeof out, &len), 0);
	simtie_close(&session);
	load(capture);
	assert_int_equal(capture->count, 3);
	assert_int_equal(u32(capture->block[2].body.ptr + 12), 65535);
	assert_int_equal(get_be16(capture->block[2].body.ptr + 22), 65535);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(packet_for_each_exchange, set_up, tear_down),
		cmocka_unit_test_setup_teardown(time_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reset_begins_a_section, set_up, tear_down),
		cmocka_unit_test_setup_teardown(secrets_on_request, set_up, tear_down),
		cmocka_unit_test_setup_teardown(huge_exchange_is_cut, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
