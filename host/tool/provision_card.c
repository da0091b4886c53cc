/*
 * One card's way: identify, rotate, generate, certify, store, personalise, prove, lock, record.
 *
 * Three secure channels, each at the least level that its commands want: with the domain under the
 * vendor's keys; with the applet under the operator's, which hides all that is personal from
 * whoever knows the vendor's; and with the domain again, since locking is its affair. A card that
 * comes back goes on from what it says itself and what the journal knows.
 */
#include "provision_card.h"

#include "contract.h"
#include "output.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Whose row it is ---- */

/* Takes a row for this worker. NULL: another one has it. */
static struct provision_row *claim(struct provision_run *run, struct provision_row *row)
{
	struct provision_row *claimed = NULL;

	pthread_mutex_lock(&run->mutex);
	if (row && !row->busy) {
		row->busy = true;
		claimed = row;
	}
	pthread_mutex_unlock(&run->mutex);
	return claimed;
}

/* The row that a card without ICCID was given before, or the next that nobody has. */
static struct provision_row *assign(struct provision_run *run,
				    const uint8_t name[static SIMTIE_DIVERSIFICATION_SIZE])
{
	struct provision_row *given = NULL;

	pthread_mutex_lock(&run->mutex);
	for (size_t i = 0; i < run->tray.count && !given; i++) {
		struct provision_row *row = &run->tray.rows[i];

		if (row->has_name && !row->busy && row->state < PROVISION_STATE_LOCKING &&
		    memcmp(row->name, name, sizeof(row->name)) == 0)
			given = row;
	}
	for (size_t i = 0; i < run->tray.count && !given; i++) {
		struct provision_row *row = &run->tray.rows[i];

		if (row->state == PROVISION_STATE_FRESH && !row->busy)
			given = row;
	}
	if (given) {
		given->busy = true;
		memcpy(given->name, name, sizeof(given->name));
		given->has_name = true;
	}
	pthread_mutex_unlock(&run->mutex);
	return given;
}

/* What the domain says tells this card from others. Vendors write the ICCID there, or a number of
 * their own. */
static bool read_name(struct provision_work *work, uint8_t name[SIMTIE_DIVERSIFICATION_SIZE])
{
	const uint8_t get[] = {CLA_DOMAIN_GET_DATA, INS_DOMAIN_GET_DATA,
			       (uint8_t)(TAG_DIVERSIFICATION >> 8), (uint8_t)TAG_DIVERSIFICATION,
			       0};
	uint8_t answer[2 + SIMTIE_DIVERSIFICATION_SIZE];
	size_t len;
	int error;

	if (!provision_work_domain(work))
		return false;
	provision_work_call(work);
	error = simtie_transmit(work->session, get, sizeof(get), answer, sizeof(answer), &len);
	provision_work_called(work);
	if (!error && simtie_status_word(work->session) != SIMTIE_SW_OK)
		error = SIMTIE_ERR_CARD;
	if (!error && len != sizeof(answer))
		error = SIMTIE_ERR_PROTOCOL;
	if (error)
		return provision_work_card_failed(work, error);
	memcpy(name, answer + 2, SIMTIE_DIVERSIFICATION_SIZE);
	return true;
}

static bool skip(struct provision_work *work, const char *remedy, const char *reason)
{
	provision_work_failed(work, remedy, "%s", reason);
	work->result->outcome = PROVISION_SKIPPED;
	return false;
}

/* A card that does not know its ICCID. */
static bool identify_by_name(struct provision_work *work)
{
	uint8_t name[SIMTIE_DIVERSIFICATION_SIZE];
	char iccid[OUTPUT_ICCID_SIZE];

	if (!read_name(work, name))
		return false;
	work->row =
		claim(work->run, provision_tray_find(&work->run->tray, output_iccid(name, iccid)));
	if (!work->row && work->run->options->assign) {
		work->row = assign(work->run, name);
		if (!work->row)
			return skip(work, "put it into another tray", "no row of the tray is free");
		if (work->row->state == PROVISION_STATE_FRESH &&
		    !provision_journal_note(work->run->journal, work->row, PROVISION_STATE_ASSIGNED,
					    0))
			return provision_work_file_failed(work, PROVISION_JOURNAL);
	}
	return work->row ? true
			 : skip(work, "give it a row with --assign, or put it aside",
				"the card says no ICCID that is in the tray");
}

