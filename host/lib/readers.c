#include "readers.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deadline.h"
#include "pcsc.h"

/* What simtie_readers_wait() lets pass after its caller's bound before it gives the service up. */
#define GRACE_MS 250

#define NEW_READER "\\\\?PnP?\\Notification" /* stands for the list of readers itself */

/* ---- The choice ---- */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool begins(const char *text, const char *part)
{
	for (; *part; text++, part++)
		if (lower(*text) != lower(*part))
			return false;
	return true;
}

static bool contains(const char *text, const char *part)
{
	for (; *text; text++)
		if (begins(text, part))
			return true;
	return false;
}

static bool equals(const char *text, const char *other)
{
	return strlen(text) == strlen(other) && begins(text, other);
}

/* How many names fit; *chosen is the last of them. */
static size_t count_fits(const struct simtie_reader *readers, size_t count, const char *wanted,
			 bool (*fits)(const char *name, const char *wanted), size_t *chosen)
{
	size_t matches = 0;

	for (size_t i = 0; i < count; i++) {
		if (!fits(readers[i].name, wanted))
			continue;
		*chosen = i;
		matches++;
	}
	return matches;
}

/* The index that decimal digits name, or `count` if it is none that there is. */
static size_t index_of(const char *wanted, size_t count)
{
	size_t index = 0;

	for (; *wanted; wanted++) {
		if (*wanted < '0' || *wanted > '9')
			return count;
		index = index * 10 + (size_t)(*wanted - '0');
		if (index >= count)
			return count;
	}
	return index;
}

/* "there are: [0] A, [1] B", what does not fit left out. */
static void list_names(const struct simtie_reader *readers, size_t count, const char *why,
		       char *detail)
{
	size_t used = (size_t)snprintf(detail, SIMTIE_DETAIL_MAX, "%s", why);

	for (size_t i = 0; i < count && used < SIMTIE_DETAIL_MAX; i++)
		used += (size_t)snprintf(detail + used, SIMTIE_DETAIL_MAX - used, "%s[%zu] %s%s",
					 i ? ", " : ": ", i, readers[i].name,
					 readers[i].card ? "" : " (empty)");
}

static int choose_unnamed(const struct simtie_reader *readers, size_t count, char *detail)
{
	size_t chosen = 0, cards = 0;

	if (count == 0)
		return SIMTIE_ERR_NO_READER;
	if (count == 1)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (!readers[i].card)
			continue;
		chosen = i;
		cards++;
	}
	if (cards == 1)
		return (int)chosen;
	list_names(readers, count,
		   cards ? "several readers have a card" : "there are several readers", detail);
	return SIMTIE_ERR_AMBIGUOUS;
}

int readers_choose(const struct simtie_reader *readers, size_t count, const char *wanted,
		   char *detail)
{
	size_t chosen, matches;

	if (!wanted || !*wanted)
		return choose_unnamed(readers, count, detail);
	chosen = index_of(wanted, count);
	if (chosen < count)
		return (int)chosen;
	for (size_t i = 0; i < count; i++)
		if (strcmp(readers[i].name, wanted) == 0)
			return (int)i;
	if (count_fits(readers, count, wanted, equals, &chosen) == 1)
		return (int)chosen;
	matches = count_fits(readers, count, wanted, contains, &chosen);
	if (matches == 1)
		return (int)chosen;
	if (count > 0)
		list_names(readers, count,
			   matches ? "several readers have that in their name"
				   : "no reader has that in its name; there are",
			   detail);
	return matches ? SIMTIE_ERR_AMBIGUOUS : SIMTIE_ERR_NO_READER;
}

/* ---- The list ---- */

/* What a worker works on: the readers known before, the readers now. */
struct job {
	int error;
	struct deadline deadline;
	struct pcsc_readers known;
	struct pcsc_readers now;
	bool wait;
};

static void job_free(void *job)
{
	free(job);
}

/* Whether a program that showed `known` would show something else now. */
static bool same(const struct pcsc_readers *known, const struct pcsc_readers *now)
{
	if (known->count != now->count)
		return false;
	for (size_t i = 0; i < now->count; i++) {
		const struct simtie_reader *a = &known->reader[i], *b = &now->reader[i];

		if (strcmp(a->name, b->name) != 0 || a->card != b->card || a->mute != b->mute ||
		    a->busy != b->busy || a->events != b->events)
			return false;
	}
	return true;
}

