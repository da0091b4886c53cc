/*
 * Through the examples, in an order that spares cards.
 */
#include "conformance.h"

#include "exchange.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

#define SHOWN 240 /* characters of one side of an exchange */

#define RANKS 5

/* Like an example that counts attestations of a personalised card. */
const struct example_case conformance_check = {
	.command = "CHECK",
	.name = "attestation_verifies",
	.state = EXAMPLE_PERSONALISED,
	.effect = EXAMPLE_EFFECT_COUNTS,
	.fault = "",
	.protocol = "",
	.select = true,
	.application = APPLICATION_ATTESTATION,
	.steps = "{pin}",
};

/* When an example's turn is: what leaves a card as it was comes first. New cards in the process
 * cost nothing, and the contract's own order reads best. */
static unsigned rank(const struct conformance *conf, const struct example_case *example)
{
	const bool lasting = example->effect == EXAMPLE_EFFECT_LASTING;

	if (conf->supply == SUPPLY_LOOP)
		return 0;
	if (example->state == EXAMPLE_FACTORY)
		return lasting ? 1 : 0;
	if (conf->supply == SUPPLY_COMMAND)
		return lasting ? 4 : 2;
	return lasting ? 3 : example->effect == EXAMPLE_EFFECT_COUNTS ? 4 : 2;
}

void conformance_difference(const struct example *run, char *text, size_t size)
{
	char command[SHOWN], expected[SHOWN], got[SHOWN];

	snprintf(text, size, "step %u: %s; sent %s, expected %s, got %s", run->step, run->text,
		 example_show_command(run, false, command, sizeof command),
		 example_show_expected(run, false, expected, sizeof expected),
		 example_show_answer(run, false, got, sizeof got));
}

/* Commands this short get a length byte from a T=0 line (ISO/IEC 7816-3 §10.3.2), so that the card
 * sees another command than the example's. */
static bool line_adds_length(const struct conformance *conf, const struct example_case *example)
{
	const char *line = example->steps;

	if (!example->raw || conf->protocol != SIMTIE_PROTOCOL_T0 || conf->supply == SUPPLY_LOOP)
		return false;
	while (*line) {
		if (strcspn(line, ">") < 2 * 5)
			return true;
		line += strcspn(line, "\n") + 1;
	}
	return false;
}

/* Keeps what went wrong; at T=0 that may be no fault of the card. */
static void note_failure(struct conformance *conf, const struct example_case *example,
			 enum example_result came, struct conformance_result *result)
{
	const struct example *run = conf->run;
	size_t used = 0;

	result->outcome = CONFORMANCE_FAILED;
	if ((came == EXAMPLE_DIFFERED || run->error == SIMTIE_ERR_TRANSPORT) &&
	    line_adds_length(conf, example)) {
		result->outcome = CONFORMANCE_SKIPPED;
		used = (size_t)snprintf(result->text, sizeof result->text,
					"a T=0 line adds a length to commands of 4 bytes, and "
					"carries no shorter ones: ");
	}
	if (came == EXAMPLE_DIFFERED)
		conformance_difference(run, result->text + used, sizeof result->text - used);
	else
		snprintf(result->text + used, sizeof result->text - used, "step %u: %s", run->step,
			 run->text);
}

/* For the examples that put keys on the card; they have a channel open. */
static void define_keys(struct conformance *conf)
{
	struct scp03_keys current = channel_set(&conf->channel.keys);

	if (current.len)
		example_define_keys(conf->run, &current);
	bytes_wipe(&current, sizeof current);
}

/* Sends the steps. A session that died of them is found out by conformance_card_after(), or a new
 * card makes up for it. */
static void send(struct conformance *conf, const struct example_case *example,
		 struct conformance_result *result)
{
	struct example *run = conf->run;

	example_start(run, exchange_transmit, conf->session);
	run->application = example->application;
	example_define_values(run, &conf->values);
	define_keys(conf);
	enum example_result came = example_run(run, example->steps, example->raw);
	if (came == EXAMPLE_HELD)
		result->outcome = CONFORMANCE_PASSED;
	else
		note_failure(conf, example, came, result);
}

