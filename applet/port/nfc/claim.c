#include "claim.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lock.h"

/* What a device that was in the middle of something may need: one that a killed program left
 * answers the first question with the answer to the last. */
#define OPEN_TRIES 2

/* How long the chip may take for a command that waits for no card. libnfc's own 350 ms are too few
 * on a busy machine. A driver without such a bound keeps its own. */
#define COMMAND_MS 1000

/*
 * libnfc keeps its drivers in a list that every nfc_exit() frees, and sets an environment variable
 * in nfc_init(). Both are global, so that programs with several sessions take turns here, as they
 * do for the card's crypto.
 */
static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;

/* False: a device hangs in another thread, and nobody can get in. */
static bool enter(unsigned wait_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000 + 1;
	return pthread_mutex_clocklock(&library_lock, CLOCK_MONOTONIC, &until) == 0;
}

static void leave(void)
{
	pthread_mutex_unlock(&library_lock);
}

/* libnfc writes to stderr unless it is told not to; whoever set its variable wants to see it. */
static nfc_context *begin(void)
{
	nfc_context *context;

	setenv("LIBNFC_LOG_LEVEL", "0", 0);
	nfc_init(&context);
	return context;
}

static size_t list(nfc_connstring devices[CLAIM_DEVICES_MAX])
{
	nfc_context *context = begin();
	size_t count;

	if (!context)
		return 0;
	count = nfc_list_devices(context, devices, CLAIM_DEVICES_MAX);
	nfc_exit(context);
	return count;
}

/* What the only device that there is says of itself. */
static enum claim_result pick(struct nfc_claim *claim, nfc_connstring *devices, size_t count,
			      char text[static CLAIM_TEXT_MAX])
{
	size_t used;

	if (count == 0) {
		snprintf(text, CLAIM_TEXT_MAX,
			 "libnfc finds no NFC device: plug one in, or, as serial ones are not "
			 "looked for, name it: --reader nfc:pn532_uart:/dev/ttyUSB0");
		return CLAIM_ABSENT;
	}
	if (count == 1 && strlen(devices[0]) < CLAIM_NAME_MAX) {
		strcpy(claim->name, devices[0]);
		return CLAIM_OK;
	}
	used = (size_t)snprintf(text, CLAIM_TEXT_MAX, "name one of the NFC devices:");
	for (size_t i = 0; i < count && used < CLAIM_TEXT_MAX; i++)
		used += (size_t)snprintf(text + used, CLAIM_TEXT_MAX - used, " nfc:%s", devices[i]);
	return CLAIM_SEVERAL;
}

/* libnfc gives no reason. Whether the device's node is there, may be used and is free was seen
 * before. */
static enum claim_result open_device(struct nfc_claim *claim, char text[static CLAIM_TEXT_MAX])
{
	char node[CLAIM_NAME_MAX + 16];
	nfc_connstring name;

	snprintf(name, sizeof name, "%s", claim->name);
	for (int i = 0; i < OPEN_TRIES && !claim->device; i++)
		claim->device = nfc_open(claim->context, name);
	if (claim->device) {
		nfc_device_set_property_int(claim->device, NP_TIMEOUT_COMMAND, COMMAND_MS);
		return CLAIM_OK;
	}
	lock_node(claim->name, node, sizeof node);
	if (strchr(claim->name, '/'))
		snprintf(text, CLAIM_TEXT_MAX,
			 "no NFC device answers at %s: look at its power and wires, whether its "
			 "switches choose this interface, and at the driver's name (%.*s)",
			 node, (int)strcspn(claim->name, ":"), claim->name);
	else
		snprintf(text, CLAIM_TEXT_MAX,
			 "libnfc cannot open %s: is it plugged in, is that its driver's name, may "
			 "this user use it (group plugdev), and does pcscd or a driver of the "
			 "kernel hold it (`simtie doctor`)?",
			 claim->name);
	return CLAIM_ABSENT;
}

static void drop(struct nfc_claim *claim)
{
	if (claim->context) {
		pthread_mutex_lock(&library_lock);
		nfc_exit(claim->context);
		leave();
	}
	if (claim->lock >= 0)
		close(claim->lock);
	claim->context = NULL;
	claim->lock = -1;
}

static enum claim_result busy(char text[static CLAIM_TEXT_MAX])
{
	snprintf(text, CLAIM_TEXT_MAX, "an NFC device that this program used before hangs");
	return CLAIM_BUSY;
}

static enum claim_result choose(struct nfc_claim *claim, unsigned wait_ms,
				char text[static CLAIM_TEXT_MAX])
{
	nfc_connstring devices[CLAIM_DEVICES_MAX];
	size_t count;

	if (!enter(wait_ms))
		return busy(text);
	count = list(devices);
	leave();
	return pick(claim, devices, count, text);
}

/* From nfc_init() to nfc_open() in one turn: another thread's nfc_exit() takes the drivers away. */
static enum claim_result take(struct nfc_claim *claim, unsigned wait_ms,
			      char text[static CLAIM_TEXT_MAX])
{
	enum claim_result result = CLAIM_MEMORY;

	if (!enter(wait_ms))
		return busy(text);
	claim->context = begin();
	if (claim->context)
		result = open_device(claim, text);
	leave();
	return result;
}

enum claim_result claim_open(struct nfc_claim *claim, const char *name, unsigned wait_ms,
			     char text[static CLAIM_TEXT_MAX])
{
	enum claim_result result = CLAIM_OK;

	*claim = (struct nfc_claim){.lock = -1};
	text[0] = '\0';
	if (strlen(name) >= sizeof claim->name) {
		snprintf(text, CLAIM_TEXT_MAX, "the name of an NFC device has up to %zu bytes",
			 sizeof claim->name - 1);
		return CLAIM_ABSENT;
	}
	strcpy(claim->name, name);
	if (!name[0])
		result = choose(claim, wait_ms, text);
	if (result == CLAIM_OK)
		result = lock_take(claim->name, wait_ms, &claim->lock, text);
	if (result == CLAIM_OK)
		result = take(claim, wait_ms, text);
	if (result != CLAIM_OK)
		drop(claim);
	return result;
}

void claim_close(struct nfc_claim *claim)
{
	if (claim->device)
		nfc_close(claim->device);
	claim->device = NULL;
	drop(claim);
}

size_t claim_list(nfc_connstring devices[CLAIM_DEVICES_MAX])
{
	size_t count;

	if (!enter(0))
		return 0;
	count = list(devices);
	leave();
	return count;
}
