/*
 * What a person, or a program, sees while a tray is provisioned.
 *
 * On a terminal: a line a reader and a bar for the whole tray, drawn over themselves; what happened
 * to each card scrolls by above. Elsewhere: a plain line a card. With json: one object a line.
 */
#include "provision.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

#define BAR_WIDTH 30
#define CLEAR_EOL "\033[K"

struct reader_line {
	char iccid[PROVISION_ICCID_SIZE];
	enum provision_step step;
	size_t done;
};

struct progress {
	pthread_mutex_t mutex;
	const struct provision_plan *plan;
	bool json;
	bool terminal;
	size_t done, failed;
	struct timespec began; /* monotonic */
	unsigned drawn;        /* lines on the terminal that are drawn over */
	struct reader_line readers[PROVISION_READERS_MAX];
};

static double seconds_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

static double per_minute(size_t done, double seconds)
{
	return seconds > 0 ? 60.0 * (double)done / seconds : 0;
}

/* ---- On a terminal ---- */

static void erase(struct progress *progress)
{
	if (progress->drawn > 0)
		printf("\033[%uA", progress->drawn);
	progress->drawn = 0;
}

static void draw_reader(const struct progress *progress, size_t reader, double seconds)
{
	const struct reader_line *line = &progress->readers[reader];
	char name[SIMTIE_READER_NAME_MAX];

	printf("%-28.28s %-20s %-44s %4zu done %5.1f/min" CLEAR_EOL "\n",
	       output_safe(progress->plan->readers[reader], name, sizeof name), line->iccid,
	       provision_step_text(line->step), line->done, per_minute(line->done, seconds));
}

static void draw_sum(const struct progress *progress, double seconds)
{
	size_t rows = progress->plan->rows;
	size_t all = progress->plan->done_before + progress->done;
	size_t filled = rows > 0 ? BAR_WIDTH * (all < rows ? all : rows) / rows : 0;
	double rate = per_minute(progress->done, seconds);
	char bar[BAR_WIDTH + 1];

	memset(bar, '.', BAR_WIDTH);
	memset(bar, '#', filled);
	bar[BAR_WIDTH] = '\0';
	printf("[%s] %zu of %zu", bar, all, rows);
	if (progress->failed > 0)
		printf(", %zu failed", progress->failed);
	if (rate > 0 && all < rows)
		printf(", %.1f a minute, about %.0f min left", rate,
		       (double)(rows - all) / rate + 0.5);
	fputs(CLEAR_EOL "\n", stdout);
}

static void draw(struct progress *progress)
{
	double seconds = seconds_since(&progress->began);

	erase(progress);
	for (size_t i = 0; i < progress->plan->reader_count; i++)
		draw_reader(progress, i, seconds);
	draw_sum(progress, seconds);
	progress->drawn = (unsigned)progress->plan->reader_count + 1;
	fflush(stdout);
}

/* ---- Lines ---- */

static double duration(const struct provision_card *card)
{
	uint64_t micros = 0;

	for (int step = PROVISION_IDENTIFY; step < PROVISION_STEPS_COUNT; step++)
		micros += card->micros[step];
	return (double)micros / 1e6;
}

static const char *outcome_word(enum provision_outcome outcome)
{
	switch (outcome) {
	case PROVISION_DONE:
		return "done";
	case PROVISION_FAILED:
		return "failed";
	case PROVISION_SKIPPED:
		return "skipped";
	}
	return "";
}

static void print_card(const struct progress *progress, const struct provision_card *card)
{
	const char *iccid = card->iccid[0] ? card->iccid : "a card without ICCID";
	const char *end = progress->terminal ? CLEAR_EOL "\n" : "\n";
	char reader[SIMTIE_READER_NAME_MAX];

	output_safe(card->reader, reader, sizeof reader);
	if (card->outcome == PROVISION_DONE)
		printf("%s done in %.2f s, %u commands%s (%s)%s", iccid, duration(card),
		       card->commands, card->resumed ? ", resumed" : "", reader, end);
	else if (card->outcome == PROVISION_SKIPPED)
		printf("%s skipped: %s (%s)%s", iccid, card->reason, reader, end);
	else
		printf("%s FAILED %s: %s; %s (%s)%s", iccid, provision_step_text(card->step),
		       card->reason, card->remedy, reader, end);
}

