/*
 * The readers, and the card in each.
 */
#include "doctor.h"

#include "domain.h"
#include "modem.h"
#include "output.h"
#include "protocol.h"
#include "radio.h"
#include "words.h"

#include <stdio.h>
#include <string.h>

static void ill(struct doctor *doctor, const char *text, const char *advice)
{
	doctor->ill++;
	doctor_find(doctor, DOCTOR_PROBLEM, "%s", text);
	doctor_advise(doctor, "%s", advice);
}

/* ---- What the applet says ---- */

static void check_pin(struct doctor *doctor, const struct simtie_info *info)
{
	if (info->pin_tries == 0 && info->puk_tries == 0) {
		ill(doctor, "PIN and PUK are blocked", "the holder needs a new SIM");
	} else if (info->pin_tries == 0) {
		ill(doctor, "the PIN is blocked",
		    "`simtie pin unblock` sets a new one with the PUK");
	} else {
		doctor->ready++;
		if (info->pin_tries < SIMTIE_PIN_TRIES) {
			doctor_find(doctor, DOCTOR_WARNING, "%u PIN tries are left",
				    info->pin_tries);
			doctor_advise(doctor, "`simtie pin verify` with the right PIN gives all "
					      "back");
		}
		doctor_find(doctor, DOCTOR_OK, "ready to attest");
		doctor_advise(doctor, "simtie attest --audience NAME --nonce HEX");
	}
}

static void check_lifecycle(struct doctor *doctor, const struct simtie_info *info)
{
	switch (info->lifecycle) {
	case SIMTIE_LIFECYCLE_FACTORY:
		doctor->ready++;
		doctor_find(doctor, DOCTOR_OK, "ready to be personalised");
		doctor_advise(doctor, "simtie personalise --pin-file F --puk-file F --record "
				      "OUT.json");
		break;
	case SIMTIE_LIFECYCLE_TERMINATED:
		ill(doctor, "the card is terminated: its keys are wiped",
		    "the holder needs a new SIM");
		break;
	default:
		check_pin(doctor, info);
	}
}

static void report_applet(struct doctor *doctor, const struct simtie_info *info)
{
	char version[16];

	doctor_find(doctor, DOCTOR_OK,
		    "simtie applet %s, %s, PIN tries %u, PUK tries %u, debug status %u",
		    words_version(info->version, version), words_lifecycle(info->lifecycle),
		    info->pin_tries, info->puk_tries, info->debug_status);
	if (info->debug_status < SIMTIE_DEBUG_STATUS_DISABLED_PERMANENTLY) {
		doctor_find(doctor, DOCTOR_NOTE, "debug status %u: %s", info->debug_status,
			    words_debug_status(info->debug_status));
		doctor_advise(doctor, "its attestations verify only with --allow-virtual");
	}
	if (info->seeded) {
		doctor_find(doctor, DOCTOR_WARNING, "keys or random numbers come from a test seed");
		doctor_advise(doctor, "use it for tests alone");
	}
	check_lifecycle(doctor, info);
}

/* Keys that everybody knows let everybody personalise a card, or end it. */
static void check_keys(struct doctor *doctor, struct simtie_session *session,
		       const struct simtie_info *info)
{
	const bool is_virtual = info->debug_status == SIMTIE_DEBUG_STATUS_ENABLED;
	struct domain domain;

	if (domain_read(session, &domain) != 0 || !domain_is_as_made(&domain))
		return;
	doctor_find(
		doctor, is_virtual ? DOCTOR_NOTE : DOCTOR_WARNING,
		"its one key set looks like the well-known test keys: anybody can end the card");
	doctor_advise(doctor, is_virtual ? "good for tests alone"
					 : "put keys of your own on it before it goes out");
}

/* ---- The way to it ---- */

