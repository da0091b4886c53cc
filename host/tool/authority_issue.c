/*
 * simtie ca init, issue, revoke, crl: what changes an authority.
 */
#include "authority.h"

#include "card.h"

#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

int authority_init(const struct authority_options *options)
{
	const struct ca_settings settings = {
		.name = options->name ? options->name : "simtie operator CA",
		.organisation = options->organisation,
		.days = options->days.value,
	};
	char passphrase[PASSPHRASE_SIZE];
	int result, error;

	if (ca_create_taken(options->directory))
		return authority_failed(options, "no authority was made", CA_ERR_EXISTS);
	result = passphrase_read(options->command, &options->passphrase, CA_PASSPHRASE_MIN, true,
				 passphrase);
	if (result != TOOL_DONE)
		return result;
	error = ca_create(options->directory, &settings,
			  bytes_of((const uint8_t *)passphrase, strlen(passphrase)));
	passphrase_wipe(passphrase);
	if (error == CA_ERR_ARGUMENT)
		return options_wrong(options->command,
				     "--name and --organisation take 1 to %d characters of UTF-8 "
				     "without control characters",
				     CA_NAME_MAX);
	if (error)
		return authority_failed(options, "no authority was made", error);
	return authority_show(options);
}

/* The key to be certified: as digits, or from the card's record. */
static int read_public_key(const struct authority_options *options,
			   uint8_t point[static SIMTIE_POINT_SIZE])
{
	struct simtie_record record;
	int error;

	if (!options->public_key == !options->record)
		return options_wrong(options->command,
				     "`ca issue` takes either --public-key or --record");
	if (options->public_key) {
		if (input_hex(options->public_key, point, SIMTIE_POINT_SIZE) != SIMTIE_POINT_SIZE)
			return options_wrong(options->command,
					     "--public-key takes an uncompressed point, %d bytes "
					     "in hexadecimal",
					     SIMTIE_POINT_SIZE);
		return TOOL_DONE;
	}
	error = simtie_record_read(options->record, &record);
	if (error)
		return card_failed(&options->common, NULL, "cannot read the card's record", error);
	memcpy(point, record.key.device_public, SIMTIE_POINT_SIZE);
	explicit_bzero(&record, sizeof(record));
	return TOOL_DONE;
}

static int write_certificate(const struct authority_options *options,
			     const struct ca_issued *issued)
{
	BIO *pem;
	char *text;
	int failed;

	if (!options->pem)
		return output_file(options->output, issued->certificate, issued->len);
	pem = BIO_new(BIO_s_mem());
	failed = !pem || PEM_write_bio(pem, PEM_STRING_X509, "", issued->certificate,
				       (long)issued->len) <= 0;
	if (failed)
		errno = ENOMEM;
	else
		failed = output_file(options->output, text, (size_t)BIO_get_mem_data(pem, &text));
	BIO_free(pem);
	return failed ? -1 : 0;
}

static int print_issued(const struct authority_options *options, const struct ca_issued *issued)
{
	const struct ca_entry *entry = &issued->entry;
	json_t *object;

	if (strcmp(options->output, "-") == 0)
		return output_end(TOOL_DONE);
	if (!options->common.json) {
		output_line("ICCID", "%s", entry->iccid);
		authority_print(entry->serial, CA_SERIAL_SIZE, entry->not_before, entry->not_after,
				entry->fingerprint);
		output_line("certificate", "%s, %zu bytes of DER", options->output, issued->len);
		return output_end(TOOL_DONE);
	}
	object = authority_json(entry->serial, CA_SERIAL_SIZE, entry->not_before, entry->not_after,
				entry->fingerprint);
	json_object_set_new(object, "iccid", json_string(entry->iccid));
	json_object_set_new(object, "size", json_integer((json_int_t)issued->len));
	json_object_set_new(object, "certificate", json_string(options->output));
	return output_json(object);
}

