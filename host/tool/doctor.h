/*
 * What `simtie doctor` looks at: a table of checks, each a function of its own, in the order in
 * which a card is reached.
 *
 * Owns the list of findings. Refuses to change anything: it looks, and says what a person can do.
 * The files that it looks into are taken below `root`, so that a test can show it any machine.
 */
#ifndef SIMTIE_TOOL_DOCTOR_H
#define SIMTIE_TOOL_DOCTOR_H

#include <limits.h>

#include "options.h"
#include "simtie.h"

enum doctor_verdict {
	DOCTOR_OK,
	DOCTOR_NOTE,    /* neither good nor bad */
	DOCTOR_WARNING, /* works, and is not as it should be */
	DOCTOR_PROBLEM,
};

#define DOCTOR_TEXT_MAX 512

struct doctor_finding {
	const char *check;
	enum doctor_verdict verdict;
	char text[DOCTOR_TEXT_MAX];
	char advice[DOCTOR_TEXT_MAX]; /* "" when there is nothing to do */
};

#define DOCTOR_FINDINGS_MAX 96

struct doctor {
	struct common_options common;
	const char *root; /* before every path; "" for this machine */

	const char *check; /* name of the one under way */
	size_t count;
	struct doctor_finding findings[DOCTOR_FINDINGS_MAX];

	int service_error; /* 0: the PC/SC service answers */
	struct simtie_reader *readers;
	size_t reader_count;
	unsigned ready; /* cards with the applet that work */
	unsigned ill;   /* cards that are there and do not */
};

/* Notes a finding, and what can be done about the one noted last. */
void doctor_find(struct doctor *doctor, enum doctor_verdict verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void doctor_advise(struct doctor *doctor, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The path below the root; returns `out`. */
char *doctor_path(const struct doctor *doctor, const char *path, char out[static PATH_MAX]);

/* How many readers are none of vpcd's. */
size_t doctor_real_readers(const struct doctor *doctor);

/* ---- doctor_service.c ---- */

void doctor_check_service(struct doctor *doctor); /* goes first: it lists the readers */
void doctor_check_drivers(struct doctor *doctor);

/* ---- doctor_usb.c ---- */

void doctor_check_usb(struct doctor *doctor);

/* ---- doctor_modem.c ---- */

void doctor_check_modems(struct doctor *doctor);

/* ---- doctor_vpcd.c ---- */

void doctor_check_vpcd(struct doctor *doctor);
void doctor_check_exposure(struct doctor *doctor);

/* ---- doctor_nfc.c ---- */

void doctor_check_nfc(struct doctor *doctor);

/* ---- doctor_card.c ---- */

void doctor_check_readers(struct doctor *doctor);

/* The card in one reader, by any name that --reader takes. */
void doctor_check_card(struct doctor *doctor, const char *reader);

#endif