static void report_refusal(struct doctor *doctor, struct simtie_session *session, int error)
{
	uint16_t sw = simtie_status_word(session);
	char text[DOCTOR_TEXT_MAX];

	if (error == SIMTIE_ERR_NO_APPLET) {
		doctor_find(doctor, DOCTOR_WARNING,
			    "this card does not carry simtie: SELECT gave %04X", sw);
		doctor_advise(doctor, "put in a card with the applet, or name its reader with "
				      "--reader");
		return;
	}
	if (error == SIMTIE_ERR_CARD)
		snprintf(text, sizeof text, "SELECT gave %04X: %s", sw, simtie_sw_text(sw));
	else
		snprintf(text, sizeof text, "the applet could not be selected");
	ill(doctor, text,
	    error == SIMTIE_ERR_CARD ? "take the card out and put it in again; if this persists it "
				       "is broken and must not be used"
				     : simtie_strerror(error));
}

static void report_failure(struct doctor *doctor, int error, const char *detail)
{
	const bool card = error != SIMTIE_ERR_BUSY && error != SIMTIE_ERR_NO_CARD &&
			  error != SIMTIE_ERR_NO_READER && error != SIMTIE_ERR_AMBIGUOUS;

	doctor->ill += card;
	doctor_find(doctor, DOCTOR_PROBLEM, "%s", detail[0] ? detail : "the card is not reached");
	if ((!modem_is(doctor->common.reader) && !radio_is(doctor->common.reader)) || !detail[0])
		doctor_advise(doctor, "%s", simtie_strerror(error));
}

void doctor_check_card(struct doctor *doctor, const char *reader)
{
	char detail[SIMTIE_DETAIL_MAX] = "";
	const struct simtie_options options = {
		.reader = reader,
		.trace = doctor->common.trace,
		.trace_secrets = doctor->common.trace_secrets,
		.detail = detail,
		.guard = modem_guard(reader),
	};
	char atr[OUTPUT_HEX_SIZE(SIMTIE_ATR_MAX)];
	struct simtie_session *session;
	struct simtie_info info;
	size_t len;
	int error = simtie_open(&options, &session);

	if (error) {
		report_failure(doctor, error, detail);
		return;
	}
	const uint8_t *bytes = simtie_session_atr(session, &len);
	doctor_find(doctor, DOCTOR_OK, "a card answers at %s%s%s",
		    protocol_word(simtie_session_protocol(session)), len ? ", ATR " : "",
		    output_hex(bytes, len, atr));
	error = simtie_select(session, &info);
	if (error) {
		report_refusal(doctor, session, error);
	} else {
		report_applet(doctor, &info);
		check_keys(doctor, session, &info);
	}
	simtie_close(&session);
}

/* ---- The readers ---- */

static void check_reader(struct doctor *doctor, size_t index)
{
	const struct simtie_reader *reader = &doctor->readers[index];
	char name[SIMTIE_READER_NAME_MAX];

	output_safe(reader->name, name, sizeof name);
	if (reader->busy) {
		doctor_find(doctor, DOCTOR_PROBLEM,
			    "reader %zu, %s: another program holds the card for itself", index,
			    name);
		doctor_advise(doctor, "end it; gpg's is ended by `gpgconf --kill scdaemon`");
	} else if (reader->mute) {
		doctor->ill++;
		doctor_find(doctor, DOCTOR_PROBLEM,
			    "reader %zu, %s: the card does not answer to power-on", index, name);
		doctor_advise(doctor, "take it out, turn it round, clean its contacts; a virtual "
				      "SIM: is its program stopped?");
	} else if (!reader->card) {
		doctor_find(doctor, DOCTOR_NOTE, "reader %zu, %s: empty", index, name);
		doctor_advise(doctor, "put the card in; a virtual SIM: start simtie-card");
	} else {
		doctor_find(doctor, DOCTOR_OK, "reader %zu, %s: a card", index, name);
		doctor_check_card(doctor, reader->name);
	}
}

void doctor_check_readers(struct doctor *doctor)
{
	if (doctor->service_error)
		return;
	if (doctor->reader_count == 0) {
		doctor_find(doctor, DOCTOR_PROBLEM, "PC/SC shows no reader");
		doctor_advise(doctor, "plug one in, or see the lines above");
	} else if (doctor->common.reader) {
		doctor_check_card(doctor, doctor->common.reader);
	}
	for (size_t i = 0; !doctor->common.reader && i < doctor->reader_count; i++)
		check_reader(doctor, i);
}