static int issue(const struct authority_options *options, struct ca *ca,
		 const uint8_t point[static SIMTIE_POINT_SIZE])
{
	const struct ca_request request = {
		.device_public = point,
		.iccid = options->iccid,
		.days = options->days.value,
		.crl_url = options->crl_url,
	};
	char serial[OUTPUT_HEX_SIZE(CA_SERIAL_SIZE)];
	struct ca_issued issued;
	int error = ca_issue(ca, &request, &issued);

	if (error == CA_ERR_ARGUMENT)
		return options_wrong(options->command,
				     "--crl-url takes an http or https URL of at most %d bytes",
				     CA_URL_MAX);
	if (error)
		return authority_failed(options, "no certificate was issued", error);
	if (write_certificate(options, &issued))
		return card_refused(&options->common, TOOL_IO, "FILE",
				    "certificate %s was issued but cannot be written: %s; issue "
				    "another, and revoke this one",
				    output_hex(issued.entry.serial, CA_SERIAL_SIZE, serial),
				    strerror(errno));
	return print_issued(options, &issued);
}

int authority_issue(const struct authority_options *options)
{
	uint8_t point[SIMTIE_POINT_SIZE];
	struct ca *ca;
	int result;

	if (!options->iccid)
		return options_wrong(options->command, "--iccid is missing");
	if (!options->output)
		return options_wrong(options->command, "--output is missing");
	if (options->common.json && strcmp(options->output, "-") == 0)
		return options_wrong(options->command, "--json and --output - would mix");
	result = read_public_key(options, point);
	if (result == TOOL_DONE)
		result = authority_open(options, &ca);
	if (result != TOOL_DONE)
		return result;
	result = issue(options, ca, point);
	ca_close(&ca);
	return result;
}

/* Prints what was done and which list holds now. `revoked` below 0: none was to be. */
static int print_crl(const struct authority_options *options, long revoked)
{
	char until[AUTHORITY_TIME_SIZE];
	struct ca_contents contents;
	int error = ca_contents_read(options->directory, &contents);
	json_t *object;

	if (error) {
		ca_contents_free(&contents);
		return authority_failed(options, "done, but the authority cannot be read", error);
	}
	authority_time(contents.crl_next_update, until);
	if (options->common.json) {
		object = json_pack("{s:I,s:s}", "crlNumber", (json_int_t)contents.crl_number,
				   "nextUpdate", until);
		if (revoked >= 0)
			json_object_set_new(object, "revoked", json_integer(revoked));
		ca_contents_free(&contents);
		return output_json(object);
	}
	if (revoked == 0)
		output_line("revoked", "before; nothing is left to do");
	else if (revoked > 0)
		output_line("revoked", "%ld certificate%s", revoked, revoked == 1 ? "" : "s");
	output_line("CRL", "number %llu, valid to %s: publish %s/crl.pem",
		    (unsigned long long)contents.crl_number, until, options->directory);
	ca_contents_free(&contents);
	return output_end(TOOL_DONE);
}

int authority_revoke(const struct authority_options *options)
{
	static const enum ca_reason reasons[] = {CA_KEY_COMPROMISE, CA_SUPERSEDED, CA_CESSATION};
	const struct ca_selector selector = {
		.serial = options->serial.len ? options->serial.bytes : NULL,
		.iccid = options->iccid,
	};
	const enum ca_reason reason =
		options->reason == AUTHORITY_NO_REASON ? CA_UNSPECIFIED : reasons[options->reason];
	size_t count = 0;
	struct ca *ca;
	int result, error;

	if (!selector.serial == !selector.iccid)
		return options_wrong(options->command,
				     "`ca revoke` takes either --serial or --iccid");
	result = authority_open(options, &ca);
	if (result != TOOL_DONE)
		return result;
	/* Serial numbers of another length are not ours. */
	error = options->serial.len && options->serial.len != CA_SERIAL_SIZE
			? CA_ERR_NOT_ISSUED
			: ca_revoke(ca, &selector, reason, &count);
	result = error ? authority_failed(options, "not revoked", error)
		       : print_crl(options, (long)count);
	ca_close(&ca);
	return result;
}

int authority_crl(const struct authority_options *options)
{
	struct ca *ca;
	int result = authority_open(options, &ca);
	int error;

	if (result != TOOL_DONE)
		return result;
	error = ca_renew_crl(ca, options->days.value);
	result = error ? authority_failed(options, "the CRL was not signed", error)
		       : print_crl(options, -1);
	ca_close(&ca);
	return result;
}
