/*
 * simtie register: a registration at a messenger, from the challenge to its answer.
 */
#include "output.h"
#include "remote.h"

#include "simtie-service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_S    20  /* of a long poll */
#define SILENCE_S 120 /* a messenger that answers nothing for so long is given up */
#define PAUSE_S   1   /* before it is asked again */

struct enrol {
	struct remote remote;
	const char *number, *operator_name, *operator_key;
	bool seal;
	struct option_bytes thumbprint;
	char id[64]; /* of the registration */
	char to[SIMTIE_AUDIENCE_MAX + 1];
	struct simtie_service_key *sealing;
	uint8_t token[SIMTIE_TOKEN_MAX];
	size_t token_len;
};

static int read_key(struct enrol *enrol)
{
	int error;

	if (!enrol->seal)
		return TOOL_DONE;
	error = simtie_service_key_read(enrol->operator_key, NULL, &enrol->sealing);
	if (error == 0)
		return TOOL_DONE;
	return card_refused(
		&enrol->remote.common, TOOL_IO, "OPERATOR_KEY", "%s: %s", enrol->operator_key,
		error == SIMTIE_SERVICE_ERR_FILE && errno ? strerror(errno)
							  : simtie_service_strerror(error));
}

/* ---- The challenge ---- */

static json_t *begin_body(const struct enrol *enrol)
{
	json_t *body = json_pack("{s:s*, s:s*}", "phoneNumber", enrol->seal ? NULL : enrol->number,
				 "operator", enrol->operator_name);

	if (body && enrol->thumbprint.len)
		json_object_set_new(body, "clientKey",
				    remote_bytes(enrol->thumbprint.bytes, enrol->thumbprint.len));
	return body;
}

static int begin(struct enrol *enrol)
{
	struct remote *remote = &enrol->remote;
	struct https_answer answer;
	json_t *body = begin_body(enrol);
	int result = remote_call(remote, "POST", "/v1/registrations", body, 0, false, &answer);

	json_decref(body);
	if (result != TOOL_DONE)
		return result;
	if (answer.status != 201)
		result = remote_refused(remote, &answer, "not registered");
	else
		result = remote_challenge(remote, answer.body, "registration");
	if (result == TOOL_DONE) {
		remote_text(answer.body, "registrationId", enrol->id, sizeof(enrol->id));
		remote_text(answer.body, "operator", enrol->to, sizeof(enrol->to));
		if (json_is_true(json_object_get(answer.body, "sealing")) != enrol->seal ||
		    !enrol->id[0] ||
		    strspn(enrol->id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
				      "qrstuvwxyz0123456789-_") != strlen(enrol->id))
			result = card_refused(
				&remote->common, TOOL_IO, "UNEXPECTED",
				"the server's challenge is not one that was asked for");
	}
	json_decref(answer.body);
	return result;
}

/* ---- The attestation ---- */

static json_t *attestation_body(const struct enrol *enrol)
{
	const struct remote *remote = &enrol->remote;
	json_t *body =
		json_pack("{s:o}", "attestation", remote_bytes(enrol->token, enrol->token_len));
	uint8_t sealed[SIMTIE_SEALED_NUMBER_MAX];
	size_t len;

	if (!body || !enrol->seal)
		return body;
	if (simtie_number_seal(enrol->sealing, remote->audience, remote->nonce, remote->nonce_len,
			       enrol->number, sealed, &len) ||
	    json_object_set_new(body, "sealedNumber", remote_bytes(sealed, len))) {
		json_decref(body);
		return NULL;
	}
	return body;
}

/* Asks until there is an answer that the service means: a messenger that starts anew meanwhile is
 * waited for. The same body each time, which is answered the same. */
static int ask(const struct enrol *enrol, const char *method, const char *path, const json_t *body,
	       unsigned wait_s, struct https_answer *answer)
{
	const time_t until = time(NULL) + SILENCE_S;
	bool told = false;

	while (time(NULL) < until) {
		if (remote_call(&enrol->remote, method, path, body, wait_s, true, answer) ==
			    TOOL_DONE &&
		    answer->status != 503 && answer->status != 429)
			return TOOL_DONE;
		json_decref(answer->body);
		if (!told)
			remote_say("the messenger does not answer now; asking again");
		told = true;
		sleep(PAUSE_S);
	}
	return remote_call(&enrol->remote, method, path, body, wait_s, false, answer);
}

static int send_attestation(const struct enrol *enrol)
{
	char path[128];
	struct https_answer answer;
	json_t *body = attestation_body(enrol);
	int result;

	snprintf(path, sizeof(path), "/v1/registrations/%s/attestation", enrol->id);
	if (!body)
		return card_refused(&enrol->remote.common, TOOL_IO, "SEAL",
				    "the number could not be sealed to the operator's key");
	result = ask(enrol, "POST", path, body, 0, &answer);
	json_decref(body);
	if (result == TOOL_DONE && answer.status != 202)
		result = remote_refused(&enrol->remote, &answer, "not registered");
	json_decref(answer.body);
	return result;
}

/* ---- What came of it ---- */

