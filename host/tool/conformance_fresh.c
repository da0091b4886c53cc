/*
 * Looking at a card, and waiting for a new one.
 */
#include "conformance.h"

#include "modem.h"
#include "radio.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* How long a new card may take to arrive, in seconds, unless --wait says otherwise. */
#define PATIENCE 30

/*
 * The PC/SC service looks for cards every 400 ms, and one that is connected to between its being
 * exchanged and that look can count as absent for good (pcscd 1.9.9). So the service's event is
 * waited for; only when none comes, because the card was made fresh where it is, is it looked at
 * without.
 */
#define NOTICE_MS     3000
#define LOOK_AGAIN_MS 500

/* ---- Looking ---- */

static void note(struct conformance_look *look, const struct decode_object *object)
{
	const struct {
		const char *name;
		uint8_t *place;
	} wanted[] = {
		{"FCI_LIFECYCLE", &look->lifecycle},        {"FCI_PIN_TRIES", &look->pin_tries},
		{"FCI_PUK_TRIES", &look->puk_tries},        {"INFO_CONTENT", &look->content},
		{"INFO_DEBUG_STATUS", &look->debug_status},
	};

	for (size_t i = 0; object->name && i < sizeof wanted / sizeof wanted[0]; i++)
		if (strcmp(object->name, wanted[i].name) == 0 && object->value.len == 1)
			*wanted[i].place = object->value.ptr[0];
	if (object->name && strcmp(object->name, "INFO_ICCID") == 0 &&
	    object->value.len == sizeof look->iccid) {
		look->has_iccid = true;
		memcpy(look->iccid, object->value.ptr, sizeof look->iccid);
	}
}

static int look_at(struct simtie_session *session, enum command_id command, struct bytes apdu,
		   struct conformance_look *look)
{
	uint8_t answer[SIMTIE_RESPONSE_DATA];
	struct decode_object object;
	struct decode_walk walk;
	size_t len;
	int error = simtie_transmit(session, apdu.ptr, apdu.len, answer, sizeof answer, &len);

	if (error)
		return error;
	decode_walk(&walk, command, true, bytes_of(answer, len));
	while (decode_next(&walk, &object) == DECODE_OBJECT)
		note(look, &object);
	return 0;
}

int conformance_look(struct simtie_session *session, struct conformance_look *look)
{
	static const uint8_t aid[] = APPLET_AID;
	uint8_t select[6 + sizeof aid] = {CLA_SELECT, INS_SELECT, SELECT_BY_AID, SELECT_ANSWER_FCI,
					  sizeof aid};
	const uint8_t get_data[] = {CLA_GET_DATA, INS_GET_DATA, TAG_INFORMATION >> 8,
				    TAG_INFORMATION & 0xFF, 0};
	int error;

	memcpy(select + 5, aid, sizeof aid);
	memset(look, 0, sizeof *look);
	look->debug_status = 0xFF;
	error = look_at(session, COMMAND_SELECT, bytes_of(select, sizeof select), look);
	if (error)
		return error;
	if (simtie_status_word(session) == SIMTIE_SW_CARD_SHUT)
		return SIMTIE_ERR_CARD;
	if (simtie_status_word(session) != SIMTIE_SW_OK &&
	    simtie_status_word(session) != SIMTIE_SW_TERMINATED)
		return SIMTIE_ERR_NO_APPLET;
	return look_at(session, COMMAND_GET_DATA, bytes_of(get_data, sizeof get_data), look);
}

bool conformance_looks_fresh(const struct conformance_look *look)
{
	return look->lifecycle == LIFECYCLE_FACTORY && look->pin_tries == 0 &&
	       look->puk_tries == 0 &&
	       (look->content & (uint8_t) ~(CONTENT_SEEDED | CONTENT_ICCID)) == 0;
}

/* ---- A new card ---- */

