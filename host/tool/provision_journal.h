/*
 * What a run that was stopped left behind, and what the next one goes on from: the files of the
 * output folder.
 *
 *   provision.journal    one JSON object a line, only ever appended to. The first names the format;
 *                        the others say of one SIM what is about to be done or was done:
 *                        {"iccid", "state", "at"}, with "version" (the operator's key set) when the
 *                        keys are about to be replaced, and "card" (its diversification data) when
 *                        a row was assigned to a card. No key and no PIN. A process holds it by
 *                        flock().
 *   pending/ICCID.json   a SIM's record before the SIM is done, mode 0600
 *   records.jsonl        the records of the SIMs that are, one a line, mode 0600
 *
 * What must outlast a power cut is flushed before a call returns. A line that a writer left half
 * done is cut off. Owns these files; refuses a folder that another process works in, a journal of
 * another version, and one that speaks of SIMs that are not in the tray.
 */
#ifndef SIMTIE_TOOL_PROVISION_JOURNAL_H
#define SIMTIE_TOOL_PROVISION_JOURNAL_H

#include "provision_tray.h"

#define PROVISION_JOURNAL "provision.journal"
#define PROVISION_RECORDS "records.jsonl"
#define PROVISION_PENDING "pending"

/* Bytes of a record's line. */
#define PROVISION_RECORD_MAX 4096

struct provision_journal;

/*
 * Opens or begins what is in `folder` (made if it is not there), and sets the rows' states by it.
 * With `dry` nothing is made, cut off or locked. TOOL_DONE, or TOOL_IO: `wrong` says why. Closed by
 * provision_journal_close(), whatever comes back.
 */
int provision_journal_open(const char *folder, bool dry, const struct provision_tray *tray,
			   struct provision_journal **journal,
			   char wrong[static PROVISION_TEXT_MAX]);
void provision_journal_close(struct provision_journal **journal);

/*
 * Notes that a row has come to `state`, which it then is in. Flushed, unless something else that is
 * would say the same: GENERATED (the record under way), PERSONALISED (the card), PROVED (which is
 * merely repeated), RECORDED (the records).
 * `version` counts for ROTATING alone. Any worker may call. False: errno says why.
 */
bool provision_journal_note(struct provision_journal *journal, struct provision_row *row,
			    enum provision_state state, uint8_t version);

/* The record of a SIM that is under way: written whole, flushed; read back (room for
 * PROVISION_RECORD_MAX bytes; -1 and errno, else its length). */
bool provision_journal_put(struct provision_journal *journal, const char *iccid, const char *text,
			   size_t len);
long provision_journal_get(const struct provision_journal *journal, const char *iccid, char *text);

/* Moves that record among the records, flushed, and notes RECORDED. */
bool provision_journal_record(struct provision_journal *journal, struct provision_row *row);

#endif
