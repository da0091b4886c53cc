/*
 * What a card is given under the operator's keys: device key, certificate, PIN and PUK.
 *
 * Record, PIN and journal are on the disk before the card stores anything, and the lifecycle moves
 * on after that. So a card in factory can be begun anew whatever happened: it gets new keys and a
 * new PIN, and the certificate of the keys that are gone is revoked. A card that is personalised
 * fits the last record and the last PIN.
 */
#include "provision_card.h"

#include "contract.h"
#include "output.h"
#include "words.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define AUDIENCE   "provisioning.simtie"
#define NONCE_SIZE 32
#define PIN_DIGITS 6
#define PUK_DIGITS 8

#define BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1)

/* What the command that stores all has beside certificates: PIN, PUK, ICCID, policy, tags. */
#define OBJECTS_BESIDE 64

/* ---- Key pairs and certificates ---- */

/* Of the device key, and of the key of SCP11b, which nobody but the card keeps. */
struct certificates {
	struct ca_issued card;
	struct ca_issued channel;
};

static bool generate(struct provision_work *work, struct simtie_card_key *key,
		     uint8_t channel[static SIMTIE_POINT_SIZE])
{
	int error;

	provision_work_step(work, PROVISION_GENERATE);
	provision_work_call(work);
	error = simtie_select(work->session, NULL);
	provision_work_called(work);
	if (error)
		return provision_work_card_failed(work, error);
	if (!provision_work_secure(work, SIMTIE_SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC))
		return false;
	work->secure = true;
	provision_work_call(work);
	error = simtie_generate(work->session, key);
	if (!error)
		error = simtie_generate_channel_key(work->session, channel);
	provision_work_called(work);
	return error ? provision_work_card_failed(work, error) : true;
}

static bool ca_failed(struct provision_work *work, int error)
{
	if (error == CA_ERR_FILE)
		return provision_work_file_failed(work, "the authority's index");
	return provision_work_failed(work, "see `simtie ca show`, then run this again", "%s",
				     ca_strerror(error));
}

/* A certificate of keys that an earlier run made is nobody's any more. */
static bool certify(struct provision_work *work, const struct simtie_card_key *key,
		    const uint8_t *channel, struct certificates *issued)
{
	const struct ca_request card = {.device_public = key->device_public,
					.iccid = work->row->iccid};
	const struct ca_request of_channel = {
		.device_public = channel, .channel = true, .iccid = work->row->iccid};
	const struct ca_selector earlier = {.iccid = work->row->iccid};
	size_t count;
	int error = CA_ERR_NOT_ISSUED;

	provision_work_step(work, PROVISION_CERTIFY);
	if (work->result->resumed)
		error = ca_revoke(work->run->ca, &earlier, CA_SUPERSEDED, &count);
	if (error == CA_OK || error == CA_ERR_NOT_ISSUED)
		error = ca_issue(work->run->ca, &card, &issued->card);
	if (error == CA_OK)
		error = ca_issue(work->run->ca, &of_channel, &issued->channel);
	return error ? ca_failed(work, error) : true;
}

/* ---- On the disk ---- */

/* The record's line, as simtie_record_write() has it, with what a tray knows besides. */
static bool put_record(struct provision_work *work, const struct simtie_card_key *key,
		       const struct ca_issued *issued)
{
	char point[OUTPUT_HEX_SIZE(SIMTIE_POINT_SIZE)],
		code[OUTPUT_HEX_SIZE(SIMTIE_CHAIN_CODE_SIZE)];
	char version[16], when[32], certificate[BASE64_SIZE(SIMTIE_CERTIFICATE_MAX)];
	char text[PROVISION_RECORD_MAX];
	const time_t now = time(NULL);
	struct tm utc;
	bool good;
	int len;

	gmtime_r(&now, &utc);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
	EVP_EncodeBlock((unsigned char *)certificate, issued->certificate, (int)issued->len);
	len = snprintf(
		text, sizeof(text),
		"{\"format\":\"simtie-card-record/1\",\"iccid\":\"%s\","
		"\"devicePublicKey\":\"%s\",\"chainCode\":\"%s\",\"appletVersion\":\"%s\","
		"\"createdAt\":\"%s\",\"keyVersion\":%u,\"certificate\":\"%s\"%s}\n",
		work->row->iccid, output_hex_lower(key->device_public, SIMTIE_POINT_SIZE, point),
		output_hex_lower(key->chain_code, SIMTIE_CHAIN_CODE_SIZE, code),
		words_version(work->info.version, version), when, work->run->operator.set.version,
		certificate, work->run->test_keys ? ",\"testKeys\":true" : "");
	good = provision_journal_put(work->run->journal, work->row->iccid, text, (size_t)len);
	explicit_bzero(text, sizeof(text));
	explicit_bzero(code, sizeof(code));
	return good ? true : provision_work_file_failed(work, "the record under way");
}

