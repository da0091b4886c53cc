/*
 * One run over a tray: what its workers share, and a card's way through it.
 *
 * Owns keys, authority, PIN list and the rows while the run lasts. Refuses a card that is not of
 * the tray, and a second try with keys that were wrong.
 */
#ifndef SIMTIE_TOOL_PROVISION_RUN_H
#define SIMTIE_TOOL_PROVISION_RUN_H

#include <pthread.h>
#include <stdatomic.h>

#include "ca.h"
#include "keys.h"
#include "pinmail.h"

#include "options.h"
#include "passphrase.h"
#include "provision_journal.h"

/* The command line. */
struct provision_options {
	struct common_options common;
	const struct command *command;
	const char *tray, *keys, *new_keys, *ca, *out, *readers, *recipient;
	struct passphrase_source passphrase;
	bool plain_pins, assign, guard_pin, dry_run, allow_test_keys;
};

struct provision_run {
	const struct provision_options *options;
	struct provision_tray tray;
	struct provision_journal *journal;
	struct ca *ca;
	struct pinmail *pins;
	struct progress *progress;
	struct provision_plan plan;
	char (*readers)[SIMTIE_READER_NAME_MAX]; /* what plan.readers points at */
	struct keys vendor, operator;            /* as in the files */
	bool test_keys;

	pthread_mutex_t mutex;        /* of the rows' `busy`, and of what follows */
	struct provision_card *cards; /* how each fared, in the order of their ends */
	size_t card_count;
	size_t gone;      /* readers that are */
	bool broken;      /* files cannot be written: no further card is begun */
	atomic_bool stop; /* asked for by a signal */
};

/* ---- Keys: provision_keys.c ---- */

/* Reads both key files and judges them. TOOL_DONE or an exit code; a failure is printed. */
int provision_keys_read(struct provision_run *run);

/* A card's own keys; `iccid` as on the card, or NULL. False: `why` says why not. */
bool provision_keys_of(const struct keys *keys, const struct simtie_secure_card *card,
		       const uint8_t *iccid, struct simtie_keys *own, const char **why);

/* Why a secure channel could not be opened, and how many tries remain; the reason goes into `text`,
 * and what to do about it is returned. */
const char *provision_keys_explain(const struct simtie_session *session, int error,
				   char text[static PROVISION_TEXT_MAX]);

/* ---- A card: provision_card.c ---- */

/*
 * Takes the card in a reader as far as it goes. `card` gets how it fared; its `began` and WAIT are
 * the caller's. True: it was of the tray and its end is to be told; false: it was not, or is done
 * (`card` says so).
 */
void provision_card_run(struct provision_run *run, size_t reader, struct provision_card *card);

/* ---- Rows and workers: provision_worker.c ---- */

/* SIMs that still want a card: neither done, nor locked as far as anybody knows, nor failed. */
size_t provision_worker_left(struct provision_run *run);

/* A worker for each reader, until nothing is left, all readers are gone, or a signal comes. */
int provision_worker_run(struct provision_run *run);

/* ---- Verifying: provision_verify.c ---- */

int provision_verify_main(int argc, char **argv);

#endif