static DWORD state_of(const struct simtie_reader *reader)
{
	DWORD state = reader->card ? SCARD_STATE_PRESENT : SCARD_STATE_EMPTY;

	if (reader->mute)
		state |= SCARD_STATE_MUTE;
	if (reader->busy)
		state |= SCARD_STATE_EXCLUSIVE;
	return state | (DWORD)reader->events << 16;
}

static LONG wait_change(SCARDCONTEXT context, const struct job *job)
{
	SCARD_READERSTATE states[PCSC_READERS_MAX + 1] = {{.szReader = NEW_READER}};

	for (size_t i = 0; i < job->now.count; i++)
		states[1 + i] =
			(SCARD_READERSTATE){.szReader = job->now.reader[i].name,
					    .dwCurrentState = state_of(&job->now.reader[i])};
	return SCardGetStatusChange(context, deadline_left_ms(job->deadline), states,
				    (DWORD)(1 + job->now.count));
}

static int watch(SCARDCONTEXT context, struct job *job)
{
	for (;;) {
		int error = pcsc_list(context, &job->now);
		LONG result;

		if (error || !job->wait)
			return error;
		if (!same(&job->known, &job->now))
			return 0;
		if (deadline_passed(job->deadline))
			return SIMTIE_ERR_TIMEOUT;
		result = wait_change(context, job);
		if (result != SCARD_S_SUCCESS && result != (LONG)SCARD_E_UNKNOWN_READER)
			return pcsc_error(result);
	}
}

static void call_watch(void *argument)
{
	struct job *job = argument;
	SCARDCONTEXT context;

	job->error = pcsc_establish(&context);
	if (job->error)
		return;
	job->error = watch(context, job);
	SCardReleaseContext(context);
}

/* Runs a job to its end. NULL: it did not end in time, or could not begin; *error says which. */
static struct job *run(struct job *job, struct deadline deadline, int *error)
{
	struct worker *worker;

	if (!worker_start(&worker, job, job_free)) {
		job_free(job);
		*error = SIMTIE_ERR_MEMORY;
		return NULL;
	}
	if (!worker_run(&worker, call_watch, deadline)) {
		*error = SIMTIE_ERR_TIMEOUT;
		return NULL;
	}
	worker_stop(&worker);
	*error = job->error;
	return job;
}

int simtie_readers(struct simtie_reader **readers, size_t *count)
{
	struct job *job = calloc(1, sizeof *job);
	int error = SIMTIE_ERR_MEMORY;

	*readers = NULL;
	*count = 0;
	if (job)
		job = run(job, deadline_after(SIMTIE_TIMEOUT_MS), &error);
	if (error == SIMTIE_ERR_TIMEOUT)
		error = SIMTIE_ERR_SERVICE;
	if (!error && job->now.count > 0) {
		*readers = calloc(job->now.count, sizeof **readers);
		if (*readers) {
			*count = job->now.count;
			memcpy(*readers, job->now.reader, *count * sizeof **readers);
		} else {
			error = SIMTIE_ERR_MEMORY;
		}
	}
	if (job)
		job_free(job);
	return error;
}

int simtie_readers_wait(const struct simtie_reader *known, size_t count, unsigned timeout_ms)
{
	struct job *job;
	int error;

	if (count > PCSC_READERS_MAX)
		return SIMTIE_ERR_ARGUMENT;
	job = calloc(1, sizeof *job);
	if (!job)
		return SIMTIE_ERR_MEMORY;
	job->wait = true;
	job->known.count = count;
	if (count > 0)
		memcpy(job->known.reader, known, count * sizeof *known);
	if (timeout_ms > UINT_MAX - GRACE_MS)
		timeout_ms = UINT_MAX - GRACE_MS;
	job->deadline = deadline_after(timeout_ms);
	job = run(job, deadline_after(timeout_ms + GRACE_MS), &error);
	if (job)
		job_free(job);
	return error;
}
