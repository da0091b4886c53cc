/*
 * simtie provision verify: whether the card in a reader is what its record claims.
 */
#include "provision_run.h"

#include "ber.h"
#include "card.h"
#include "channel.h"
#include "contract.h"
#include "output.h"
#include "tlv.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verify {
	struct common_options common;
	const struct command *command;
	const char *records;
	struct keys_source keys_source;
	struct keys keys;
	struct simtie_session *session;
	struct simtie_info info;
	char iccid[OUTPUT_ICCID_SIZE];
	json_t *record;
	char wrong[PROVISION_TEXT_MAX]; /* the first that is not as recorded; "" */
};

static void differ(struct verify *v, const char *what)
{
	if (!v->wrong[0])
		snprintf(v->wrong, sizeof(v->wrong), "%s", what);
}

/* ---- The record ---- */

static int read_record(struct verify *v)
{
	FILE *file = fopen(v->records, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (!file)
		return card_failed(&v->common, NULL, "cannot read the records", SIMTIE_ERR_FILE);
	while (!v->record && (len = getline(&line, &size, file)) > 0) {
		json_t *root = json_loadb(line, (size_t)len, JSON_REJECT_DUPLICATES, NULL);
		const char *iccid = json_string_value(json_object_get(root, "iccid"));

		if (iccid && strcmp(iccid, v->iccid) == 0)
			v->record = json_incref(root);
		json_decref(root);
	}
	if (line)
		explicit_bzero(line, size);
	free(line);
	fclose(file);
	if (v->record)
		return TOOL_DONE;
	return card_refused(&v->common, TOOL_REFUSED, "NO_RECORD",
			    "%s: no record of this card is in %s", v->iccid, v->records);
}

/* ---- What the card says ---- */

static int check_certificate(struct verify *v)
{
	const char *text = json_string_value(json_object_get(v->record, "certificate"));
	uint8_t certificate[SIMTIE_CERTIFICATE_MAX];
	char found[SIMTIE_CERTIFICATE_MAX * 4 / 3 + 8];
	size_t len;
	int error = simtie_get_certificate(v->session, certificate, sizeof(certificate), &len);

	if (error == SIMTIE_ERR_CARD) {
		differ(v, "no certificate is on the card");
		return TOOL_DONE;
	}
	if (error)
		return card_failed(&v->common, v->session, "cannot read the certificate", error);
	EVP_EncodeBlock((unsigned char *)found, certificate, (int)len);
	if (!text || strcmp(text, found) != 0)
		differ(v, "the certificate on the card is not the record's");
	return TOOL_DONE;
}

/* Whether the operator's key set is there and, with --new-keys, whether it is what the file says.
 */
static int check_keys(struct verify *v)
{
	const json_int_t version = json_integer_value(json_object_get(v->record, "keyVersion"));
	struct simtie_key_set sets[SIMTIE_KEY_SETS_MAX];
	size_t count;
	bool found = false;
	const char *why = "";
	int error = simtie_select_domain(v->session);

	if (!error)
		error = simtie_get_key_sets(v->session, sets, &count);
	if (error)
		return card_failed(&v->common, v->session, "cannot read the key sets", error);
	for (size_t i = 0; i < count; i++)
		found |= sets[i].version == version;
	if (!found)
		differ(v, "the card has no key set of the recorded version");
	if (!found || !v->keys_source.file)
		return TOOL_DONE;
	v->keys.set.version = (uint8_t)version;
	error = channel_open(v->session, &v->keys, v->info.has_iccid ? v->info.iccid : NULL,
			     SIMTIE_SECURITY_LEVEL_C_MAC, NULL, &why);
	if (error == SIMTIE_ERR_SECURE || error == SIMTIE_ERR_CARD)
		differ(v, "its keys are not those of the key file");
	else if (error)
		return card_refused(&v->common, card_exit_code(error), card_error_code(error),
				    "cannot open the secure channel: %s", why);
	return TOOL_DONE;
}

/* Whether the card is locked. Only a session may ask: without keys nobody knows. */
static int check_locked(struct verify *v)
{
	const uint8_t get[] = {CLA_GET_STATUS,
			       INS_GET_STATUS,
			       STATUS_OF_DOMAIN,
			       STATUS_FORM_TLV,
			       2,
			       TAG_STATUS_AID,
			       0,
			       0};
	uint8_t answer[256];
	struct bytes entry, rest;
	struct ber object;
	size_t len;
	int error;

	if (!simtie_secure_is_open(v->session))
		return TOOL_DONE;
	error = simtie_transmit(v->session, get, sizeof(get), answer, sizeof(answer), &len);
	if (error)
		return card_failed(&v->common, v->session, "cannot ask whether it is locked",
				   error);
	if (!tlv_only(bytes_of(answer, len), TAG_STATUS_ENTRY, &entry))
		entry = bytes_of(NULL, 0);
	for (rest = entry; rest.len > 0 && ber_next(&rest, &object);)
		if (object.tag == TAG_STATUS_LIFECYCLE && object.value.len == 1 &&
		    object.value.ptr[0] == CARD_STATE_SECURED)
			return TOOL_DONE;
	differ(v, "the card is not locked");
	return TOOL_DONE;
}

static int check(struct verify *v)
{
	int result;

	if (v->info.lifecycle != SIMTIE_LIFECYCLE_PERSONALISED)
		differ(v, v->info.lifecycle == SIMTIE_LIFECYCLE_FACTORY ? "the card is in factory"
									: "the card is terminated");
	result = check_certificate(v);
	if (result == TOOL_DONE)
		result = check_keys(v);
	return result == TOOL_DONE ? check_locked(v) : result;
}

static int print_result(const struct verify *v)
{
	const bool good = v->wrong[0] == '\0';
	int result;

	if (v->common.json)
		result = output_json(json_pack(
			"{s:s,s:b,s:s?,s:b,s:b}", "iccid", v->iccid, "asRecorded", good, "reason",
			good ? NULL : v->wrong, "keysChecked", v->keys_source.file != NULL,
			"testKeys", json_is_true(json_object_get(v->record, "testKeys"))));
	else {
		printf("%s: %s%s%s\n", v->iccid,
		       good ? "the card is what its record claims" : "not as recorded: ",
		       good ? "" : v->wrong,
		       good && !v->keys_source.file
			       ? "; keys and lock were not checked, for want of --new-keys"
			       : "");
		result = output_end(TOOL_DONE);
	}
	return result == TOOL_DONE && !good ? TOOL_REFUSED : result;
}

static int run(struct verify *v)
{
	int result = v->keys_source.file
			     ? channel_read(&v->common, v->command, &v->keys_source, &v->keys)
			     : TOOL_DONE;

	if (result == TOOL_DONE)
		result = card_open_applet(&v->common, &v->session, &v->info);
	if (result == TOOL_DONE && !v->info.has_iccid)
		result = card_refused(&v->common, TOOL_REFUSED, "NO_RECORD",
				      "the card has no ICCID: it was not provisioned");
	if (result == TOOL_DONE) {
		output_iccid(v->info.iccid, v->iccid);
		result = read_record(v);
	}
	if (result == TOOL_DONE)
		result = check(v);
	if (result == TOOL_DONE)
		result = print_result(v);
	simtie_close(&v->session);
	keys_wipe(&v->keys);
	json_decref(v->record);
	return result;
}

int provision_verify_main(int argc, char **argv)
{
	struct verify v = {.records = NULL};
	const struct option_entry options[] = {
		{.name = "records",
		 .kind = OPTION_TEXT,
		 .target = &v.records,
		 .value = "FILE",
		 .required = true,
		 .min = 1,
		 .help = "records.jsonl of the run that provisioned the card"},
		{.name = "new-keys",
		 .kind = OPTION_TEXT,
		 .target = &v.keys_source.file,
		 .value = "FILE",
		 .min = 1,
		 .help = "the operator's keys, to see that they open the card and that it\n"
			 "is locked"},
	};
	const struct command command = {
		.name = "provision verify",
		.text = "Says whether the card in the reader is what its record claims: lifecycle, "
			"certificate and\nkey set; with --new-keys also that these keys open it "
			"and "
			"that it is locked.",
		.groups = OPTIONS_READER | OPTIONS_JSON,
		.options = options,
		.count = sizeof(options) / sizeof(options[0]),
	};
	int result = options_parse(&command, &v.common, argc, argv, NULL);

	if (result != OPTIONS_GO)
		return result;
	v.command = &command;
	return run(&v);
}
