/*
 * simtie ca show: an authority with all that it issued, or one certificate in a file.
 */
#include "authority.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a file with a certificate in it: PEM with a text before it may be long. */
#define FILE_MAX 65536

static const char *time_status(time_t not_before, time_t not_after)
{
	const time_t now = time(NULL);

	return now < not_before ? "notYetValid" : now > not_after ? "expired" : "valid";
}

static const char *entry_status(const struct ca_entry *entry)
{
	return entry->revoked ? "revoked" : time_status(entry->not_before, entry->not_after);
}

/* ---- One file ---- */

/* Without an authority nothing is known of revocation; with one it may be another's certificate. */
static const char *file_status(const struct ca_facts *facts, const struct ca_contents *contents,
			       const struct ca_entry **entry)
{
	*entry = contents ? ca_contents_find(contents, facts->fingerprint) : NULL;
	if (*entry)
		return entry_status(*entry);
	if (contents &&
	    memcmp(contents->root.fingerprint, facts->fingerprint, CA_FINGERPRINT_SIZE) != 0)
		return "foreign";
	return time_status(facts->not_before, facts->not_after);
}

static void add_revocation(json_t *object, const struct ca_entry *entry)
{
	char when[AUTHORITY_TIME_SIZE];

	if (!entry || !entry->revoked)
		return;
	json_object_set_new(object, "revokedAt",
			    json_string(authority_time(entry->revoked_at, when)));
	json_object_set_new(object, "reason", json_string(ca_reason_name(entry->reason)));
}

static int file_json(const struct ca_facts *facts, const char *status, const struct ca_entry *entry)
{
	json_t *object = authority_json(facts->serial, facts->serial_len, facts->not_before,
					facts->not_after, facts->fingerprint);

	if (!object)
		return output_json(NULL);
	json_object_set_new(object, "subject", json_string(facts->subject));
	json_object_set_new(object, "issuer", json_string(facts->issuer));
	json_object_set_new(object, "iccid",
			    facts->iccid[0] ? json_string(facts->iccid) : json_null());
	json_object_set_new(object, "authority", json_boolean(facts->authority));
	json_object_set_new(object, "status", json_string(status));
	add_revocation(object, entry);
	return output_json(object);
}

static int file_text(const struct ca_facts *facts, const char *status, const struct ca_entry *entry)
{
	char safe[CA_SUBJECT_SIZE], when[AUTHORITY_TIME_SIZE];

	output_line("subject", "%s", output_safe(facts->subject, safe, sizeof(safe)));
	output_line("issuer", "%s", output_safe(facts->issuer, safe, sizeof(safe)));
	output_line("ICCID", "%s", facts->iccid[0] ? facts->iccid : "none");
	authority_print(facts->serial, facts->serial_len, facts->not_before, facts->not_after,
			facts->fingerprint);
	if (entry && entry->revoked)
		output_line("status", "%s at %s, %s", status,
			    authority_time(entry->revoked_at, when), ca_reason_name(entry->reason));
	else
		output_line("status", "%s", status);
	return output_end(TOOL_DONE);
}

static int show_file(const struct authority_options *options, const struct ca_contents *contents)
{
	uint8_t *bytes = malloc(FILE_MAX);
	const struct ca_entry *entry;
	struct ca_facts facts;
	const char *status;
	size_t len;
	int error;

	if (!bytes)
		error = CA_ERR_LIBRARY;
	else if (input_file(options->file, bytes, FILE_MAX, &len))
		error = CA_ERR_FILE;
	else
		error = len > FILE_MAX ? CA_ERR_FORMAT
				       : ca_facts_read(bytes_of(bytes, len), &facts);
	if (error) {
		const int cause = errno;

		free(bytes);
		errno = cause;
		return authority_failed(options, "cannot show the file", error);
	}
	free(bytes);
	status = file_status(&facts, contents, &entry);
	return options->common.json ? file_json(&facts, status, entry)
				    : file_text(&facts, status, entry);
}

/* ---- A directory ---- */

static bool wanted(const struct authority_options *options, const struct ca_entry *entry)
{
	if (options->serial.len &&
	    (options->serial.len != CA_SERIAL_SIZE ||
	     memcmp(options->serial.bytes, entry->serial, CA_SERIAL_SIZE) != 0))
		return false;
	return !options->iccid || strcmp(options->iccid, entry->iccid) == 0;
}