static int print(const struct enrol *enrol, const json_t *body)
{
	char state[32], since[32], reason[64], message[200];

	remote_text(body, "state", state, sizeof(state));
	remote_text(body, "since", since, sizeof(since));
	remote_text(body, "reason", reason, sizeof(reason));
	remote_text(body, "message", message, sizeof(message));
	if (enrol->remote.common.json)
		return output_json(json_pack(
			"{s:s, s:s, s:s, s:b, s:s, s:s, s:s*, s:s*}", "registrationId", enrol->id,
			"audience", enrol->remote.audience, "operator", enrol->to, "numberSealed",
			enrol->seal, "state", state, "since", since, "reason",
			reason[0] ? reason : NULL, "message", message[0] ? message : NULL));
	output_line("registration", "%s", state);
	output_line("since", "%s", since);
	if (reason[0])
		output_line("reason", "%s, %s", reason, message);
	output_line("messenger", "%s", enrol->remote.audience);
	output_line("operator", "%s", enrol->to);
	output_line("number", "%s",
		    enrol->seal ? "sealed: the messenger was not told it"
				: "known to the messenger");
	output_line("registration id", "%s", enrol->id);
	return TOOL_DONE;
}

static int await(const struct enrol *enrol)
{
	char path[128];
	struct https_answer answer;
	const char *state = "PENDING";
	int result = TOOL_DONE;

	snprintf(path, sizeof(path), "/v1/registrations/%s?wait=%d", enrol->id, POLL_S);
	remote_say("signed; waiting for the operator's answer");
	while (result == TOOL_DONE) {
		result = ask(enrol, "GET", path, NULL, POLL_S, &answer);
		if (result != TOOL_DONE)
			break;
		state = json_string_value(json_object_get(answer.body, "state"));
		if (answer.status != 200 || !state)
			result = remote_refused(&enrol->remote, &answer, "not registered");
		else if (strcmp(state, "PENDING") != 0)
			break;
		json_decref(answer.body);
		answer.body = NULL;
	}
	if (result == TOOL_DONE) {
		result = print(enrol, answer.body);
		if (result == TOOL_DONE && strcmp(state, "REGISTERED") != 0)
			result = TOOL_REFUSED;
	}
	json_decref(answer.body);
	return output_end(result);
}

static int run(struct enrol *enrol)
{
	int result = read_key(enrol);

	if (result == TOOL_DONE)
		result = begin(enrol);
	if (result == TOOL_DONE)
		result = remote_sign(&enrol->remote, SIMTIE_PURPOSE_REGISTRATION,
				     enrol->thumbprint.len ? enrol->thumbprint.bytes : NULL,
				     enrol->token, &enrol->token_len);
	if (result == TOOL_DONE)
		result = send_attestation(enrol);
	if (result == TOOL_DONE)
		result = await(enrol);
	simtie_service_key_free(&enrol->sealing);
	return result;
}

static int check(struct enrol *enrol, const char *url)
{
	const struct command *command = enrol->remote.command;

	if (!simtie_number_valid(enrol->number))
		return options_wrong(command, "--number is not \"+\" and 5 to 15 digits");
	if (enrol->seal && (!enrol->operator_name || !enrol->operator_key))
		return options_wrong(command, "--seal-number needs --operator and --operator-key");
	if (!enrol->seal && enrol->operator_key)
		return options_wrong(command, "--operator-key is for --seal-number");
	return remote_check(&enrol->remote, url);
}

int register_main(int argc, char **argv)
{
	struct enrol enrol = {.remote.pin = SECRET_PIN};
	const struct option_entry options[] = {
		{.name = "number",
		 .kind = OPTION_TEXT,
		 .target = &enrol.number,
		 .value = "+N",
		 .required = true,
		 .min = 1,
		 .help = "the phone number to register, +4915..."},
		{.name = "seal-number",
		 .kind = OPTION_FLAG,
		 .target = &enrol.seal,
		 .help = "seal it to the operator: the messenger never learns it"},
		{.name = "operator",
		 .kind = OPTION_TEXT,
		 .target = &enrol.operator_name,
		 .value = "NAME",
		 .min = 1,
		 .max = SIMTIE_AUDIENCE_MAX,
		 .help = "the SIM's operator: of a sealed number, or of one that was ported"},
		{.name = "operator-key",
		 .kind = OPTION_TEXT,
		 .target = &enrol.operator_key,
		 .value = "FILE",
		 .min = 1,
		 .help = "its sealing certificate (PEM), from the operator itself"},
		{.name = "thumbprint",
		 .kind = OPTION_HEX,
		 .target = &enrol.thumbprint,
		 .value = "HEX",
		 .min = SIMTIE_THUMBPRINT_SIZE,
		 .max = SIMTIE_THUMBPRINT_SIZE,
		 .help = "vouch for the client whose key has this thumbprint (RFC 9679)"},
		REMOTE_OPTIONS(enrol.remote),
	};
	const struct command command = {
		.name = "register",
		.arguments = "URL",
		.text = "Registers a phone number at the messenger at URL: takes its challenge, "
			"has "
			"the SIM sign\nit, waits for the answer. Shows for whom the SIM signs "
			"before it does. The PIN is the\nholder's consent.",
		.groups = OPTIONS_READER | OPTIONS_JSON,
		.options = options,
		.count = sizeof(options) / sizeof(options[0]),
		.min_arguments = 1,
		.max_arguments = 1,
	};
	char **arguments;
	int result = options_parse(&command, &enrol.remote.common, argc, argv, &arguments);

	enrol.remote.command = &command;
	if (result == OPTIONS_GO)
		result = check(&enrol, arguments[0]);
	return result == OPTIONS_GO ? run(&enrol) : result;
}
