/*
 * The keys of a tray: the vendor's, which are on the cards, and the operator's, which replace them.
 *
 * The operator's set takes the place of the vendor's, under another version: by its version alone a
 * card says whose keys it has, however a run ended.
 */
#include "provision_run.h"

#include "channel.h"

#include <stdio.h>
#include <string.h>

#define VERSION_MAX 0x7F /* that PUT KEY takes */

static int read_file(struct provision_run *run, const char *path, struct keys *keys)
{
	const struct keys_source source = {.file = path};

	return channel_read(&run->options->common, run->options->command, &source, keys);
}

static int judge(struct provision_run *run)
{
	const struct common_options *common = &run->options->common;
	const struct scp03_keys *vendor = &run->vendor.set, *operator= & run->operator.set;

	if (operator->version == SCP03_VERSION_FIRST || operator->version> VERSION_MAX)
		return card_refused(common, TOOL_USAGE, "KEYS",
				    "%s: the operator's keys need a version from 01 to 7F",
				    run->options->new_keys);
	if (operator->version == vendor->version)
		return card_refused(
			common, TOOL_USAGE, "KEYS",
			"the operator's key version must differ from the vendor's %02X: "
			"by it a card says whose keys it has",
			vendor->version);
	run->test_keys = keys_are_known_test(vendor) || keys_are_known_test(operator);
	if (run->test_keys && !run->options->allow_test_keys)
		return card_refused(common, TOOL_REFUSED, "TEST_KEYS",
				    "%s holds test keys that everybody knows; get real ones, or "
				    "mark the records with --allow-test-keys",
				    keys_are_known_test(vendor) ? run->options->keys
								: run->options->new_keys);
	return TOOL_DONE;
}

int provision_keys_read(struct provision_run *run)
{
	int result = read_file(run, run->options->keys, &run->vendor);

	if (result == TOOL_DONE)
		result = read_file(run, run->options->new_keys, &run->operator);
	return result == TOOL_DONE ? judge(run) : result;
}

bool provision_keys_of(const struct keys *keys, const struct simtie_secure_card *card,
		       const uint8_t *iccid, struct simtie_keys *own, const char **why)
{
	struct scp03_keys set;
	enum keys_result result = keys_for_card(keys, card->diversification, iccid, &set);

	if (result != KEYS_OK) {
		*why = keys_text(result);
		return false;
	}
	*own = (struct simtie_keys){.version = set.version, .len = set.len};
	memcpy(own->enc, set.enc, sizeof(own->enc));
	memcpy(own->mac, set.mac, sizeof(own->mac));
	memcpy(own->dek, set.dek, sizeof(own->dek));
	explicit_bzero(&set, sizeof(set));
	return true;
}

const char *provision_keys_explain(const struct simtie_session *session, int error,
				   char text[static PROVISION_TEXT_MAX])
{
	if (error == SIMTIE_ERR_SECURE) {
		snprintf(text, PROVISION_TEXT_MAX,
			 "%s; found out before the card was asked to check, so this cost none of "
			 "its at most %d tries",
			 simtie_secure_text(session), SIMTIE_AUTHENTICATIONS);
		return "get this card's keys from its vendor, then run this again";
	}
	if (error != SIMTIE_ERR_CARD) {
		snprintf(text, PROVISION_TEXT_MAX, "%s", simtie_strerror(error));
		return "put the card back in; it goes on where it was";
	}
	switch (simtie_status_word(session)) {
	case SIMTIE_SW_AUTHENTICATION_FAILED:
		snprintf(text, PROVISION_TEXT_MAX,
			 "the card refused these keys: one try is used up, at most %d remain",
			 SIMTIE_AUTHENTICATIONS - 1);
		return "get this card's keys from its vendor before the next try";
	case SIMTIE_SW_BLOCKED:
		snprintf(text, PROVISION_TEXT_MAX,
			 "the key set is blocked, after %d failures in a row: no try remains",
			 SIMTIE_AUTHENTICATIONS);
		return "put the card aside; it needs another key set of its issuer";
	case SIMTIE_SW_DATA_NOT_FOUND:
		snprintf(text, PROVISION_TEXT_MAX,
			 "the card has neither the vendor's key set nor "
			 "the operator's, by their versions");
		return "see with `simtie info` which it has, and mend the key file";
	}
	snprintf(text, PROVISION_TEXT_MAX, "%s", simtie_sw_text(simtie_status_word(session)));
	return "see the report, then put the card back in";
}
