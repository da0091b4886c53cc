/*
 * Fuzzes the reader of examples and scripts, and what is shown of their steps.
 *
 * Input: one byte (bit 0: raw; bits 1 and 2: how the card's answer differs from the expected one),
 * then a script. What must hold: no crash, every text ends within its size, and none of them holds
 * the PIN in hexadecimal, wherever the script put it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "example.h"

#define PIN "7319462"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Answers what is expected, or nearly that. */
struct card {
	struct example run;
	unsigned how;
};

static int transmit(void *context, enum example_way way, struct bytes command, uint8_t *answer,
		    size_t size, size_t *len, uint16_t *sw)
{
	const struct card *card = context;
	const struct example_side *expected = &card->run.expected;

	(void)way;
	*len = expected->len >= 2 ? expected->len - 2 : command.len;
	if (*len > size)
		*len = size;
	memcpy(answer, expected->len >= 2 ? expected->bytes : command.ptr, *len);
	*sw = expected->len >= 2 ? get_be16(expected->bytes + *len) : SW_OK;
	if (card->how & 1 && *len > 0)
		answer[*len / 2] ^= 1;
	if (card->how & 2)
		*sw = SW_BYTES_AVAILABLE;
	return *sw == SW_CARD_SHUT ? SIMTIE_ERR_GONE : 0;
}

static void check(const char *text, size_t size, const uint8_t pin[static LIMIT_PIN_SIZE])
{
	char hex[2 * LIMIT_PIN_SIZE + 1];

	for (size_t i = 0; i < LIMIT_PIN_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02X", pin[i]);
	if (strnlen(text, size) == size || strstr(text, hex))
		abort();
}

/* In memory of exactly their size, so that a sanitizer sees every byte too many. */
static void show(const struct example *run, size_t size, const uint8_t *pin)
{
	char *text = malloc(size);
	struct decode_object object;
	struct decode_walk walk;

	check(example_show_command(run, false, text, size), size, pin);
	check(example_show_expected(run, false, text, size), size, pin);
	check(example_show_answer(run, false, text, size), size, pin);
	decode_walk(&walk, run->answered.command, true, bytes_of(run->answer, run->answer_len));
	while (decode_next(&walk, &object) != DECODE_END)
		check(example_show_value(run, &object, false, text, size), size, pin);
	check(run->text, sizeof run->text, pin);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct card card;
	struct example_values values;
	size_t at = 1;

	if (size == 0)
		return 0;
	card.how = data[0] >> 1;
	example_start(&card.run, transmit, &card);
	if (!example_values(PIN, "61850937", &values) ||
	    !example_define_values(&card.run, &values) || !example_define_fixtures(&card.run))
		abort();
	while (at < size) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		size_t len = (size_t)((end ? end : data + size) - (data + at));
		char *line = malloc(len ? len : 1);

		memcpy(line, data + at, len);
		if (example_read(&card.run, line, len) == EXAMPLE_HELD) {
			example_send(&card.run, data[0] & 1);
			show(&card.run, 32 + len % 400, values.pin);
			example_literal_secret(&card.run);
		}
		check(card.run.text, sizeof card.run.text, values.pin);
		free(line);
		at += len + 1;
	}
	return 0;
}
