/*
 * A channel in which the card proves itself, from certificate to attestation, against the virtual
 * card and an authority; and what such a channel must not allow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ca_place.h"
#include "contract.h"
#include "known_keys.h"
#include "scp11.h"
#include "simtie.h"

#define PIN "73194628"
#define PUK "61850937"

static const uint8_t nonce[16] = {1, 2, 3};

static const struct simtie_challenge challenge = {
	.audience = "chat.example",
	.nonce = nonce,
	.nonce_len = sizeof nonce,
};

/* A personalised virtual card, its key of SCP11b certified by the place's authority; the applet
 * selected, nothing open. */
struct bench {
	struct simtie_session *session;
	uint8_t point[SIMTIE_POINT_SIZE];
	char root[CA_PLACE_FILE_MAX];
	struct simtie_card_trust trust;
};

static struct ca_issued certify(const struct ca_place *place, const uint8_t *point, bool channel)
{
	struct ca *ca = ca_place_open(place);
	struct ca_request request = ca_place_request(CA_PLACE_ICCID);
	struct ca_issued issued;

	request.device_public = point;
	request.channel = channel;
	assert_int_equal(ca_issue(ca, &request, &issued), CA_OK);
	ca_close(&ca);
	return issued;
}

static void bench_open(struct bench *bench, const struct ca_place *place, bool guard)
{
	const struct simtie_options options = {.reader = "loop:"};
	struct simtie_objects objects = {.pin = PIN, .puk = PUK, .guard_pin = guard};
	struct simtie_card_key key;
	struct ca_issued issued;

	memset(bench, 0, sizeof *bench);
	assert_int_equal(simtie_open(&options, &bench->session), 0);
	assert_int_equal(simtie_select(bench->session, NULL), 0);
	assert_int_equal(simtie_secure_open(bench->session, &known_keys,
					    SIMTIE_SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC),
			 0);
	assert_int_equal(simtie_generate(bench->session, &key), 0);
	assert_int_equal(simtie_generate_channel_key(bench->session, bench->point), 0);
	assert_memory_not_equal(bench->point, key.device_public, sizeof bench->point);
	if (place) {
		issued = certify(place, bench->point, true);
		objects.channel_certificate = issued.certificate;
		objects.channel_certificate_len = issued.len;
		bench->trust.root_len = ca_place_read(place, "ca.crt", bench->root);
		bench->trust.root = (const uint8_t *)bench->root;
	}
	assert_int_equal(simtie_store(bench->session, &objects), 0);
	assert_int_equal(simtie_set_lifecycle(bench->session, SIMTIE_LIFECYCLE_PERSONALISED), 0);
	assert_int_equal(simtie_select(bench->session, NULL), 0);
}

static void open_card(struct bench *bench, bool wanted)
{
	bool verified = !wanted;

	assert_int_equal(simtie_secure_open_card(bench->session, &bench->trust, &verified), 0);
	assert_int_equal(verified, wanted);
	assert_true(simtie_secure_is_open(bench->session));
}

static void attest(struct simtie_session *session, const char *pin, int wanted)
{
	for (int full = 0; full < 2; full++) {
		uint8_t token[SIMTIE_TOKEN_MAX];
		size_t len;

		assert_int_equal(simtie_attest(session, &challenge, pin, full, token, &len, NULL),
				 wanted);
	}
}