static bool identify(struct provision_work *work)
{
	struct provision_row *row;
	char iccid[OUTPUT_ICCID_SIZE];
	int error;

	provision_work_call(work);
	error = simtie_select(work->session, &work->info);
	provision_work_called(work);
	if (error)
		return provision_work_card_failed(work, error);
	if (!work->info.has_iccid) {
		if (!identify_by_name(work))
			return false;
	} else {
		output_iccid(work->info.iccid, iccid);
		strcpy(work->result->iccid, iccid);
		row = provision_tray_find(&work->run->tray, iccid);
		if (!row)
			return skip(work, "put it into the tray that lists it",
				    "the card is not of this tray");
		work->row = claim(work->run, row);
		if (!work->row)
			return skip(work, "find out which of the two is a copy",
				    "another reader has a card of this ICCID");
	}
	strcpy(work->result->iccid, work->row->iccid);
	work->result->resumed = work->row->state != PROVISION_STATE_FRESH;
	return input_iccid(work->row->iccid, work->iccid);
}

/* Whether what the card says of itself and what the journal says can be of one card. */
static bool judge(struct provision_work *work)
{
	const enum provision_state state = work->row->state;
	const bool factory = work->info.lifecycle == SIMTIE_LIFECYCLE_FACTORY;

	if (state == PROVISION_STATE_RECORDED)
		return skip(work, "put in the next one", "this SIM is done already");
	if (work->info.lifecycle == SIMTIE_LIFECYCLE_TERMINATED)
		return provision_work_failed(work, PROVISION_ASIDE, "the card is terminated");
	if (!factory && state < PROVISION_STATE_GENERATED)
		return provision_work_failed(
			work, "look for the folder in which it was provisioned",
			"the card is personalised, and not by this tray's journal");
	if (factory && state >= PROVISION_STATE_PERSONALISED)
		return provision_work_failed(
			work, PROVISION_ASIDE,
			"the card is in factory, and by the journal it was personalised: it is "
			"not the same card");
	return true;
}

/* ---- Keys ---- */

/* The channel with the domain under whichever keys the card has. */
static bool open_either(struct provision_work *work, bool *rotated, struct simtie_keys *used)
{
	struct provision_run *run = work->run;
	const bool begun = work->row->state >= PROVISION_STATE_ROTATING;
	const struct keys *first = begun ? &run->operator: & run->vendor;
	const struct keys *other = begun ? &run->vendor : &run->operator;
	int error = provision_work_begin(work, first->set.version);

	if (error == SIMTIE_ERR_CARD &&
	    simtie_status_word(work->session) == SIMTIE_SW_DATA_NOT_FOUND)
		error = provision_work_begin(work, other->set.version);
	if (error) {
		const char *remedy =
			provision_keys_explain(work->session, error, work->result->reason);

		snprintf(work->result->remedy, sizeof(work->result->remedy), "%s", remedy);
		work->result->outcome = PROVISION_FAILED;
		return false;
	}
	*rotated = work->card.version == run->operator.set.version;
	return provision_work_finish(work, *rotated ? &run->operator: &run->vendor,
				     SIMTIE_SECURITY_LEVEL_C_MAC_ENC, used);
}

/* The journal says that the keys may change before they can. */
static bool put_keys(struct provision_work *work, const struct simtie_keys *current)
{
	const uint8_t version = work->run->operator.set.version;
	struct simtie_keys fresh;
	const char *why;
	int error;

	provision_work_step(work, PROVISION_ROTATE);
	if (!provision_journal_note(work->run->journal, work->row, PROVISION_STATE_ROTATING,
				    version))
		return provision_work_file_failed(work, PROVISION_JOURNAL);
	if (!provision_keys_of(&work->run->operator, & work->card, work->iccid, &fresh, &why))
		return provision_work_failed(work, "mend the operator's key file", "%s", why);
	provision_work_call(work);
	error = simtie_put_keys(work->session, current, &fresh, work->card.version);
	provision_work_called(work);
	explicit_bzero(&fresh, sizeof(fresh));
	return error ? provision_work_card_failed(work, error) : true;
}