/* Digits that are all as likely: of a byte's 256 values the last six would favour some. */
static bool draw_digits(size_t count, char *digits)
{
	for (size_t i = 0; i < count;) {
		uint8_t byte;

		if (getrandom(&byte, 1, 0) != 1)
			return false;
		if (byte < 250)
			digits[i++] = (char)('0' + byte % 10);
	}
	digits[count] = '\0';
	return true;
}

static bool put_pin(struct provision_work *work, struct pinmail_row *pin)
{
	int error;

	strcpy(pin->iccid, work->row->iccid);
	if (!draw_digits(PIN_DIGITS, pin->pin) || !draw_digits(PUK_DIGITS, pin->puk))
		return provision_work_failed(work, "restart this machine",
					     "the system gives no random numbers");
	error = pinmail_append(work->run->pins, pin);
	if (error == PINMAIL_ERR_FILE)
		return provision_work_file_failed(work, "the list of PINs");
	return error ? provision_work_failed(work, "mend the list of PINs, run this again", "%s",
					     pinmail_strerror(error))
		     : true;
}

/* ---- On the card ---- */

/* In one command if it fits: each costs the time of an exchange. */
static bool store(struct provision_work *work, const struct pinmail_row *pin,
		  const struct certificates *issued)
{
	const struct simtie_objects channel = {
		.channel_certificate = issued->channel.certificate,
		.channel_certificate_len = issued->channel.len,
		.guard_pin = work->run->options->guard_pin,
	};
	struct simtie_objects objects = {
		.pin = pin->pin,
		.puk = pin->puk,
		.iccid = work->info.has_iccid ? NULL : work->iccid,
		.certificate = issued->card.certificate,
		.certificate_len = issued->card.len,
	};
	const bool together =
		issued->card.len + issued->channel.len + OBJECTS_BESIDE <= LIMIT_COMMAND_DATA;
	int error;

	if (together) {
		objects.channel_certificate = channel.channel_certificate;
		objects.channel_certificate_len = channel.channel_certificate_len;
		objects.guard_pin = channel.guard_pin;
	}
	provision_work_call(work);
	error = simtie_store(work->session, &objects);
	if (!error && !together)
		error = simtie_store(work->session, &channel);
	provision_work_called(work);
	return error ? provision_work_card_failed(work, error) : true;
}

static bool personalise(struct provision_work *work)
{
	int error;

	provision_work_step(work, PROVISION_PERSONALISE);
	provision_work_call(work);
	error = simtie_set_lifecycle(work->session, SIMTIE_LIFECYCLE_PERSONALISED);
	provision_work_called(work);
	if (error)
		return provision_work_card_failed(work, error);
	if (!provision_journal_note(work->run->journal, work->row, PROVISION_STATE_PERSONALISED, 0))
		return provision_work_file_failed(work, PROVISION_JOURNAL);
	return true;
}

