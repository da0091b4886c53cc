#include "card.h"

#include "modem.h"
#include "output.h"
#include "radio.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_SIZE 512

/* What programs learn of each error. */
static const struct {
	int error;
	enum tool_exit exit;
	const char *code;
} errors[] = {
	{SIMTIE_OK, TOOL_DONE, "OK"},
	{SIMTIE_ERR_ARGUMENT, TOOL_USAGE, "ARGUMENT"},
	{SIMTIE_ERR_MEMORY, TOOL_IO, "MEMORY"},
	{SIMTIE_ERR_SERVICE, TOOL_NO_CARD, "SERVICE"},
	{SIMTIE_ERR_ACCESS, TOOL_NO_CARD, "ACCESS"},
	{SIMTIE_ERR_NO_READER, TOOL_NO_CARD, "NO_READER"},
	{SIMTIE_ERR_AMBIGUOUS, TOOL_USAGE, "AMBIGUOUS"},
	{SIMTIE_ERR_NO_CARD, TOOL_NO_CARD, "NO_CARD"},
	{SIMTIE_ERR_BUSY, TOOL_NO_CARD, "BUSY"},
	{SIMTIE_ERR_MUTE, TOOL_NO_CARD, "MUTE"},
	{SIMTIE_ERR_GONE, TOOL_NO_CARD, "GONE"},
	{SIMTIE_ERR_TIMEOUT, TOOL_IO, "TIMEOUT"},
	{SIMTIE_ERR_TRANSPORT, TOOL_IO, "TRANSPORT"},
	{SIMTIE_ERR_PROTOCOL, TOOL_IO, "PROTOCOL"},
	{SIMTIE_ERR_ENDLESS, TOOL_IO, "ENDLESS"},
	{SIMTIE_ERR_NO_APPLET, TOOL_NO_CARD, "NO_APPLET"},
	{SIMTIE_ERR_CARD, TOOL_REFUSED, "CARD"},
	{SIMTIE_ERR_STATE, TOOL_IO, "STATE"},
	{SIMTIE_ERR_FILE, TOOL_IO, "FILE"},
	{SIMTIE_ERR_FORMAT, TOOL_IO, "FORMAT"},
	{SIMTIE_ERR_SECURE, TOOL_REFUSED, "SECURE"},
};

#define ERRORS (sizeof(errors) / sizeof(errors[0]))

int card_exit_code(int error)
{
	for (size_t i = 0; i < ERRORS; i++) {
		if (errors[i].error == error)
			return (int)errors[i].exit;
	}
	return TOOL_IO;
}

const char *card_error_code(int error)
{
	for (size_t i = 0; i < ERRORS; i++) {
		if (errors[i].error == error)
			return errors[i].code;
	}
	return "UNKNOWN";
}

int card_open(const struct common_options *common, struct simtie_session **session)
{
	char detail[SIMTIE_DETAIL_MAX] = "";
	struct simtie_options options = {
		.reader = common->reader,
		.trace = common->trace,
		.trace_secrets = common->trace_secrets,
		.protocol = (enum simtie_protocol)common->protocol,
		.detail = detail,
		.guard = modem_guard(common->reader),
	};
	int error = simtie_open(&options, session);

	if (error == 0)
		return TOOL_DONE;
	*session = NULL;
	if ((modem_is(common->reader) || radio_is(common->reader)) && detail[0])
		return card_refused(common, card_exit_code(error), card_error_code(error), "%s",
				    detail);
	return card_failed(common, NULL, detail[0] ? detail : NULL, error);
}

int card_open_applet(const struct common_options *common, struct simtie_session **session,
		     struct simtie_info *info)
{
	struct simtie_info unwanted;
	int result = card_open(common, session);
	int error;

	if (result != TOOL_DONE)
		return result;
	error = simtie_select(*session, info ? info : &unwanted);
	if (error) {
		result = card_failed(common, *session, "cannot select the applet", error);
		simtie_close(session);
	}
	return result;
}

