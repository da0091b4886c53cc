/*
 * The keys of the cards under test: which they are, and a channel opened with them.
 */
#include "conformance.h"

#include <stdio.h>

void conformance_keys_settle(struct conformance *conf)
{
	conf->no_keys[0] = '\0';
	if (conf->keys_source.file)
		return;
	if (conf->look.debug_status == SIMTIE_DEBUG_STATUS_ENABLED)
		channel_test_keys(&conf->keys_source, &conf->keys);
	else
		snprintf(conf->no_keys, sizeof conf->no_keys,
			 "needs a secure channel with the card: give its keys with --keys");
}

bool conformance_keys_at_stake(const struct example_case *example)
{
	char authenticate[8];

	snprintf(authenticate, sizeof authenticate, "%02X%02X", CLA_EXTERNAL_AUTHENTICATE | 0x04,
		 INS_EXTERNAL_AUTHENTICATE);
	return strstr(example->steps, authenticate) != NULL;
}

enum conformance_ready conformance_keys_open(struct conformance *conf, uint8_t level, char *text,
					     int *error)
{
	const char *why = "";

	if (conf->no_keys[0]) {
		snprintf(text, CONFORMANCE_TEXT_MAX, "%s", conf->no_keys);
		return NOT_READY;
	}
	*error = channel_open(conf->session, &conf->keys,
			      conf->look.has_iccid ? conf->look.iccid : NULL, level, &conf->channel,
			      &why);
	switch (*error) {
	case 0:
		return READY;
	case SIMTIE_ERR_SECURE:
	case SIMTIE_ERR_CARD:
	case SIMTIE_ERR_FORMAT:
		break;
	default:
		return BROKEN_OFF;
	}
	snprintf(conf->no_keys, sizeof conf->no_keys, "the secure channel could not be opened: %s",
		 why);
	snprintf(text, CONFORMANCE_TEXT_MAX, "%s", conf->no_keys);
	*error = 0;
	return simtie_status_word(conf->session) == SIMTIE_SW_BLOCKED ? NOT_READY : UNFIT;
}