bool provision_load(struct provision_work *work)
{
	struct simtie_card_key key;
	struct certificates issued;
	uint8_t channel[SIMTIE_POINT_SIZE];
	struct pinmail_row pin;
	bool good;

	good = generate(work, &key, channel) && certify(work, &key, channel, &issued);
	if (good)
		provision_work_step(work, PROVISION_STORE);
	good = good && put_record(work, &key, &issued.card) && put_pin(work, &pin);
	if (good &&
	    !provision_journal_note(work->run->journal, work->row, PROVISION_STATE_GENERATED, 0))
		good = provision_work_file_failed(work, PROVISION_JOURNAL);
	good = good && store(work, &pin, &issued) && personalise(work);
	explicit_bzero(&key, sizeof(key));
	explicit_bzero(&pin, sizeof(pin));
	return good;
}

/* ---- The proof ---- */

static bool read_member(const json_t *root, const char *name, uint8_t *bytes, size_t size)
{
	const char *text = json_string_value(json_object_get(root, name));

	return text && input_hex(text, bytes, size) == (long)size;
}

/* The keys of the record that is under way. */
static bool get_key(struct provision_work *work, struct simtie_card_key *key)
{
	char text[PROVISION_RECORD_MAX];
	long len = provision_journal_get(work->run->journal, work->row->iccid, text);
	json_t *root = len > 0 ? json_loadb(text, (size_t)len, 0, NULL) : NULL;
	bool good = read_member(root, "devicePublicKey", key->device_public, SIMTIE_POINT_SIZE) &&
		    read_member(root, "chainCode", key->chain_code, SIMTIE_CHAIN_CODE_SIZE);

	json_decref(root);
	explicit_bzero(text, sizeof(text));
	return good ? true
		    : provision_work_failed(work, "bring the folder " PROVISION_PENDING " back",
					    "the record of this card is not in " PROVISION_PENDING
					    " any more");
}

static bool attest(struct provision_work *work, const struct pinmail_row *pin,
		   const struct simtie_card_key *key)
{
	uint8_t nonce[NONCE_SIZE], token[SIMTIE_TOKEN_MAX];
	const struct simtie_challenge challenge = {.audience = AUDIENCE,
						   .nonce = nonce,
						   .nonce_len = sizeof(nonce),
						   .purpose = SIMTIE_PURPOSE_PROVISIONING};
	/* Whether a card may be virtual is for those to say who rely on its attestations. */
	const struct simtie_policy policy = {.audience = AUDIENCE,
					     .nonce = nonce,
					     .nonce_len = sizeof(nonce),
					     .purpose = SIMTIE_PURPOSE_PROVISIONING,
					     .allow_virtual = true};
	const struct simtie_verify_key verify = {.card = key};
	enum simtie_refusal refusal;
	size_t len;
	int error;

	if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce))
		return provision_work_failed(work, "restart this machine",
					     "the system gives no random numbers");
	provision_work_call(work);
	error = work->secure ? 0 : simtie_select(work->session, NULL);
	if (!error)
		error = simtie_attest(work->session, &challenge, pin->pin, false, token, &len,
				      NULL);
	provision_work_called(work);
	if (error)
		return provision_work_card_failed(work, error);
	refusal = simtie_token_verify(simtie_crypto_openssl(), &verify, &policy, token, len, NULL,
				      NULL);
	if (refusal != SIMTIE_ACCEPTED)
		return provision_work_failed(work, PROVISION_ASIDE,
					     "its attestation does not hold: %s",
					     simtie_refusal_text(refusal));
	return true;
}

bool provision_load_prove(struct provision_work *work)
{
	struct simtie_card_key key;
	struct pinmail_row pin;
	int error;
	bool good;

	provision_work_step(work, PROVISION_PROVE);
	good = get_key(work, &key);
	error = good ? pinmail_find(work->run->pins, work->row->iccid, &pin) : 0;
	if (error)
		good = provision_work_failed(work, "bring the list of PINs back", "%s",
					     pinmail_strerror(error));
	good = good && attest(work, &pin, &key);
	if (good &&
	    !provision_journal_note(work->run->journal, work->row, PROVISION_STATE_PROVED, 0))
		good = provision_work_file_failed(work, PROVISION_JOURNAL);
	explicit_bzero(&key, sizeof(key));
	explicit_bzero(&pin, sizeof(pin));
	return good;
}
