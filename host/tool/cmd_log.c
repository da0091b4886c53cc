/*
 * simtie log: the attestations that the card remembers, for its holder to see. Needs her PIN.
 */
#include "crypto.h"
#include "holder.h"
#include "output.h"
#include "secret.h"
#include "words.h"

#include <stdio.h>
#include <string.h>

/* The card keeps the beginning of an audience and a hash of all of it: does the beginning alone
 * give that hash? */
static bool audience_whole(const struct simtie_log_entry *entry)
{
	const struct bytes text =
		bytes_of((const uint8_t *)entry->audience, strlen(entry->audience));
	uint8_t digest[SIMTIE_DIGEST_SIZE];

	return simtie_crypto_mbedtls()->sha256(text, digest) &&
	       memcmp(digest, entry->audience_hash, sizeof(entry->audience_hash)) == 0;
}

static json_t *entry_json(const struct simtie_log_entry *entry)
{
	char audience[sizeof(entry->audience)];
	char hash[OUTPUT_HEX_SIZE(sizeof(entry->audience_hash))];

	output_safe(entry->audience, audience, sizeof(audience));
	output_hex_lower(entry->audience_hash, sizeof(entry->audience_hash), hash);
	return json_pack("{s:I,s:i,s:i,s:s,s:b,s:s,s:b}", "counter", (json_int_t)entry->counter,
			 "purpose", entry->purpose, "consent", entry->consent, "audience", audience,
			 "audienceWhole", audience_whole(entry), "audienceHash", hash, "seeded",
			 entry->seeded);
}

static int print_json(const struct simtie_log_entry *entries, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, entry_json(&entries[i]));
	return output_json(json_pack("{s:o}", "entries", array));
}

static int print_table(const struct simtie_log_entry *entries, size_t count)
{
	if (count == 0)
		puts("the card has signed nothing yet");
	else
		printf("%10s  %-12s  %-8s  %s\n", "counter", "purpose", "consent", "audience");
	for (size_t i = 0; i < count; i++) {
		const struct simtie_log_entry *entry = &entries[i];
		char audience[sizeof(entry->audience)];

		printf("%10lu  %-12s  %-8s  %s%s%s\n", (unsigned long)entry->counter,
		       words_purpose(entry->purpose), words_consent(entry->consent),
		       output_safe(entry->audience, audience, sizeof(audience)),
		       audience_whole(entry) ? "" : "...", entry->seeded ? "  (test seed)" : "");
	}
	return output_end(TOOL_DONE);
}

static int run(const struct common_options *common, const struct holder_way *way, const char *pin)
{
	struct simtie_log_entry entries[SIMTIE_LOG_ENTRIES];
	struct simtie_session *session;
	size_t count = 0;
	int result = holder_open(common, way, &session);
	int error;

	if (result != TOOL_DONE)
		return result;
	error = simtie_pin_verify(session, pin, NULL);
	if (error == 0)
		error = simtie_get_log(session, entries, &count);
	if (error)
		result = card_failed_secret(common, session, "cannot read the log", error, "PIN");
	else
		result = common->json ? print_json(entries, count) : print_table(entries, count);
	simtie_close(&session);
	return result;
}

int log_main(int argc, char **argv)
{
	struct secret_source source = SECRET_PIN;
	struct holder_way way = {.root = NULL};
	const struct option_entry options[] = {
		SECRET_OPTIONS("pin", "the PIN", source),
		HOLDER_OPTIONS(way),
	};
	const struct command command = {
		.name = "log",
		.text = "Prints the last 32 attestations that the card signed, the newest first. "
			"The log is the\nholder's: it takes her PIN, from --pin-file, --pin-fd, "
			"SIMTIE_PIN or a prompt. The card\nkeeps 24 bytes of an audience; ... "
			"stands for the rest.",
		.groups = OPTIONS_READER | OPTIONS_JSON,
		.options = options,
		.count = sizeof(options) / sizeof(options[0]),
	};
	struct common_options common;
	char pin[SECRET_SIZE];
	int result = options_parse(&command, &common, argc, argv, NULL);

	if (result != OPTIONS_GO)
		return result;
	result = secret_read(&command, &source, false, pin);
	if (result != TOOL_DONE)
		return result;
	result = run(&common, &way, pin);
	secret_wipe(pin);
	return result;
}
