/*
 * What the actions of `simtie ca` share: the command line, wording of failures, forms of output.
 *
 * Owns the map from enum ca_error to exit codes and words for programs. Refuses nothing itself.
 */
#ifndef SIMTIE_TOOL_AUTHORITY_H
#define SIMTIE_TOOL_AUTHORITY_H

#include "ca.h"

#include "options.h"
#include "output.h"
#include "passphrase.h"

/* No --reason on the command line. */
#define AUTHORITY_NO_REASON 0xFF

/* The command line, whatever the action; what was not given is NULL or 0. */
struct authority_options {
	struct common_options common;
	const struct command *command;
	const char *directory;
	struct passphrase_source passphrase;
	const char *name;
	const char *organisation;
	struct option_number days;
	const char *public_key;
	const char *record;
	const char *iccid;
	struct option_bytes serial;
	unsigned reason; /* index into the choices, or AUTHORITY_NO_REASON */
	const char *crl_url;
	const char *output;
	bool pem;
	const char *file; /* the word behind the action, or NULL */
};

/* The actions; each returns an exit code. */
int authority_init(const struct authority_options *options);
int authority_issue(const struct authority_options *options);
int authority_show(const struct authority_options *options);
int authority_revoke(const struct authority_options *options);
int authority_crl(const struct authority_options *options);

/* Says why a call failed, in both forms. `what` is what the tool was about. Returns the exit code.
 */
int authority_failed(const struct authority_options *options, const char *what, int error);

/* Reads the passphrase and opens the authority of --dir. Returns TOOL_DONE or an exit code; a
 * failure is already printed. */
int authority_open(const struct authority_options *options, struct ca **ca);

/* Room for 2026-11-24T08:30:00Z. */
#define AUTHORITY_TIME_SIZE 32
char *authority_time(time_t time, char text[static AUTHORITY_TIME_SIZE]);

/* {"notBefore", "notAfter", "serial", "fingerprint"}, and the same as lines of text. */
json_t *authority_json(const uint8_t *serial, size_t serial_len, time_t not_before,
		       time_t not_after, const uint8_t fingerprint[static CA_FINGERPRINT_SIZE]);
void authority_print(const uint8_t *serial, size_t serial_len, time_t not_before, time_t not_after,
		     const uint8_t fingerprint[static CA_FINGERPRINT_SIZE]);

#endif