/* ---- Events ---- */

static json_t *times(const uint32_t micros[static PROVISION_STEPS_COUNT])
{
	json_t *object = json_object();

	for (int step = 0; step < PROVISION_STEPS_COUNT; step++)
		if (micros[step] > 0)
			json_object_set_new(object, provision_step_word((enum provision_step)step),
					    json_integer(micros[step]));
	return object;
}

static void print_json_card(const struct provision_card *card)
{
	json_t *event =
		json_pack("{s:s,s:s,s:s,s:s,s:s,s:b,s:i}", "event", "card", "iccid", card->iccid,
			  "reader", card->reader, "outcome", outcome_word(card->outcome), "step",
			  provision_step_word(card->step), "resumed", card->resumed, "commands",
			  (int)card->commands);

	json_object_set_new(event, "micros", times(card->micros));
	json_object_set_new(event, "cardMicros", times(card->card_micros));
	if (card->reason[0])
		json_object_set_new(event, "reason", json_string(card->reason));
	if (card->remedy[0])
		json_object_set_new(event, "remedy", json_string(card->remedy));
	output_json(event);
	fflush(stdout);
}

static void print_json_step(const struct progress *progress, size_t reader, const char *iccid,
			    enum provision_step step)
{
	output_json(json_pack("{s:s,s:s,s:s,s:s}", "event", "step", "reader",
			      progress->plan->readers[reader], "iccid", iccid, "step",
			      provision_step_word(step)));
	fflush(stdout);
}

/* ---- The calls ---- */

struct progress *progress_start(const struct provision_plan *plan, bool json)
{
	struct progress *progress = calloc(1, sizeof *progress);

	if (!progress)
		return NULL;
	pthread_mutex_init(&progress->mutex, NULL);
	progress->plan = plan;
	progress->json = json;
	progress->terminal = !json && isatty(STDOUT_FILENO);
	clock_gettime(CLOCK_MONOTONIC, &progress->began);
	if (progress->terminal)
		draw(progress);
	return progress;
}

void progress_step(struct progress *progress, size_t reader, const char *iccid,
		   enum provision_step step)
{
	struct reader_line *line = &progress->readers[reader];

	pthread_mutex_lock(&progress->mutex);
	snprintf(line->iccid, sizeof line->iccid, "%s", iccid);
	line->step = step;
	if (progress->json)
		print_json_step(progress, reader, iccid, step);
	else if (progress->terminal)
		draw(progress);
	pthread_mutex_unlock(&progress->mutex);
}

void progress_card(struct progress *progress, size_t reader, const struct provision_card *card)
{
	pthread_mutex_lock(&progress->mutex);
	progress->done += card->outcome == PROVISION_DONE;
	progress->failed += card->outcome == PROVISION_FAILED;
	progress->readers[reader].done += card->outcome == PROVISION_DONE;
	if (progress->json) {
		print_json_card(card);
	} else {
		erase(progress);
		print_card(progress, card);
		if (progress->terminal)
			draw(progress);
		fflush(stdout);
	}
	pthread_mutex_unlock(&progress->mutex);
}

void progress_end(struct progress **progress)
{
	struct progress *p = *progress;

	if (!p)
		return;

	size_t all = p->plan->done_before + p->done;
	size_t left = p->plan->rows > all ? p->plan->rows - all : 0;
	double seconds = seconds_since(&p->began);

	if (p->json)
		output_json(json_pack("{s:s,s:I,s:I,s:I,s:f}", "event", "end", "done",
				      (json_int_t)p->done, "failed", (json_int_t)p->failed, "left",
				      (json_int_t)left, "seconds", seconds));
	else
		printf("%zu done, %zu failed, %zu of %zu left; %.1f a minute\n", p->done, p->failed,
		       left, p->plan->rows, per_minute(p->done, seconds));
	fflush(stdout);
	pthread_mutex_destroy(&p->mutex);
	free(p);
	*progress = NULL;
}
