#include "authority.h"

#include "card.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What programs learn of each error. */
static const struct {
	int error;
	enum tool_exit exit;
	const char *code;
} errors[] = {
	{CA_ERR_ARGUMENT, TOOL_USAGE, "ARGUMENT"},
	{CA_ERR_LIBRARY, TOOL_IO, "LIBRARY"},
	{CA_ERR_FILE, TOOL_IO, "FILE"},
	{CA_ERR_EXISTS, TOOL_IO, "EXISTS"},
	{CA_ERR_NO_CA, TOOL_IO, "NO_AUTHORITY"},
	{CA_ERR_PASSPHRASE, TOOL_REFUSED, "PASSPHRASE"},
	{CA_ERR_DAMAGED, TOOL_IO, "DAMAGED"},
	{CA_ERR_POINT, TOOL_REFUSED, "POINT"},
	{CA_ERR_TOO_LARGE, TOOL_REFUSED, "TOO_LARGE"},
	{CA_ERR_TIME, TOOL_REFUSED, "TIME"},
	{CA_ERR_OUTLIVES, TOOL_REFUSED, "OUTLIVES"},
	{CA_ERR_NOT_ISSUED, TOOL_REFUSED, "NOT_ISSUED"},
	{CA_ERR_FORMAT, TOOL_IO, "FORMAT"},
};

#define ERRORS (sizeof(errors) / sizeof(errors[0]))

int authority_failed(const struct authority_options *options, const char *what, int error)
{
	const int cause = errno;
	const char *code = "UNKNOWN";
	int exit_code = TOOL_IO;

	for (size_t i = 0; i < ERRORS; i++) {
		if (errors[i].error != error)
			continue;
		code = errors[i].code;
		exit_code = (int)errors[i].exit;
	}
	if (error == CA_ERR_FILE)
		return card_refused(&options->common, exit_code, code, "%s: %s; %s", what,
				    ca_strerror(error), strerror(cause));
	return card_refused(&options->common, exit_code, code, "%s: %s", what, ca_strerror(error));
}

int authority_open(const struct authority_options *options, struct ca **ca)
{
	char passphrase[PASSPHRASE_SIZE];
	int result = passphrase_read(options->command, &options->passphrase, 1, false, passphrase);
	int error;

	*ca = NULL;
	if (result != TOOL_DONE)
		return result;
	error = ca_open(options->directory,
			bytes_of((const uint8_t *)passphrase, strlen(passphrase)), ca);
	passphrase_wipe(passphrase);
	return error ? authority_failed(options, "cannot open the authority", error) : TOOL_DONE;
}

char *authority_time(time_t time, char text[static AUTHORITY_TIME_SIZE])
{
	struct tm utc;

	gmtime_r(&time, &utc);
	strftime(text, AUTHORITY_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc);
	return text;
}

json_t *authority_json(const uint8_t *serial, size_t serial_len, time_t not_before,
		       time_t not_after, const uint8_t fingerprint[static CA_FINGERPRINT_SIZE])
{
	char number[OUTPUT_HEX_SIZE(CA_SERIAL_MAX)], digest[OUTPUT_HEX_SIZE(CA_FINGERPRINT_SIZE)];
	char from[AUTHORITY_TIME_SIZE], until[AUTHORITY_TIME_SIZE];

	return json_pack("{s:s,s:s,s:s,s:s}", "serial", output_hex(serial, serial_len, number),
			 "notBefore", authority_time(not_before, from), "notAfter",
			 authority_time(not_after, until), "fingerprint",
			 output_hex_lower(fingerprint, CA_FINGERPRINT_SIZE, digest));
}

void authority_print(const uint8_t *serial, size_t serial_len, time_t not_before, time_t not_after,
		     const uint8_t fingerprint[static CA_FINGERPRINT_SIZE])
{
	char number[OUTPUT_HEX_SIZE(CA_SERIAL_MAX)], digest[OUTPUT_HEX_SIZE(CA_FINGERPRINT_SIZE)];
	char from[AUTHORITY_TIME_SIZE], until[AUTHORITY_TIME_SIZE];

	output_line("serial", "%s", output_hex(serial, serial_len, number));
	output_line("valid", "%s to %s", authority_time(not_before, from),
		    authority_time(not_after, until));
	output_line("fingerprint", "%s",
		    output_hex_lower(fingerprint, CA_FINGERPRINT_SIZE, digest));
}
