/*
 * For the tests of the examples' language: a run of it, and a card that says what the test wrote
 * down.
 */
#ifndef SIMTIE_TEST_EXAMPLE_BENCH_H
#define SIMTIE_TEST_EXAMPLE_BENCH_H

#include "example.h"

/* A card that gives the answers it was handed and remembers what it was sent. */
struct fake_card {
	const char *answers[8]; /* hexadecimal, status word included */
	unsigned count;
	enum example_way way;
	int error;
	size_t command_len;
	uint8_t command[EXAMPLE_COMMAND_MAX];
};

struct example_bench {
	struct example run;
	struct fake_card card;
};

/* cmocka's; *state is the struct example_bench. */
int example_bench_set_up(void **state);
int example_bench_tear_down(void **state);

/* Begins a run with the fake card. */
void example_bench_start(struct example_bench *bench);

/* Gives it the values of a personalised card, whose PIN is 1234. */
void example_bench_define(struct example *run);

/* Reads one line. */
enum example_result example_bench_read(struct example_bench *bench, const char *line);

/* The line must be that command (hexadecimal), or be refused for that reason. */
void example_bench_reads(struct example_bench *bench, const char *line, const char *command);
void example_bench_refuses(struct example_bench *bench, const char *line, const char *why);

#endif
