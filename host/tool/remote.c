#include "remote.h"

#include "output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int remote_check(struct remote *remote, const char *url)
{
	if (https_server_read(url, &remote->server))
		return OPTIONS_GO;
	return options_wrong(remote->command, "URL is not https://HOST[:PORT]");
}

void remote_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

const char *remote_text(const json_t *body, const char *name, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(body, name));

	return output_safe(text ? text : "", out, size);
}

json_t *remote_bytes(const uint8_t *bytes, size_t len)
{
	char *text = malloc((len + 2) / 3 * 4 + 1);
	json_t *json = text ? json_string(output_base64url(bytes, len, text)) : NULL;

	free(text);
	return json;
}

int remote_call(const struct remote *remote, const char *method, const char *path,
		const json_t *body, unsigned wait_s, bool quiet, struct https_answer *answer)
{
	if (https_call(&remote->server, method, path, body, wait_s, answer))
		return TOOL_DONE;
	if (quiet)
		return TOOL_IO;
	return card_refused(&remote->common, TOOL_IO, "NO_ANSWER", "no answer from %s, port %s: %s",
			    remote->server.host, remote->server.port, answer->error);
}

int remote_refused(const struct remote *remote, const struct https_answer *answer, const char *what)
{
	char code[64], message[300];
	const bool later = answer->status >= 500 || answer->status == 429 || answer->status < 400;

	remote_text(answer->body, "code", code, sizeof(code));
	remote_text(answer->body, "message", message, sizeof(message));
	if (!code[0])
		return card_refused(&remote->common, later ? TOOL_IO : TOOL_REFUSED, "UNEXPECTED",
				    "%s: the server answered %d, and not as such a service does",
				    what, answer->status);
	return card_refused(&remote->common, later ? TOOL_IO : TOOL_REFUSED, code, "%s: %s", what,
			    message);
}

/* Whether a server of this name may ask for a signature for `audience` without having been trusted
 * to by name: it is it, or lies under it. A server elsewhere could pass on another's challenge. */
static bool speaks_for(const char *host, const char *audience)
{
	const size_t host_len = strlen(host), len = strlen(audience);

	if (strcasecmp(host, audience) == 0)
		return true;
	return strchr(audience, '.') && host_len > len && host[host_len - len - 1] == '.' &&
	       strcasecmp(host + host_len - len, audience) == 0;
}

int remote_challenge(struct remote *remote, const json_t *body, const char *purpose)
{
	const char *audience = json_string_value(json_object_get(body, "audience"));
	const char *nonce = json_string_value(json_object_get(body, "nonce"));
	const char *asked = json_string_value(json_object_get(body, "purpose"));
	char safe[SIMTIE_AUDIENCE_MAX + 1];
	long len =
		nonce ? input_base64url(nonce, strlen(nonce), remote->nonce, sizeof(remote->nonce))
		      : -1;

	/* What a terminal could not show as it is is no audience either. */
	output_safe(audience ? audience : "", safe, sizeof(safe));
	if (!audience || !*audience || strcmp(safe, audience) != 0 || !asked ||
	    strcmp(asked, purpose) != 0 || len < SIMTIE_NONCE_MIN || len > SIMTIE_NONCE_MAX)
		return card_refused(&remote->common, TOOL_IO, "UNEXPECTED",
				    "the server gave no challenge of purpose %s", purpose);
	remote->nonce_len = (size_t)len;
	if (remote->expected && strcmp(remote->expected, audience) != 0)
		return card_refused(&remote->common, TOOL_REFUSED, "WRONG_AUDIENCE",
				    "nothing was signed: the server asks for a signature for "
				    "audience %s, not for the expected one",
				    safe);
	if (!remote->expected && !speaks_for(remote->server.host, audience))
		return card_refused(
			&remote->common, TOOL_REFUSED, "WRONG_AUDIENCE",
			"nothing was signed: %s asks for a signature for audience %s; if "
			"that is whom you mean, say so by --audience",
			remote->server.host, safe);
	memcpy(remote->audience, audience, strlen(audience) + 1);
	remote_say("the SIM is to sign for %s, purpose %s", safe, purpose);
	return TOOL_DONE;
}

int remote_sign(const struct remote *remote, uint8_t purpose, const uint8_t *thumbprint,
		uint8_t token[SIMTIE_TOKEN_MAX], size_t *len)
{
	const struct simtie_challenge challenge = {
		.audience = remote->audience,
		.nonce = remote->nonce,
		.nonce_len = remote->nonce_len,
		.thumbprint = thumbprint,
		.purpose = purpose,
	};
	struct simtie_session *session = NULL;
	char pin[SECRET_SIZE];
	int error, result = secret_read(remote->command, &remote->pin, false, pin);

	if (result == TOOL_DONE)
		result = card_open_applet(&remote->common, &session, NULL);
	if (result == TOOL_DONE) {
		error = simtie_attest(session, &challenge, pin, false, token, len, NULL);
		if (error)
			result = card_failed_secret(&remote->common, session, "nothing was signed",
						    error, "PIN");
		simtie_close(&session);
	}
	secret_wipe(pin);
	return result;
}
