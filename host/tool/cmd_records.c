/*
 * simtie records: what a SIM's operator has recorded of its holder, and who read it.
 */
#include "output.h"
#include "remote.h"

#include "simtie-service.h"

#include <stdio.h>
#include <string.h>

struct records {
	struct remote remote;
	const char *number;
};

static int challenge(struct records *records)
{
	struct remote *remote = &records->remote;
	struct https_answer answer;
	int result = remote_call(remote, "POST", "/v1/me/challenges", NULL, 0, false, &answer);

	if (result != TOOL_DONE)
		return result;
	result = answer.status == 201 ? remote_challenge(remote, answer.body, "generic")
				      : remote_refused(remote, &answer, "no challenge");
	json_decref(answer.body);
	return result;
}

/* How a registration ended, by what the operator calls it. */
static const char *ended_by(const json_t *entry)
{
	const char *by = json_string_value(json_object_get(entry, "endedBy"));

	if (by && strcmp(by, "MESSENGER") == 0)
		return " by the messenger";
	if (by && strcmp(by, "REPLACED") == 0)
		return ", replaced by a newer one";
	return by && strcmp(by, "CONTRACT") == 0 ? " with the contract" : "";
}

static void print_registration(const json_t *entry)
{
	char at[32], name[SIMTIE_AUDIENCE_MAX + 1], code[80];

	printf("  %-20s  %s, identification code %s",
	       remote_text(entry, "registeredAt", at, sizeof(at)),
	       remote_text(entry, "service", name, sizeof(name)),
	       remote_text(entry, "identificationCode", code, sizeof(code)));
	if (json_object_get(entry, "endedAt"))
		printf("; ended %s%s", remote_text(entry, "endedAt", at, sizeof(at)),
		       ended_by(entry));
	putchar('\n');
}

static void print_table(const json_t *body)
{
	const json_t *list = json_object_get(body, "registrations");
	char at[32], name[SIMTIE_AUDIENCE_MAX + 1], code[80], reason[200];
	const json_t *entry;
	size_t i;

	puts(json_array_size(list) ? "registrations:" : "registrations: none");
	json_array_foreach(list, i, entry) print_registration(entry);
	if (json_is_false(json_object_get(body, "complete")))
		puts("  and more that have ended, longer ago");
	puts("who looked at them:");
	json_array_foreach(json_object_get(body, "auditLog"), i, entry)
	{
		remote_text(entry, "reason", reason, sizeof(reason));
		printf("  %-20s  %s, %s%s%s\n", remote_text(entry, "at", at, sizeof(at)),
		       remote_text(entry, "actor", name, sizeof(name)),
		       remote_text(entry, "action", code, sizeof(code)), reason[0] ? ": " : "",
		       reason);
	}
}

static int fetch(const struct records *records, const uint8_t *token, size_t len)
{
	const struct remote *remote = &records->remote;
	json_t *body = json_pack("{s:s, s:o, s:o}", "phoneNumber", records->number, "nonce",
				 remote_bytes(remote->nonce, remote->nonce_len), "attestation",
				 remote_bytes(token, len));
	struct https_answer answer;
	int result = remote_call(remote, "POST", "/v1/me/registrations", body, 0, false, &answer);

	json_decref(body);
	if (result != TOOL_DONE)
		return result;
	if (answer.status != 200 || !answer.body)
		result = remote_refused(remote, &answer, "nothing is shown");
	else if (remote->common.json)
		result = output_json(json_incref(answer.body));
	else
		print_table(answer.body);
	json_decref(answer.body);
	return output_end(result);
}

static int run(struct records *records)
{
	uint8_t token[SIMTIE_TOKEN_MAX];
	size_t len = 0;
	int result = challenge(records);

	if (result == TOOL_DONE)
		result = remote_sign(&records->remote, SIMTIE_PURPOSE_GENERIC, NULL, token, &len);
	return result == TOOL_DONE ? fetch(records, token, len) : result;
}

int records_main(int argc, char **argv)
{
	struct records records = {.remote.pin = SECRET_PIN};
	const struct option_entry options[] = {
		{.name = "number",
		 .kind = OPTION_TEXT,
		 .target = &records.number,
		 .value = "+N",
		 .required = true,
		 .min = 1,
		 .help = "the SIM's phone number, +4915..."},
		REMOTE_OPTIONS(records.remote),
	};
	const struct command command = {
		.name = "records",
		.arguments = "URL",
		.text = "Shows what the operator at URL has recorded of the SIM's holder: her "
			"registrations,\nended ones too while they are kept, and who looked at "
			"them. The "
			"SIM proves that\nthey are hers. The PIN is her consent.",
		.groups = OPTIONS_READER | OPTIONS_JSON,
		.options = options,
		.count = sizeof(options) / sizeof(options[0]),
		.min_arguments = 1,
		.max_arguments = 1,
	};
	char **arguments;
	int result = options_parse(&command, &records.remote.common, argc, argv, &arguments);

	records.remote.command = &command;
	if (result == OPTIONS_GO && !simtie_number_valid(records.number))
		result = options_wrong(&command, "--number is not \"+\" and 5 to 15 digits");
	if (result == OPTIONS_GO)
		result = remote_check(&records.remote, arguments[0]);
	return result == OPTIONS_GO ? run(&records) : result;
}
