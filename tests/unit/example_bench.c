#include "example_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t from_hex(const char *hex, uint8_t *bytes)
{
	size_t len = 0;
	unsigned byte;

	for (; hex[2 * len]; len++) {
		assert_int_equal(sscanf(hex + 2 * len, "%2x", &byte), 1);
		bytes[len] = (uint8_t)byte;
	}
	return len;
}

static int fake_transmit(void *context, enum example_way way, struct bytes command, uint8_t *answer,
			 size_t size, size_t *len, uint16_t *sw)
{
	struct fake_card *card = context;

	card->way = way;
	card->command_len = command.len;
	memcpy(card->command, command.ptr, command.len);
	if (card->error)
		return card->error;
	assert_true(card->count < sizeof card->answers / sizeof card->answers[0]);
	const char *hex = card->answers[card->count++];
	assert_non_null(hex);
	assert_true(strlen(hex) / 2 <= size);
	*len = from_hex(hex, answer) - 2;
	*sw = get_be16(answer + *len);
	return 0;
}

void example_bench_start(struct example_bench *bench)
{
	example_start(&bench->run, fake_transmit, &bench->card);
}

int example_bench_set_up(void **state)
{
	struct example_bench *bench = malloc(sizeof *bench);

	if (!bench)
		return -1;
	/* A run begins in memory that holds anything. */
	memset(bench, 0xA5, sizeof *bench);
	memset(&bench->card, 0, sizeof bench->card);
	example_bench_start(bench);
	*state = bench;
	return 0;
}

int example_bench_tear_down(void **state)
{
	free(*state);
	return 0;
}

void example_bench_define(struct example *run)
{
	struct example_values values;

	assert_true(example_values("1234", "12345678", &values));
	assert_true(example_define_values(run, &values));
}

enum example_result example_bench_read(struct example_bench *bench, const char *line)
{
	/* In memory of exactly its size: no read past the end goes unseen. */
	size_t len = strlen(line);
	char *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, line, len);
	enum example_result result = example_read(&bench->run, copy, len);
	free(copy);
	return result;
}

void example_bench_reads(struct example_bench *bench, const char *line, const char *command)
{
	char text[8192];

	assert_int_equal(example_bench_read(bench, line), EXAMPLE_HELD);
	assert_string_equal(example_show_command(&bench->run, true, text, sizeof text), command);
}

void example_bench_refuses(struct example_bench *bench, const char *line, const char *why)
{
	assert_int_equal(example_bench_read(bench, line), EXAMPLE_MALFORMED);
	assert_string_equal(bench->run.text, why);
}