/* After this the vendor's key set is gone from the card, and the operator's is there. */
static bool rotate(struct provision_work *work)
{
	struct simtie_keys current = {0};
	bool rotated = false;
	bool good;

	if (work->row->state >= PROVISION_STATE_GENERATED)
		return true; /* it was generated under the operator's */
	provision_work_step(work, PROVISION_AUTHENTICATE);
	good = provision_work_domain(work) && open_either(work, &rotated, &current);
	if (good && !rotated)
		good = put_keys(work, &current);
	explicit_bzero(&current, sizeof(current));
	return good;
}

/* ---- The end ---- */

/* When the card's answer is lost it may be locked or not: the journal then says LOCKING. When it
 * refused, it is not. */
static bool lock(struct provision_work *work)
{
	const uint8_t set[] = {CLA_DOMAIN_SET_STATUS, INS_DOMAIN_SET_STATUS, STATUS_OF_DOMAIN,
			       CARD_STATE_SECURED};
	uint8_t none;
	size_t len;
	int error;

	provision_work_step(work, PROVISION_LOCK);
	if (!provision_work_domain(work) ||
	    !provision_work_secure(work, SIMTIE_SECURITY_LEVEL_C_MAC))
		return false;
	if (!provision_journal_note(work->run->journal, work->row, PROVISION_STATE_LOCKING, 0))
		return provision_work_file_failed(work, PROVISION_JOURNAL);
	provision_work_call(work);
	error = simtie_transmit(work->session, set, sizeof(set), &none, 0, &len);
	provision_work_called(work);
	if (error)
		return provision_work_card_failed(work, error);
	if (simtie_status_word(work->session) == SIMTIE_SW_OK)
		return true;
	if (!provision_journal_note(work->run->journal, work->row, PROVISION_STATE_PROVED, 0))
		return provision_work_file_failed(work, PROVISION_JOURNAL);
	return provision_work_card_failed(work, SIMTIE_ERR_CARD);
}

static bool record(struct provision_work *work)
{
	provision_work_step(work, PROVISION_RECORD);
	if (!provision_journal_record(work->run->journal, work->row))
		return provision_work_file_failed(work, PROVISION_RECORDS);
	return true;
}

static bool walk(struct provision_work *work)
{
	if (!identify(work) || !judge(work) || !rotate(work))
		return false;
	if (work->info.lifecycle == SIMTIE_LIFECYCLE_FACTORY && !provision_load(work))
		return false;
	if (work->row->state < PROVISION_STATE_PROVED && !provision_load_prove(work))
		return false;
	return lock(work) && record(work);
}

static void settle(struct provision_work *work)
{
	struct provision_run *run = work->run;

	if (!work->row)
		return;
	pthread_mutex_lock(&run->mutex);
	work->row->busy = false;
	if (work->result->outcome != PROVISION_SKIPPED)
		work->row->failed = work->result->outcome == PROVISION_FAILED;
	pthread_mutex_unlock(&run->mutex);
}

void provision_card_run(struct provision_run *run, size_t reader, struct provision_card *card)
{
	const struct simtie_options options = {.reader = run->plan.readers[reader]};
	struct provision_work work = {.run = run, .reader = reader, .result = card};
	int error;

	card->test_keys = run->test_keys;
	provision_work_step(&work, PROVISION_IDENTIFY);
	provision_work_call(&work);
	error = simtie_open(&options, &work.session);
	provision_work_called(&work);
	if (error) {
		provision_work_card_failed(&work, error);
	} else {
		card->outcome = PROVISION_DONE;
		walk(&work);
		card->commands = simtie_session_line(work.session).exchanges;
	}
	/* The card is reset, and a feeder takes it out: before its row is anybody's again. */
	provision_work_call(&work);
	simtie_close(&work.session);
	provision_work_called(&work);
	provision_work_end(&work);
	settle(&work);
}
