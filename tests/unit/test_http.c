/*
 * HTTP as bytes: what is read, and what could be read in two ways and is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http.h"

static struct bytes text(const char *text)
{
	return bytes_of((const uint8_t *)text, strlen(text));
}

static bool is(struct bytes found, const char *expected)
{
	return bytes_equal(found, text(expected));
}

/* The status that a head is refused with; 0: it is good. -1: http_scan() refuses it. */
static int status_of(const char *request, struct http_head *head)
{
	struct http_scan scan = {0};
	const char *why = NULL;
	long len = http_scan(&scan, text(request));
	unsigned status;

	if (len < 0)
		return -1;
	assert_int_equal(len, strlen(request));
	status = http_head(bytes_of((const uint8_t *)request, (size_t)len), head, &why);
	assert_true(status == 0 || why != NULL);
	return (int)status;
}

static void refused(const char *request, int status)
{
	struct http_head head;

	assert_int_equal(status_of(request, &head), status);
}

static void a_request_is_read(void **state)
{
	struct http_head head;

	(void)state;
	assert_int_equal(status_of("POST /v1/a?wait=5 HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: 12\r\n"
				   "Content-Type: application/json\r\nX-Correlator: \t a-b \t\r\n"
				   "Idempotency-Key: k\r\nExpect: 100-continue\r\n\r\n",
				   &head),
			 0);
	assert_true(is(head.method, "POST") && is(head.path, "/v1/a") && is(head.query, "wait=5"));
	assert_true(is(head.content_type, "application/json") && is(head.correlator, "a-b") &&
		    is(head.idempotency, "k"));
	assert_int_equal(head.content_length, 12);
	assert_true(head.keep_alive && head.expects_continue && !head.chunked && !head.old);
}

