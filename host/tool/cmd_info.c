/*
 * simtie info: what the card says of itself. Needs no PIN and changes nothing.
 */
#include "card.h"
#include "domain.h"
#include "output.h"
#include "words.h"

#include <stdio.h>

static int print_json(struct simtie_session *session, const struct simtie_info *info,
		      uint32_t counter, const struct domain *domain)
{
	char version[16], atr_text[OUTPUT_HEX_SIZE(SIMTIE_ATR_MAX)], iccid[OUTPUT_ICCID_SIZE];
	char reader[SIMTIE_READER_NAME_MAX];
	size_t atr_len;
	const uint8_t *atr = simtie_session_atr(session, &atr_len);
	json_t *object;

	words_version(info->version, version);
	output_safe(simtie_session_reader(session), reader, sizeof(reader));
	object = json_pack("{s:s,s:s,s:s,s:s,s:i,s:i,s:I,s:i,s:b,s:b,s:b,s:b,s:b}", "reader",
			   reader, "atr", output_hex(atr, atr_len, atr_text), "appletVersion",
			   version, "lifecycle", words_lifecycle(info->lifecycle), "pinTries",
			   info->pin_tries, "pukTries", info->puk_tries, "counter",
			   (json_int_t)counter, "debugStatus", info->debug_status, "seeded",
			   info->seeded, "hasKey", info->has_key, "hasCertificate",
			   info->has_certificate, "hasChannelKey", info->has_channel_key,
			   "pinGuarded", info->pin_guarded);
	if (info->has_iccid)
		json_object_set_new(object, "iccid", json_string(output_iccid(info->iccid, iccid)));
	domain_json(domain, object);
	return output_json(object);
}

static int print_text(struct simtie_session *session, const struct simtie_info *info,
		      uint32_t counter, const struct domain *domain)
{
	char version[16], atr_text[OUTPUT_HEX_SIZE(SIMTIE_ATR_MAX)], iccid[OUTPUT_ICCID_SIZE];
	char reader[SIMTIE_READER_NAME_MAX];
	size_t atr_len;
	const uint8_t *atr = simtie_session_atr(session, &atr_len);

	output_line("reader", "%s",
		    output_safe(simtie_session_reader(session), reader, sizeof(reader)));
	output_line("ATR", "%s",
		    atr_len ? output_hex(atr, atr_len, atr_text) : "not told by the modem");
	output_line("applet", "%s", words_version(info->version, version));
	output_line("lifecycle", "%s", words_lifecycle(info->lifecycle));
	output_line("ICCID", "%s", info->has_iccid ? output_iccid(info->iccid, iccid) : "none");
	output_line("PIN tries left", "%u", info->pin_tries);
	output_line("PUK tries left", "%u", info->puk_tries);
	output_line("key", "%s", info->has_key ? "made" : "none");
	output_line("certificate", "%s", info->has_certificate ? "stored" : "none");
	output_line("channel key", "%s", info->has_channel_key ? "made" : "none");
	output_line("PIN goes", "%s",
		    info->pin_guarded ? "within a secure channel only" : "in clear as well");
	output_line("attestations", "%lu", (unsigned long)counter);
	output_line("debug status", "%u, %s", info->debug_status,
		    words_debug_status(info->debug_status));
	domain_print(domain);
	if (info->seeded)
		output_line("caution", "keys or random numbers come from a test seed");
	return output_end(TOOL_DONE);
}

int info_main(int argc, char **argv)
{
	const struct command command = {
		.name = "info",
		.text = "Prints what the card in the reader says of itself: version, lifecycle, "
			"tries left,\nhow many attestations it signed, and which key sets its "
			"security domain has. Needs\nno PIN and changes nothing.",
		.groups = OPTIONS_READER | OPTIONS_JSON,
	};
	struct common_options common;
	struct simtie_session *session;
	struct simtie_info info;
	struct domain domain;
	uint32_t counter;
	int result = options_parse(&command, &common, argc, argv, NULL);
	int error;

	if (result != OPTIONS_GO)
		return result;
	result = card_open_applet(&common, &session, &info);
	if (result != TOOL_DONE)
		return result;
	error = simtie_get_counter(session, &counter);
	if (!error)
		error = domain_read(session, &domain);
	if (error)
		result = card_failed(&common, session, "cannot read what the card says", error);
	else if (common.json)
		result = print_json(session, &info, counter, &domain);
	else
		result = print_text(session, &info, counter, &domain);
	simtie_close(&session);
	return result;
}
