/*
 * A card in the state that an example starts from.
 */
#include "conformance.h"

#include "exchange.h"
#include "modem.h"
#include "output.h"
#include "session.h"

#include <stdio.h>

int conformance_card_reach(struct conformance *conf, char *text)
{
	char detail[SIMTIE_DETAIL_MAX] = "";
	const struct simtie_options options = {
		.reader = conf->reader[0] ? conf->reader : conf->common.reader,
		.trace = conf->common.trace,
		.trace_secrets = conf->common.trace_secrets,
		.protocol = (enum simtie_protocol)conf->common.protocol,
		.detail = detail,
		.guard = modem_guard(conf->common.reader),
	};
	size_t atr_len;
	int error = simtie_open(&options, &conf->session);

	snprintf(text, CONFORMANCE_TEXT_MAX, "%s", detail);
	if (error) {
		conf->session = NULL;
		return error;
	}
	if (conf->supply != SUPPLY_LOOP)
		snprintf(conf->reader, sizeof conf->reader, "%s",
			 simtie_session_reader(conf->session));
	const uint8_t *atr = simtie_session_atr(conf->session, &atr_len);
	output_hex(atr, atr_len, conf->atr);
	conf->protocol = simtie_session_protocol(conf->session);
	conf->lent = session_line(conf->session)->lent;
	conf->selected = session_line(conf->session)->selected;
	conf->ours = false;
	conf->pristine = false;
	conf->worn = false;
	conf->has_key = false;
	error = conformance_look(conf->session, &conf->look);
	if (!error && conf->look.lifecycle == 0) {
		snprintf(text, CONFORMANCE_TEXT_MAX, "SELECT does not say the card's lifecycle");
		error = SIMTIE_ERR_PROTOCOL;
	}
	if (error)
		simtie_close(&conf->session);
	else
		conf->pristine = conformance_looks_fresh(&conf->look);
	conformance_keys_settle(conf);
	return error;
}

int conformance_card_open(struct conformance *conf, char *text)
{
	int error = conformance_card_reach(conf, text);

	if (conf->supply == SUPPLY_COMMAND)
		return error || !conf->pristine ? conformance_fresh(conf, text) : 0;
	if (error || conf->supply == SUPPLY_LOOP)
		return error;
	if (conf->look.lifecycle == LIFECYCLE_PERSONALISED)
		error = conformance_pin_settle(conf, text);
	return error;
}

/* ---- Whether the card may be used ---- */

static enum conformance_ready skip(char *text, const char *why)
{
	snprintf(text, CONFORMANCE_TEXT_MAX, "%s", why);
	return NOT_READY;
}

static bool needs_pin(const struct example_case *example)
{
	return example_needs(example->steps, "pin") || example_needs(example->steps, "wrong_pin") ||
	       example_needs(example->steps, "new_pin");
}

static bool needs_puk(const struct example_case *example)
{
	return example_needs(example->steps, "puk") || example_needs(example->steps, "wrong_puk");
}

/* What an example that changes a card for good starts from: nothing counted, no try spent. */
static bool untouched(struct conformance *conf)
{
	struct simtie_pin_state state;
	uint32_t counter;

	if (conf->worn)
		return false;
	if (conf->look.lifecycle == LIFECYCLE_FACTORY)
		return conformance_looks_fresh(&conf->look);
	return simtie_get_counter(conf->session, &counter) == 0 && counter == 0 &&
	       simtie_pin_status(conf->session, &state) == 0 &&
	       state.pin_tries == state.pin_tries_max && state.puk_tries == state.puk_tries_max;
}

static enum conformance_ready
allowed_when_personalised(struct conformance *conf, const struct example_case *example, char *text)
{
	if (conf->no_tries[0])
		return skip(text, conf->no_tries);
	if (conf->no_pin[0] && needs_pin(example))
		return skip(text, conf->no_pin);
	if (!conf->ours && !conf->puk_given && needs_puk(example))
		return skip(text, "needs the card's PUK: give --puk-file");
	return READY;
}

/* Whether the one card that there is may run an example. */
static enum conformance_ready allowed(struct conformance *conf, const struct example_case *example,
				      char *text)
{
	const bool factory = example->state == EXAMPLE_FACTORY;
	enum conformance_ready ready = READY;

	if (conf->look.lifecycle == LIFECYCLE_TERMINATED)
		return skip(text, "the card is terminated");
	if (example->effect == EXAMPLE_EFFECT_LASTING && !conf->all)
		return skip(text, "changes the card for good: --all runs it, or --fresh on new "
				  "cards");
	if (factory && conf->look.lifecycle != LIFECYCLE_FACTORY)
		return skip(text, "needs a card in factory, and this one is personalised");
	if (conf->no_keys[0] && conformance_keys_at_stake(example))
		return skip(text, "uses up an authentication, which only the card's keys give "
				  "back: give them with --keys");
	if (!factory && conf->look.lifecycle == LIFECYCLE_FACTORY && !conf->all)
		return skip(text, "needs a personalised card, and this one is in factory; --all "
				  "personalises it");
	if (!factory && conf->look.lifecycle == LIFECYCLE_PERSONALISED)
		ready = allowed_when_personalised(conf, example, text);
	if (ready == READY && example->effect == EXAMPLE_EFFECT_LASTING && !untouched(conf))
		return skip(text, "starts from a card that nobody used: --fresh runs it on new "
				  "ones");
	return ready;
}

/* ---- Getting there ---- */

static enum conformance_ready broken(int error, int *cause)
{
	*cause = error;
	return BROKEN_OFF;
}