static json_t *entry_json(const struct ca_entry *entry)
{
	json_t *object = authority_json(entry->serial, CA_SERIAL_SIZE, entry->not_before,
					entry->not_after, entry->fingerprint);

	if (!object)
		return NULL;
	json_object_set_new(object, "iccid", json_string(entry->iccid));
	json_object_set_new(object, "status", json_string(entry_status(entry)));
	add_revocation(object, entry);
	return object;
}

static int directory_json(const struct authority_options *options,
			  const struct ca_contents *contents)
{
	const struct ca_facts *root = &contents->root;
	char from[AUTHORITY_TIME_SIZE], until[AUTHORITY_TIME_SIZE];
	json_t *authority = authority_json(root->serial, root->serial_len, root->not_before,
					   root->not_after, root->fingerprint);
	json_t *list = json_array();

	json_object_set_new(authority, "subject", json_string(root->subject));
	json_object_set_new(authority, "status",
			    json_string(time_status(root->not_before, root->not_after)));
	for (size_t i = 0; i < contents->count; i++) {
		if (wanted(options, &contents->entries[i]))
			json_array_append_new(list, entry_json(&contents->entries[i]));
	}
	return output_json(json_pack("{s:o,s:{s:I,s:s,s:s,s:b},s:o}", "authority", authority, "crl",
				     "number", (json_int_t)contents->crl_number, "thisUpdate",
				     authority_time(contents->crl_this_update, from), "nextUpdate",
				     authority_time(contents->crl_next_update, until), "behind",
				     contents->crl_behind, "certificates", list));
}

static void print_crl(const struct ca_contents *contents)
{
	char until[AUTHORITY_TIME_SIZE];

	output_line("CRL", "number %llu, valid to %s", (unsigned long long)contents->crl_number,
		    authority_time(contents->crl_next_update, until));
	if (contents->crl_behind)
		output_line("caution", "crl.pem is not that list; `simtie ca crl` makes it anew");
	else if (contents->crl_next_update < time(NULL))
		output_line("caution", "the CRL has run out; `simtie ca crl` signs it anew");
}

static int directory_text(const struct authority_options *options,
			  const struct ca_contents *contents)
{
	const struct ca_facts *root = &contents->root;
	char safe[CA_SUBJECT_SIZE], serial[OUTPUT_HEX_SIZE(CA_SERIAL_SIZE)];
	char until[AUTHORITY_TIME_SIZE];
	size_t revoked = 0;

	for (size_t i = 0; i < contents->count; i++)
		revoked += contents->entries[i].revoked;
	output_line("authority", "%s", output_safe(root->subject, safe, sizeof(safe)));
	authority_print(root->serial, root->serial_len, root->not_before, root->not_after,
			root->fingerprint);
	output_line("status", "%s", time_status(root->not_before, root->not_after));
	print_crl(contents);
	output_line("certificates", "%zu, %zu of them revoked", contents->count, revoked);
	for (size_t i = 0; i < contents->count; i++) {
		const struct ca_entry *entry = &contents->entries[i];

		if (wanted(options, entry))
			printf("%s  %-20s  until %s  %s\n",
			       output_hex(entry->serial, CA_SERIAL_SIZE, serial), entry->iccid,
			       authority_time(entry->not_after, until), entry_status(entry));
	}
	return output_end(TOOL_DONE);
}

static int show_directory(const struct authority_options *options,
			  const struct ca_contents *contents)
{
	size_t found = 0;

	for (size_t i = 0; i < contents->count; i++)
		found += wanted(options, &contents->entries[i]);
	if (found == 0 && (options->serial.len || options->iccid))
		return authority_failed(options, "nothing to show", CA_ERR_NOT_ISSUED);
	return options->common.json ? directory_json(options, contents)
				    : directory_text(options, contents);
}

int authority_show(const struct authority_options *options)
{
	struct ca_contents contents;
	int result, error;

	if (!options->directory && !options->file)
		return options_wrong(options->command, "`ca show` takes --dir or a FILE");
	if (options->file && (options->iccid || options->serial.len))
		return options_wrong(options->command,
				     "`ca show FILE` takes neither --iccid nor --serial");
	if (!options->directory)
		return show_file(options, NULL);
	error = ca_contents_read(options->directory, &contents);
	if (error)
		result = authority_failed(options, "cannot read the authority", error);
	else if (options->file)
		result = show_file(options, &contents);
	else
		result = show_directory(options, &contents);
	ca_contents_free(&contents);
	return result;
}