static void connections_are_kept_by_version_and_wish(void **state)
{
	struct http_head head;

	(void)state;
	status_of("GET / HTTP/1.1\r\nHost: x\r\nConnection: foo , Close\r\n\r\n", &head);
	assert_false(head.keep_alive);
	status_of("GET / HTTP/1.0\r\n\r\n", &head);
	assert_false(head.keep_alive);
	status_of("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &head);
	assert_true(head.keep_alive && head.old);
}

static void two_lengths_are_refused(void **state)
{
	(void)state;
	refused("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: "
		"chunked\r\n\r\n",
		400);
	refused("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		400);
	refused("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
		"Transfer-Encoding: chunked\r\n\r\n",
		400);
	refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
}

static void lengths_are_digits(void **state)
{
	static const char *const wrong[] = {"+1", "-1", "0x1", "1 1", "1a", ""};
	char request[100];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(request, sizeof(request),
			 "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\n", wrong[i]);
		refused(request, 400);
	}
	refused("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999999999\r\n\r\n", 413);
}

static void codings_are_chunked_alone(void **state)
{
	(void)state;
	refused("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501);
	refused("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0b"
		"chunked\r\n\r\n",
		-1);
	refused("POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n\r\n", 415);
	refused("POST / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", 417);
}

static void headers_that_look_like_others_are_refused(void **state)
{
	(void)state;
	refused("POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 1\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nHost: x\r\n Content-Length: 1\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nHost: x\r\nA: b\r\n\tTransfer-Encoding: chunked\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nA: b\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nHost: x\r\nx-correlator: a\r\nX-Correlator: b\r\n\r\n", 400);
}

static void lines_end_in_one_way(void **state)
{
	(void)state;
	refused("GET / HTTP/1.1\nHost: x\n\n", -1);
	refused("GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", -1);
	refused("GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n", -1);
	refused("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", -1);
	refused("GET / HTTP/1.1\r\nHost: \x01\r\n\r\n", -1);
}

static void request_lines_have_one_form(void **state)
{
	(void)state;
	refused("GET /\r\n\r\n", 400);
	refused("GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 505);
	refused("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505);
	refused("GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 505);
	refused("G@T / HTTP/1.1\r\nHost: x\r\n\r\n", 400);
	refused("GET v1 HTTP/1.1\r\nHost: x\r\n\r\n", 400);
	refused("GET /#a HTTP/1.1\r\nHost: x\r\n\r\n", 400);
	refused("GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", 400);
	refused("GET https://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400);
}

static void headers_are_counted(void **state)
{
	char request[2048] = "GET / HTTP/1.1\r\nHost: x\r\n";

	(void)state;
	for (unsigned i = 1; i < HTTP_HEADERS_MAX; i++)
		strcat(request, "a: b\r\n");
	strcat(request, "\r\n");
	refused(request, 0);
	request[strlen(request) - 2] = 0;
	strcat(request, "a: b\r\n\r\n");
	refused(request, 431);
}

static void a_head_may_come_byte_by_byte(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET";
	struct http_scan scan = {0};

	(void)state;
	for (size_t i = 1; i < strlen(request) - 3; i++)
		assert_int_equal(http_scan(&scan, bytes_of((const uint8_t *)request, i)), 0);
	assert_int_equal(http_scan(&scan, text(request)), strlen(request) - 3);
}

/* Decodes in pieces of `piece` bytes, each in memory of its own. Returns the status. */
static unsigned decode(const char *raw, size_t piece, size_t room, char *out, size_t *rest)
{
	struct http_chunks chunks = {0};
	size_t len = strlen(raw), at = 0, have = 0;

	while (at < len && chunks.state != CHUNK_DONE) {
		size_t n = len - at < piece ? len - at : piece, written, taken;
		uint8_t *copy = malloc(n);
		unsigned status;

		assert_non_null(copy);
		memcpy(copy, raw + at, n);
		status = http_chunks(&chunks, bytes_of(copy, n), copy, room - have, &written,
				     &taken);
		assert_true(written <= n && taken <= n);
		memcpy(out + have, copy, written);
		have += written;
		at += taken;
		free(copy);
		if (status)
			return status;
	}
	out[have] = 0;
	*rest = len - at;
	return chunks.state == CHUNK_DONE ? 0 : 1;
}

static void chunks_come_in_any_pieces(void **state)
{
	static const char raw[] = "5\r\nhello\r\n00A;a=\"b\"\r\n, my world\r\n0\r\nA: b\r\n\r\nGET";
	char out[64];
	size_t rest;

	(void)state;
	for (size_t piece = 1; piece < sizeof(raw); piece++) {
		assert_int_equal(decode(raw, piece, 63, out, &rest), 0);
		assert_string_equal(out, "hello, my world");
		assert_int_equal(rest, 3);
	}
}

static void chunks_out_of_order_are_refused(void **state)
{
	static const struct {
		const char *raw;
		unsigned status;
	} wrong[] = {
		{"\r\n", 400},
		{"g\r\n", 400},
		{"-1\r\n", 400},
		{"+1\r\na\r\n0\r\n\r\n", 400},
		{"0x1\r\na\r\n0\r\n\r\n", 400},
		{"1 \r\na\r\n0\r\n\r\n", 400},
		{"1\na\r\n0\r\n\r\n", 400},
		{"1\r\nab\r\n0\r\n\r\n", 400},
		{"1\r\na\n0\r\n\r\n", 400},
		{"1;a\nb\r\na\r\n0\r\n\r\n", 400},
		{"0\r\nA: b\n\r\n", 400},
		{"0\r\n\rX", 400},
		{"fffffff\r\n", 413},
		{"fffffffff\r\n", 413},
		{"41\r\n", 413},
		{"20\r\n01234567890123456789012345678901\r\n21\r\n", 413},
	};
	char out[65];
	size_t rest;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(decode(wrong[i].raw, 1, 64, out, &rest), wrong[i].status);
		assert_int_equal(decode(wrong[i].raw, 100, 64, out, &rest), wrong[i].status);
	}
}

static void what_nobody_reads_is_bounded(void **state)
{
	char *raw = calloc(1, 4096), out[65];
	size_t rest;

	(void)state;
	assert_non_null(raw);
	strcpy(raw, "1;");
	memset(raw + 2, 'x', 2000);
	assert_int_equal(decode(raw, 100, 64, out, &rest), 431);
	strcpy(raw, "0\r\n");
	for (unsigned i = 0; i < 400; i++)
		strcat(raw, "A: b\r\n");
	assert_int_equal(decode(raw, 100, 64, out, &rest), 431);
	free(raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_read),
		cmocka_unit_test(connections_are_kept_by_version_and_wish),
		cmocka_unit_test(two_lengths_are_refused),
		cmocka_unit_test(lengths_are_digits),
		cmocka_unit_test(codings_are_chunked_alone),
		cmocka_unit_test(headers_that_look_like_others_are_refused),
		cmocka_unit_test(lines_end_in_one_way),
		cmocka_unit_test(request_lines_have_one_form),
		cmocka_unit_test(headers_are_counted),
		cmocka_unit_test(a_head_may_come_byte_by_byte),
		cmocka_unit_test(chunks_come_in_any_pieces),
		cmocka_unit_test(chunks_out_of_order_are_refused),
		cmocka_unit_test(what_nobody_reads_is_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