static bool capture_key(struct conformance *conf)
{
	const struct {
		const char *name;
		uint8_t *place;
		size_t len;
	} parts[] = {
		{"device_public", conf->key.device_public, SIMTIE_POINT_SIZE},
		{"chain_code", conf->key.chain_code, SIMTIE_CHAIN_CODE_SIZE},
	};
	size_t found = 0;

	for (size_t i = 0; i < 2; i++)
		for (size_t n = 0; n < conf->run->name_count; n++)
			if (strcmp(conf->run->names[n].name, parts[i].name) == 0 &&
			    conf->run->names[n].len == parts[i].len) {
				memcpy(parts[i].place, conf->run->names[n].value, parts[i].len);
				found++;
			}
	return found == 2;
}

static int select_applet(struct simtie_session *session)
{
	static const uint8_t aid[] = APPLET_AID;
	uint8_t select[5 + sizeof aid] = {CLA_SELECT, INS_SELECT, SELECT_BY_AID,
					  SELECT_ANSWER_NOTHING, sizeof aid};
	uint8_t none[2];
	size_t len;

	memcpy(select + 5, aid, sizeof aid);
	return simtie_transmit(session, select, sizeof select, none, sizeof none, &len);
}

/* Brings a factory card into the state. */
static enum conformance_ready personalise(struct conformance *conf, enum example_state state,
					  char *text, int *error)
{
	struct example *run = conf->run;
	enum conformance_ready ready;

	*error = select_applet(conf->session);
	if (*error)
		return BROKEN_OFF;
	ready = conformance_keys_open(conf, SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC, text, error);
	if (ready != READY)
		return ready;
	example_start(run, exchange_transmit, conf->session);
	example_define_values(run, &conf->values);
	enum example_result result = example_run(run, example_preamble(state), false);
	if (result == EXAMPLE_FAILED)
		return broken(run->error, error);
	if (result != EXAMPLE_HELD) {
		size_t used = (size_t)snprintf(text, CONFORMANCE_TEXT_MAX,
					       "the card could not be personalised: ");

		conf->worn = true;
		conformance_difference(run, text + used, CONFORMANCE_TEXT_MAX - used);
		return UNFIT;
	}
	conf->has_key = capture_key(conf);
	conf->ours = true;
	conf->pristine = true;
	conf->worn = false;
	conf->look.lifecycle = LIFECYCLE_PERSONALISED;
	conf->no_pin[0] = '\0';
	conf->no_tries[0] = '\0';
	return READY;
}

/* Whether a new card has to come: this one is spent, or past the state that is wanted. */
static bool wants_new(const struct conformance *conf, const struct example_case *example)
{
	const bool factory = conf->look.lifecycle == LIFECYCLE_FACTORY;

	if (conf->supply == SUPPLY_NONE)
		return false;
	if (conf->supply == SUPPLY_LOOP || !conf->session || conf->worn)
		return true;
	if (example->effect == EXAMPLE_EFFECT_LASTING && !conf->pristine)
		return true;
	return example->state == EXAMPLE_FACTORY ? !factory : !factory && !conf->ours;
}

static int renew(struct conformance *conf, char *text)
{
	if (conf->supply == SUPPLY_COMMAND)
		return conformance_fresh(conf, text);
	simtie_close(&conf->session);
	return conformance_card_reach(conf, text);
}

/* Selects what the example is for; a domain is there after reset, but not on every card. */
static int select_for(struct conformance *conf, const struct example_case *example)
{
	int error;

	if (example->application == APPLICATION_ATTESTATION)
		return select_applet(conf->session);
	error = simtie_select_domain(conf->session);
	return error == SIMTIE_ERR_CARD ? 0 : error;
}

enum conformance_ready conformance_card_ready(struct conformance *conf,
					      const struct example_case *example, char *text,
					      int *error)
{
	enum conformance_ready ready = READY;

	if (wants_new(conf, example)) {
		*error = renew(conf, text);
		if (*error)
			return BROKEN_OFF;
	}
	if (conf->supply == SUPPLY_NONE)
		ready = allowed(conf, example, text);
	if (ready == READY && example->state != EXAMPLE_FACTORY &&
	    conf->look.lifecycle == LIFECYCLE_FACTORY)
		ready = personalise(conf, example->state, text, error);
	if (ready != READY)
		return ready;
	*error = simtie_reset(conf->session);
	if (*error == 0 && example->select)
		*error = select_for(conf, example);
	if (*error)
		return BROKEN_OFF;
	return example->secure ? conformance_keys_open(conf, example->secure, text, error) : READY;
}

enum conformance_ready conformance_card_after(struct conformance *conf,
					      const struct example_case *example,
					      enum conformance_outcome outcome, char *text,
					      int *error)
{
	const bool failed = outcome == CONFORMANCE_FAILED;
	const bool lasting = example->effect == EXAMPLE_EFFECT_LASTING;

	if (failed || example->effect != EXAMPLE_EFFECT_NONE)
		conf->pristine = false;
	if (failed || lasting)
		conf->worn = true;
	if (conf->supply != SUPPLY_NONE)
		return READY;
	*error = simtie_reset(conf->session);
	if (*error == 0)
		*error = conformance_look(conf->session, &conf->look);
	/* A channel that opens clears the count of those that did not. */
	if (*error == 0 && conformance_keys_at_stake(example) && !lasting &&
	    conformance_keys_open(conf, SECURITY_LEVEL_C_MAC, text, error) == READY)
		*error = conformance_look(conf->session, &conf->look);
	if (*error == 0 && conf->look.lifecycle == LIFECYCLE_PERSONALISED)
		*error = conformance_pin_give_back(conf, failed || lasting, text);
	return *error ? BROKEN_OFF : READY;
}
