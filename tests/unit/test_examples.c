/*
 * Every example of the contract against the core, in process, at T=1 and T=0; those with a fault
 * too, which no real card lets one inject.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../applet/port/posix/test_issuer.h"
#include "core_card.h"
#include "example.h"

struct bench {
	struct core_card card;
	struct example run;
};

/* One exchange; unless raw, with 61xx and 6Cxx followed as a session would. */
static int transmit_plain(struct core_card *card, bool raw, struct bytes command, uint8_t *out,
			  size_t size, size_t *len, uint16_t *sw)
{
	struct answer answer = applet_transmit(&card->applet, command);
	uint8_t again[LIMIT_COMMAND_DATA + 16];

	*len = 0;
	for (;;) {
		assert_true(answer.data.len <= size - *len);
		if (answer.data.len)
			memcpy(out + *len, answer.data.ptr, answer.data.len);
		*len += answer.data.len;
		*sw = answer.sw;
		if (raw)
			return 0;
		if ((answer.sw & 0xFF00) == SW_BYTES_AVAILABLE) {
			const uint8_t more[] = {command.ptr[0] & 3, INS_GET_RESPONSE, 0, 0,
						(uint8_t)answer.sw};

			answer = applet_transmit(&card->applet, bytes_of(more, sizeof more));
		} else if ((answer.sw & 0xFF00) == SW_WRONG_LE) {
			memcpy(again, command.ptr, command.len);
			again[command.len - 1] = (uint8_t)answer.sw;
			answer = applet_transmit(&card->applet, bytes_of(again, command.len));
		} else {
			return 0;
		}
	}
}

static int transmit(void *context, enum example_way way, struct bytes command, uint8_t *out,
		    size_t size, size_t *len, uint16_t *sw)
{
	struct core_card *card = context;
	const bool select = command.len > 1 && command.ptr[1] == INS_SELECT;
	uint8_t wrapped[LIMIT_COMMAND_DATA + 64];
	size_t wrapped_len;

	if (select)
		scp03_end(&card->scp);
	if (way != EXAMPLE_WAY_SESSION || card->scp.state != SCP03_STATE_OPEN)
		return transmit_plain(card, way == EXAMPLE_WAY_RAW, command, out, size, len, sw);
	assert_int_equal(scp03_wrap(&card->scp, command, wrapped, sizeof wrapped, &wrapped_len),
			 SCP03_OK);
	transmit_plain(card, false, bytes_of(wrapped, wrapped_len), out, size, len, sw);
	assert_int_equal(scp03_unwrap(&card->scp, bytes_of(out, *len), *sw, out, size, len),
			 SCP03_OK);
	return 0;
}

/* Junk in records that the card does not use, until not even a byte more fits. */
static void fill(struct core_card *card)
{
	static uint8_t junk[JOURNAL_VALUE_MAX];
	size_t len = sizeof junk;

	for (uint8_t id = RECORD_LOG; id < RECORD_LOG + LIMIT_LOG_ENTRIES && len > 0;) {
		const struct journal_write write = {id, {junk, len}};

		if (journal_commit(&card->applet.journal, &write, 1) == JOURNAL_OK)
			id++;
		else
			len /= 2;
	}
}

static void inject(struct core_card *card, const char *fault)
{
	if (strcmp(fault, "memory") == 0)
		flash_sim_fail(&card->sim, FLASH_SIM_PROGRAM, 1, ULONG_MAX, FLASH_SIM_UNDONE);
	else if (strcmp(fault, "read") == 0)
		flash_sim_fail(&card->sim, FLASH_SIM_READ, 1, ULONG_MAX, FLASH_SIM_UNDONE);
	else if (strcmp(fault, "random") == 0)
		card->sim.random = FLASH_SIM_RANDOM_STUCK;
	else if (strcmp(fault, "full") == 0)
		fill(card);
	else
		assert_string_equal(fault, "");
}

static void run_steps(struct example *run, const struct example_case *example, const char *steps,
		      bool raw)
{
	char expected[300], got[300];

	if (example_run(run, steps, raw) != EXAMPLE_HELD)
		fail_msg("%s, step %u: %s\nexpected %s\ngot      %s", example->name, run->step,
			 run->text, example_show_expected(run, true, expected, sizeof expected),
			 example_show_answer(run, true, got, sizeof got));
}

/* One step alone, counted from 1. */
static void run_line(struct bench *bench, const struct example_case *example, int number)
{
	const char *line = example->steps;
	char step[1000];

	while (--number > 0)
		line = strchr(line, '\n') + 1;
	snprintf(step, sizeof step, "%.*s", (int)strcspn(line, "\n"), line);
	run_steps(&bench->run, example, step, example->raw);
}

static void run_example(const struct example_case *example, enum applet_protocol protocol)
{
	struct bench *bench = calloc(1, sizeof *bench);
	struct scp03_keys test_keys = {.len = test_issuer.key_len};
	struct example_values values;

	memcpy(test_keys.dek, test_issuer.dek, test_keys.len);
	core_card_init(&bench->card);
	example_start(&bench->run, transmit, &bench->card);
	assert_true(example_values("1234", "87654321", &values));
	assert_true(example_define_values(&bench->run, &values));
	assert_true(example_define_keys(&bench->run, &test_keys));
	core_card_secure(&bench->card, SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC);
	run_steps(&bench->run, example, example_preamble(example->state), false);
	scp03_end(&bench->card.scp);
	applet_reset(&bench->card.applet, protocol);
	if (example->select && example->application == APPLICATION_ATTESTATION)
		core_card_select(&bench->card);
	if (example->secure)
		core_card_secure(&bench->card, example->secure);
	if (strcmp(example->fault, "memory_later") == 0) {
		run_line(bench, example, 1);
		inject(&bench->card, "memory");
		run_line(bench, example, 2);
	} else {
		inject(&bench->card, example->fault);
		run_steps(&bench->run, example, example->steps, example->raw);
	}
	example_wipe(&bench->run);
	core_card_free(&bench->card);
	free(bench);
}

static void run_all(enum applet_protocol protocol)
{
	const char *name = protocol == APPLET_T0 ? "T=0" : "T=1";
	size_t count;
	const struct example_case *all = example_cases(&count);

	assert_true(count > 50);
	for (size_t i = 0; i < count; i++)
		if (!*all[i].protocol || strcmp(all[i].protocol, name) == 0)
			run_example(&all[i], protocol);
}

static void every_example_holds_at_t1(void **state)
{
	(void)state;
	run_all(APPLET_T1);
}

static void every_example_holds_at_t0(void **state)
{
	(void)state;
	run_all(APPLET_T0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_example_holds_at_t1),
		cmocka_unit_test(every_example_holds_at_t0),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
