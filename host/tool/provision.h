/*
 * Provisioning a tray: what its parts say to each other.
 *
 * One worker a reader carries cards through the steps below; each step and each card's end is told,
 * in order, to the journal (what resumes), the progress (what a person sees, or --json events) and
 * the report. Nothing here holds a PIN or a key.
 */
#ifndef SIMTIE_TOOL_PROVISION_H
#define SIMTIE_TOOL_PROVISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "simtie.h"

#define PROVISION_ICCID_SIZE  21 /* 18 to 20 digits and the terminator */
#define PROVISION_TEXT_MAX    256
#define PROVISION_READERS_MAX 64

/* X(constant, word for events and journal, text for people): a card's way, in order. */
#define PROVISION_STEPS(X)                                                                         \
	X(WAIT, "wait", "waiting for a card")                                                      \
	X(IDENTIFY, "identify", "reading the card's ICCID")                                        \
	X(AUTHENTICATE, "authenticate", "opening the secure channel")                              \
	X(ROTATE, "rotate", "replacing the vendor's keys by the operator's")                       \
	X(GENERATE, "generate", "making the keys on the card")                                     \
	X(CERTIFY, "certify", "issuing the certificate")                                           \
	X(STORE, "store", "storing PIN, PUK and certificate")                                      \
	X(PERSONALISE, "personalise", "moving the lifecycle on")                                   \
	X(PROVE, "prove", "having the card attest, and verifying it")                              \
	X(LOCK, "lock", "locking the card")                                                        \
	X(RECORD, "record", "writing the card's record")

enum provision_step {
#define PROVISION_STEP_ENUM(name, word, text) PROVISION_##name,
	PROVISION_STEPS(PROVISION_STEP_ENUM)
#undef PROVISION_STEP_ENUM
		PROVISION_STEPS_COUNT,
};

enum provision_outcome {
	PROVISION_DONE,
	PROVISION_FAILED,
	PROVISION_SKIPPED, /* not of this tray, or done already */
};

/* How one card fared. */
struct provision_card {
	char iccid[PROVISION_ICCID_SIZE]; /* "" if it could not be read */
	char reader[SIMTIE_READER_NAME_MAX];
	enum provision_outcome outcome;
	enum provision_step step;               /* reached; where it failed */
	bool resumed;                           /* begun by an earlier run */
	bool test_keys;                         /* known test keys were allowed for it */
	char reason[PROVISION_TEXT_MAX];        /* why it failed or was skipped; "" when done */
	char remedy[PROVISION_TEXT_MAX];        /* what to do about it */
	struct timespec began;                  /* wall clock */
	uint32_t micros[PROVISION_STEPS_COUNT]; /* each step took; 0: not taken */
	uint32_t card_micros[PROVISION_STEPS_COUNT]; /* of which the card and reader took */
	unsigned commands;                           /* exchanges with the card, all in */
};

/* What a run knows when it starts. */
struct provision_plan {
	const char *tray;   /* path of the CSV */
	const char *out;    /* folder */
	size_t rows;        /* SIMs in the tray */
	size_t done_before; /* of which earlier runs have done */
	const char *readers[PROVISION_READERS_MAX];
	size_t reader_count;
	bool dry_run;
	bool test_keys;
};

/* ---- Progress: provision_progress.c ---- */

/* Bars on a terminal, plain lines otherwise, with `json` one object a line on standard output.
 * Calls may come from any worker. */
struct progress;

struct progress *progress_start(const struct provision_plan *plan, bool json);
void progress_step(struct progress *progress, size_t reader, const char *iccid,
		   enum provision_step step);
void progress_card(struct progress *progress, size_t reader, const struct provision_card *card);
/* Prints the sum and frees. */
void progress_end(struct progress **progress);

/* ---- Report: provision_report.c ---- */

/*
 * Writes report.html into the run's folder: one self-contained file, replaced whole. What was done,
 * how long each step took (a plot, drawn in the file), failures with reason and remedy.
 * 0, or SIMTIE_ERR_FILE (errno).
 */
int report_write(const struct provision_plan *plan, const struct provision_card *cards,
		 size_t count, time_t began, time_t ended);

const char *provision_step_word(enum provision_step step);
const char *provision_step_text(enum provision_step step);

#endif