/* Runs the command; what it prints goes to standard error, where it disturbs no result. */
static int run_command(const char *command, char *text)
{
	char *const argv[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)command, NULL};
	posix_spawn_file_actions_t actions;
	pid_t child;
	int status = 0;
	int error;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	error = posix_spawn(&child, "/bin/sh", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	while (!error && waitpid(child, &status, 0) < 0)
		error = errno == EINTR ? 0 : errno;
	if (!error && status == 0)
		return 0;
	errno = error;
	snprintf(text, CONFORMANCE_TEXT_MAX, "the command of --fresh %s; try it in a shell",
		 error ? "could not be started" : "failed");
	return SIMTIE_ERR_ARGUMENT;
}

/* Count of events in our reader; 0 when it is not known or not there. */
static uint32_t events_of(const struct conformance *conf, const struct simtie_reader *readers,
			  size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(readers[i].name, conf->reader) == 0)
			return readers[i].events;
	return 0;
}

static unsigned elapsed_ms(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned)((now.tv_sec - since->tv_sec) * 1000 +
			  (now.tv_nsec - since->tv_nsec) / 1000000);
}

/* Whether the card in the reader is the new one: it looks fresh. */
static bool arrived(struct conformance *conf, char *text, int *error)
{
	*error = conformance_card_reach(conf, text);
	if (*error == 0 && conformance_looks_fresh(&conf->look))
		return true;
	simtie_close(&conf->session);
	return false;
}

/* Whether the reader is one of the PC/SC service's, which tells of cards that come and go. */
static bool tells(const struct conformance *conf)
{
	const char *name = conf->reader[0] ? conf->reader : conf->common.reader;

	return !modem_is(name) && !radio_is(name);
}

/* Waits for the new card in a reader that tells of nothing: whatever is fresh there when the
 * command has ended is the new card. */
static int look_for(struct conformance *conf, unsigned seconds, char *text)
{
	const struct timespec pause = {0, LOOK_AGAIN_MS * 1000000};
	struct timespec start;
	int error;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (;;) {
		if (arrived(conf, text, &error))
			return 0;
		if (elapsed_ms(&start) >= seconds * 1000)
			return error ? error : SIMTIE_ERR_NO_CARD;
		nanosleep(&pause, NULL);
	}
}

/* Waits for the new card. One that was exchanged for a fresh one is new only after an event. */
static int await(struct conformance *conf, bool was_fresh, uint32_t events, char *text)
{
	const unsigned seconds = conf->patience.given ? conf->patience.value : PATIENCE;
	struct timespec start;
	int error = 0;

	if (!tells(conf))
		return look_for(conf, seconds, text);
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (elapsed_ms(&start) < seconds * 1000) {
		struct simtie_reader *readers = NULL;
		size_t count = 0;
		bool noticed, unnoticed, here;

		error = simtie_readers(&readers, &count);
		noticed = !conf->reader[0] || events_of(conf, readers, count) != events;
		unnoticed = !was_fresh && elapsed_ms(&start) > NOTICE_MS;
		here = error == 0 && (noticed || unnoticed) && arrived(conf, text, &error);
		if (!here && (error == 0 || error == SIMTIE_ERR_NO_CARD))
			error = simtie_readers_wait(readers, count, LOOK_AGAIN_MS);
		free(readers);
		if (here)
			return 0;
		if (error == SIMTIE_ERR_SERVICE || error == SIMTIE_ERR_ACCESS)
			return error;
	}
	snprintf(text, CONFORMANCE_TEXT_MAX,
		 "no factory-fresh card came within %u s of the command of --fresh; --wait gives "
		 "it longer",
		 seconds);
	return SIMTIE_ERR_NO_CARD;
}

int conformance_fresh(struct conformance *conf, char *text)
{
	const bool was_fresh = conf->session && conformance_looks_fresh(&conf->look);
	struct simtie_reader *readers = NULL;
	size_t count = 0;
	uint32_t events;
	int error;

	simtie_close(&conf->session);
	if (tells(conf))
		simtie_readers(&readers, &count);
	events = events_of(conf, readers, count);
	free(readers);
	error = run_command(conf->fresh, text);
	if (error)
		return error;
	return await(conf, was_fresh, events, text);
}