static void the_pin_goes_inside(void **state)
{
	struct simtie_log_entry entries[SIMTIE_LOG_ENTRIES];
	struct bench bench;
	size_t count;

	bench_open(&bench, *state, false);
	open_card(&bench, true);
	attest(bench.session, PIN, 0);
	assert_int_equal(simtie_pin_verify(bench.session, PIN, NULL), 0);
	assert_int_equal(simtie_get_log(bench.session, entries, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(simtie_pin_change(bench.session, PIN, "1234", NULL), 0);
	assert_int_equal(simtie_pin_unblock(bench.session, PUK, "4321", NULL), 0);
	assert_true(simtie_secure_is_open(bench.session));
	simtie_close(&bench.session);
}

static void a_guarded_card_takes_no_pin_in_clear(void **state)
{
	struct bench bench;
	struct simtie_info info;
	struct simtie_pin_state pin;

	bench_open(&bench, *state, true);
	assert_int_equal(simtie_select(bench.session, &info), 0);
	assert_true(info.pin_guarded);
	assert_true(info.has_channel_key);
	assert_int_equal(simtie_pin_verify(bench.session, "0000", NULL), SIMTIE_ERR_CARD);
	assert_int_equal(simtie_status_word(bench.session), SW_NOT_SATISFIED);
	assert_int_equal(simtie_pin_verify(bench.session, PIN, NULL), SIMTIE_ERR_CARD);
	assert_int_equal(simtie_pin_change(bench.session, PIN, "1234", NULL), SIMTIE_ERR_CARD);
	assert_int_equal(simtie_pin_unblock(bench.session, PUK, "1234", NULL), SIMTIE_ERR_CARD);
	attest(bench.session, PIN, SIMTIE_ERR_CARD);
	assert_int_equal(simtie_pin_status(bench.session, &pin), 0);
	assert_int_equal(pin.pin_tries, LIMIT_PIN_TRIES);
	assert_int_equal(pin.puk_tries, LIMIT_PUK_TRIES);
	open_card(&bench, true);
	attest(bench.session, PIN, 0);
	/* Under MAC alone it is in clear as well. */
	assert_int_equal(simtie_select(bench.session, NULL), 0);
	assert_int_equal(
		simtie_secure_open(bench.session, &known_keys, SIMTIE_SECURITY_LEVEL_C_MAC), 0);
	assert_int_equal(simtie_pin_verify(bench.session, PIN, NULL), SIMTIE_ERR_CARD);
	assert_int_equal(simtie_status_word(bench.session), SW_NOT_SATISFIED);
	simtie_close(&bench.session);
}

/* The session is gone on both sides, and with it what it carried. */
static void select_ends_it(void **state)
{
	const uint8_t get[] = {
		0x84, INS_GET_DATA, TAG_COUNTER >> 8, TAG_COUNTER & 0xFF, 8, 0, 0, 0, 0, 0, 0, 0,
		0};
	struct bench bench;
	uint8_t answer[16];
	size_t len;

	bench_open(&bench, *state, false);
	open_card(&bench, true);
	assert_int_equal(simtie_pin_verify(bench.session, PIN, NULL), 0);
	assert_int_equal(simtie_select(bench.session, NULL), 0);
	assert_false(simtie_secure_is_open(bench.session));
	assert_int_equal(
		simtie_transmit(bench.session, get, sizeof get, answer, sizeof answer, &len), 0);
	assert_int_equal(simtie_status_word(bench.session), SW_NOT_SATISFIED); /* not WRONG_MAC */
	attest(bench.session, NULL, SIMTIE_ERR_CARD);
	simtie_close(&bench.session);
}

/* What takes the issuer's keys is not to be had without them: the applet's end, personalisation. */
static void it_is_not_the_issuers(void **state)
{
	const struct simtie_options options = {.reader = "loop:"};
	const struct simtie_objects objects = {.pin = "1111"};
	struct simtie_card_key key;
	struct bench bench;
	bool verified;

	bench_open(&bench, *state, false);
	open_card(&bench, true);
	assert_int_equal(simtie_set_lifecycle(bench.session, SIMTIE_LIFECYCLE_TERMINATED),
			 SIMTIE_ERR_CARD);
	assert_int_equal(simtie_status_word(bench.session), SW_NOT_SATISFIED);
	simtie_close(&bench.session);

	/* And in factory, where a key of SCP11b may be there already. */
	assert_int_equal(simtie_open(&options, &bench.session), 0);
	assert_int_equal(simtie_select(bench.session, NULL), 0);
	assert_int_equal(simtie_secure_open(bench.session, &known_keys,
					    SIMTIE_SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC),
			 0);
	assert_int_equal(simtie_generate_channel_key(bench.session, bench.point), 0);
	assert_int_equal(simtie_select(bench.session, NULL), 0);
	bench.trust = (struct simtie_card_trust){.point = bench.point};
	assert_int_equal(simtie_secure_open_card(bench.session, &bench.trust, &verified), 0);
	assert_int_equal(simtie_generate(bench.session, &key), SIMTIE_ERR_CARD);
	assert_int_equal(simtie_status_word(bench.session), SW_NOT_SATISFIED);
	assert_int_equal(simtie_store(bench.session, &objects), SIMTIE_ERR_CARD);
	assert_int_equal(simtie_status_word(bench.session), SW_NOT_SATISFIED);
	simtie_close(&bench.session);
}

static void refused(struct bench *bench, const char *part)
{
	bool verified = true;

	assert_int_equal(simtie_secure_open_card(bench->session, &bench->trust, &verified),
			 SIMTIE_ERR_SECURE);
	assert_false(verified);
	assert_false(simtie_secure_is_open(bench->session));
	assert_non_null(strstr(simtie_secure_text(bench->session), part));
}

/* A root that is not the card's, a key that is not, none; and a card without a certificate. */
static void whom_the_card_is_taken_for(void **state)
{
	const struct ca_place *place = *state;
	const struct ca_settings settings = {.name = "Another operator"};
	struct ca_place another = {0};
	char other[CA_PLACE_FILE_MAX];
	struct bench bench;
	uint8_t wrong[SIMTIE_POINT_SIZE];

	snprintf(another.path, sizeof another.path, "%s/another", place->folder);
	assert_int_equal(ca_create(another.path, &settings, ca_place_passphrase()), CA_OK);
	bench_open(&bench, place, false);
	open_card(&bench, true);
	bench.trust.root_len = ca_place_read(&another, "ca.crt", other);
	bench.trust.root = (const uint8_t *)other;
	refused(&bench, "certificate does not hold");
	bench.trust = (struct simtie_card_trust){.root = (const uint8_t *)"junk", .root_len = 4};
	refused(&bench, "certificate does not hold");
	bench.trust = (struct simtie_card_trust){0};
	open_card(&bench, false); /* taken for nobody, and said so */
	bench.trust.point = bench.point;
	open_card(&bench, true);
	/* The generator: a point, and not this card's. */
	memcpy(wrong, ca_place_request(CA_PLACE_ICCID).device_public, sizeof wrong);
	bench.trust.point = wrong;
	refused(&bench, "did not prove");
	simtie_close(&bench.session);

	bench_open(&bench, NULL, false);
	refused(&bench, "no certificate");
	bench.trust.point = bench.point;
	open_card(&bench, true);
	simtie_close(&bench.session);
}

/* The certificate of a device key, and bytes that are none. */
static void certificates_of_another_kind(void **state)
{
	const struct ca_place *place = *state;
	struct ca_request request = ca_place_request(CA_PLACE_ICCID);
	struct ca_issued card = certify(place, request.device_public, false);
	struct ca_issued channel = certify(place, request.device_public, true);
	char root[CA_PLACE_FILE_MAX];
	const struct bytes authority = {(const uint8_t *)root,
					ca_place_read(place, "ca.crt", root)};
	uint8_t point[LIMIT_POINT_SIZE];

	assert_int_equal(
		scp11_certificate(bytes_of(channel.certificate, channel.len), authority, point),
		SCP03_OK);
	assert_memory_equal(point, request.device_public, sizeof point);
	assert_int_equal(scp11_certificate(bytes_of(card.certificate, card.len), authority, point),
			 SCP03_CERTIFICATE);
	assert_int_equal(
		scp11_certificate(bytes_of(card.certificate, card.len), bytes_of(NULL, 0), point),
		SCP03_CERTIFICATE);
	for (size_t len = 0; len < channel.len; len++)
		assert_int_equal(
			scp11_certificate(bytes_of(channel.certificate, len), authority, point),
			SCP03_CERTIFICATE);
	channel.certificate[channel.len] = 0;
	assert_int_equal(
		scp11_certificate(bytes_of(channel.certificate, channel.len + 1), authority, point),
		SCP03_CERTIFICATE);
	channel.certificate[channel.len - 1] ^= 1; /* the signature */
	assert_int_equal(
		scp11_certificate(bytes_of(channel.certificate, channel.len), authority, point),
		SCP03_CERTIFICATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, ca_place_set_up, ca_place_tear_down)
		TEST(the_pin_goes_inside),
		TEST(a_guarded_card_takes_no_pin_in_clear),
		TEST(select_ends_it),
		TEST(it_is_not_the_issuers),
		TEST(whom_the_card_is_taken_for),
		TEST(certificates_of_another_kind),
#undef TEST
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, ca_place_begin, ca_place_end);
}
