/*
 * The way from a subcommand to the card and back: one session, one wording of failures.
 *
 * Owns the map from enum simtie_error to exit codes. Refuses nothing itself.
 */
#ifndef SIMTIE_TOOL_CARD_H
#define SIMTIE_TOOL_CARD_H

#include "simtie.h"

#include "options.h"

/* The exit code for an enum simtie_error: the one place that decides it. */
int card_exit_code(int error);

/*
 * Opens the session that the options ask for. Returns TOOL_DONE, or the exit code of a failure that
 * is already printed; then *session is NULL.
 */
int card_open(const struct common_options *common, struct simtie_session **session);

/* The same, and selects the applet. `info` may be NULL. */
int card_open_applet(const struct common_options *common, struct simtie_session **session,
		     struct simtie_info *info);

/*
 * Says why a call failed, on standard error and with --json on standard output as well:
 * {"error", "message"} and, where there is one, "statusWord". Returns the exit code. `session` may
 * be NULL. `what` is what the tool was about, "cannot read the log"; NULL for none.
 */
int card_failed(const struct common_options *common, const struct simtie_session *session,
		const char *what, int error);

/*
 * The same for a call that a PIN or PUK went with, `name` being which. After a wrong one it says
 * how many tries are left, and adds "triesLeft".
 */
int card_failed_secret(const struct common_options *common, const struct simtie_session *session,
		       const char *what, int error, const char *name);

/*
 * The same for what the tool itself refuses to do: `code` is for programs, "NOT_FACTORY". Returns
 * `exit_code`.
 */
int card_refused(const struct common_options *common, int exit_code, const char *code,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* "SIMTIE_ERR_NO_CARD" without its prefix, for programs. Static. */
const char *card_error_code(int error);

#endif