/* The contract's text and advice, "It is so. Do this.", as one sentence: "it is so; do this". */
static void join(char *text)
{
	char *stop = strstr(text, ". ");
	size_t len = strlen(text);

	if (len && text[len - 1] == '.')
		text[len - 1] = '\0';
	if (!stop)
		return;
	*stop = ';';
	/* The first word of the advice but for an abbreviation. */
	if (!isupper((unsigned char)stop[3]))
		stop[2] = (char)tolower((unsigned char)stop[2]);
}

/* The sentence for an error, as the library and the contract have it. */
static void describe(const struct simtie_session *session, int error, int cause, char *text)
{
	if (error == SIMTIE_ERR_CARD && session) {
		snprintf(text, MESSAGE_SIZE, "%04X, %s", simtie_status_word(session),
			 simtie_sw_text(simtie_status_word(session)));
		join(text);
	} else if (error == SIMTIE_ERR_SECURE && session)
		snprintf(text, MESSAGE_SIZE, "%s", simtie_secure_text(session));
	else if (error == SIMTIE_ERR_FILE && cause)
		snprintf(text, MESSAGE_SIZE, "%s (%s)", simtie_strerror(error), strerror(cause));
	else
		snprintf(text, MESSAGE_SIZE, "%s", simtie_strerror(error));
}

int card_refused(const struct common_options *common, int exit_code, const char *code,
		 const char *format, ...)
{
	char message[MESSAGE_SIZE];
	va_list list;

	va_start(list, format);
	vsnprintf(message, sizeof(message), format, list);
	va_end(list);
	output_error("%s", message);
	if (common->json &&
	    output_json(json_pack("{s:s,s:s}", "error", code, "message", message)) != TOOL_DONE)
		return TOOL_IO;
	return exit_code;
}

/* Prints a failure in both forms. `tries` below 0: not known. */
static int tell(const struct common_options *common, const struct simtie_session *session,
		const char *what, int error, const char *text, int tries)
{
	char message[2 * MESSAGE_SIZE], sw[5];
	json_t *object;

	snprintf(message, sizeof(message), "%s%s%s", what ? what : "", what ? ": " : "", text);
	output_error("%s", message);
	if (!common->json)
		return card_exit_code(error);
	object = json_pack("{s:s,s:s}", "error", card_error_code(error), "message", message);
	if (error == SIMTIE_ERR_CARD && session) {
		snprintf(sw, sizeof(sw), "%04X", simtie_status_word(session));
		json_object_set_new(object, "statusWord", json_string(sw));
	}
	if (tries >= 0)
		json_object_set_new(object, "triesLeft", json_integer(tries));
	return output_json(object) == TOOL_DONE ? card_exit_code(error) : TOOL_IO;
}

int card_failed(const struct common_options *common, const struct simtie_session *session,
		const char *what, int error)
{
	char text[MESSAGE_SIZE];

	describe(session, error, errno, text);
	return tell(common, session, what, error, text, -1);
}

int card_failed_secret(const struct common_options *common, const struct simtie_session *session,
		       const char *what, int error, const char *name)
{
	uint16_t sw = error == SIMTIE_ERR_CARD ? simtie_status_word(session) : SIMTIE_SW_OK;
	bool puk = strcmp(name, "PUK") == 0;
	bool wrong = (sw & ~0xF) == SIMTIE_SW_TRIES_LEFT;
	int left = wrong ? sw & 0xF : 0;
	char text[MESSAGE_SIZE];

	if (!wrong && sw != SIMTIE_SW_BLOCKED)
		return card_failed(common, session, what, error);
	if (left > 0)
		snprintf(text, sizeof(text), "wrong %s, %d tr%s left; ask the holder again", name,
			 left, left == 1 ? "y" : "ies");
	else
		snprintf(text, sizeof(text), "%s%s is blocked; %s",
			 wrong ? "wrong, and it was the last try: the " : "the ", name,
			 puk ? "the holder needs a new SIM"
			     : "`simtie pin unblock` sets a new PIN with the PUK");
	return tell(common, session, what, error, text, left);
}