/* Why no card could run it here; NULL: one might. */
static const char *left_out(const struct conformance *conf, const struct example_case *example)
{
	const enum simtie_protocol protocol = example_protocol(example);

	if (example->fault[0])
		return "needs memory or random source to fail, which no card can be told to do";
	if (conformance_modem_forbids(conf, example))
		return conformance_modem_forbids(conf, example);
	if (protocol != SIMTIE_PROTOCOL_ANY && protocol != conf->protocol)
		return protocol == SIMTIE_PROTOCOL_T1 ? "holds at T=1 alone; --protocol T=1"
						      : "holds at T=0 alone; --protocol T=0";
	return NULL;
}

/* An interrupt waits until the card has its tries back. The library's threads take no signals. */
static void hold_signals(sigset_t *before)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGHUP);
	sigprocmask(SIG_BLOCK, &held, before);
}

typedef void run_body(struct conformance *conf, const struct example_case *example,
		      struct conformance_result *result);

/* Gets the card ready, runs `body`, sees to the card. False: the run cannot go on. */
static bool run_one(struct conformance *conf, const struct example_case *example, run_body *body,
		    struct conformance_result *result, char *text, int *error)
{
	sigset_t before;
	bool go_on;

	switch (conformance_card_ready(conf, example, result->text, error)) {
	case READY:
		break;
	case NOT_READY:
		result->outcome = CONFORMANCE_SKIPPED;
		return true;
	case UNFIT:
		result->outcome = CONFORMANCE_FAILED;
		return true;
	case BROKEN_OFF:
		result->outcome = CONFORMANCE_FAILED;
		snprintf(text, CONFORMANCE_TEXT_MAX, "%s", result->text);
		if (!result->text[0])
			snprintf(result->text, sizeof result->text, "%s", simtie_strerror(*error));
		return false;
	}
	result->text[0] = '\0';
	hold_signals(&before);
	body(conf, example, result);
	go_on = conformance_card_after(conf, example, result->outcome, text, error) == READY;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return go_on;
}

static void attest(struct conformance *conf, const struct example_case *example,
		   struct conformance_result *result)
{
	(void)example;
	if (conf->has_key) {
		result->outcome = conformance_attest(conf, result->text);
		return;
	}
	result->outcome = CONFORMANCE_SKIPPED;
	snprintf(result->text, sizeof result->text, "needs the card's record: give --record");
}

/* One result, timed and printed. False: the run cannot go on. */
static bool run_timed(struct conformance *conf, const struct example_case *example, run_body *body,
		      char *text, int *error)
{
	struct conformance_result *result = &conf->results[conf->count];
	struct timespec start, end;
	bool go_on = true;

	*result = (struct conformance_result){.group = example->command, .name = example->name};
	*error = 0;
	text[0] = '\0';
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (left_out(conf, example)) {
		result->outcome = CONFORMANCE_SKIPPED;
		snprintf(result->text, sizeof result->text, "%s", left_out(conf, example));
	} else {
		go_on = run_one(conf, example, body, result, text, error);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	result->seconds =
		(double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
	conf->count++;
	conformance_print(conf, result);
	return go_on;
}

int conformance_run(struct conformance *conf, char *text)
{
	size_t count;
	const struct example_case *cases = example_cases(&count);
	int error = 0;

	for (unsigned turn = 0; turn < RANKS; turn++)
		for (size_t i = 0; i < count; i++)
			if (rank(conf, &cases[i]) == turn &&
			    conformance_wanted(conf, cases[i].command, cases[i].name) &&
			    !run_timed(conf, &cases[i], send, text, &error))
				return error;
	if (conformance_wanted(conf, conformance_check.command, conformance_check.name) &&
	    !run_timed(conf, &conformance_check, attest, text, &error))
		return error;
	return 0;
}
