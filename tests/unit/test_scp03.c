/* Opening a secure channel: known answers, and every way in which a card or a line can be wrong. */
#include "scp03_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "contract.h"
#include "scripted_transport.h"

static const uint8_t options[] = {0x00, 0x10, 0x20, 0x30, 0x60, 0x70,
				  0x01, 0x11, 0x21, 0x31, 0x61, 0x71};
static const uint8_t levels[] = {0x01, 0x03, 0x11, 0x13, 0x33};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * A calculation of J. M. Valade's, published with the asterix framework's tests: i = 70, three
 * different keys, a pseudo-random challenge for an AID of 15 bytes.
 */
static void test_valade(void **state)
{
	struct scp03_keys keys = {.version = 0x30, .len = 16};
	struct scp03 scp;
	uint8_t challenge[8], command[SCP03_AUTHENTICATE_MAX], answer[64], aid[16];
	size_t len, aid_len;

	(void)state;
	scripted_bytes("404142434445464748494A4B4C4D4E4F", keys.enc, 16);
	scripted_bytes("401122334445566748494A4B4C4D4E4F", keys.mac, 16);
	scripted_bytes("9876543210404142434445464748494A", keys.dek, 16);
	scripted_bytes("0807060504030201", challenge, 8);
	aid_len = scripted_bytes("A000000018434D08090A0B0C000000", aid, sizeof(aid));
	assert_int_equal(scp03_begin(&scp, 0, 0x30, bytes_of(challenge, 8), command, &len), 0);
	assert_bytes(command, len, "8050300008080706050403020100");
	len = scripted_bytes("000050C7606A8CF64800300370A3F5F144D19BE66E72BFCBDF4A14515F00002A",
			     answer, sizeof(answer));
	assert_int_equal(scp03_answered(&scp, bytes_of(answer, len), SW_OK), SCP03_OK);
	assert_bytes(scp.card.diversification, 10, "000050C7606A8CF64800");
	assert_bytes(scp.card.sequence, 3, "00002A");
	assert_int_equal(scp.card.i, 0x70);
	assert_int_equal(
		scp03_authenticate(&scp, &keys, bytes_of(aid, aid_len), 0x01, command, &len),
		SCP03_OK);
	assert_bytes(scp.enc, 16, "852D207B7CC8C880231EDFD5C644CFB1");
	assert_bytes(scp.mac, 16, "7131B9369F3D19850E6919CD3321523E");
	assert_bytes(scp.rmac, 16, "B570AA1FDE18F9179B5CBD42D8939D05");
	assert_bytes(scp.chain, 16, "49FC4CF184E61DCD4C3928E4C617FBA3");
	assert_bytes(command, len, "8482010010AEB8DAD1865B85E249FC4CF184E61DCD");
}

/* Cards traced by the authors of pySim; the session keys are longer than a block of CMAC. */
static void test_traced(void **state)
{
	static const struct {
		const char *enc, *mac, *challenge, *answer, *authenticate;
		uint8_t version, level;
	} cases[] = {
		{"000102030405060708090a0b0c0d0e0f0001020304050607",
		 "101112131415161718191a1b1c1d1e1f1011121314151617", "7396430b768b085b",
		 "000000000000000000003103708cfc23522ffdbf1e5df5542cac8fd866000003",
		 "84821100102145ed30b146f5db252fb7e624cec244", 0x31, 0x11},
		{"000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f",
		 "101112131415161718191a1b1c1d1e1f101112131415161718191a1b1c1d1e1f",
		 "97b2055fe58599fd",
		 "00000000000000000000320370a8439a22cedf045fa9f1903b2834f26e000002",
		 "8482330010508a0fd959d2e547c6b33154a6be2057", 0x32, 0x33},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scp03_keys keys = {.version = cases[i].version};
		struct scp03 scp;
		uint8_t challenge[8], answer[64], command[SCP03_AUTHENTICATE_MAX];
		size_t len;

		keys.len = scripted_bytes(cases[i].enc, keys.enc, sizeof(keys.enc));
		scripted_bytes(cases[i].mac, keys.mac, sizeof(keys.mac));
		scripted_bytes(cases[i].challenge, challenge, sizeof(challenge));
		assert_int_equal(
			scp03_begin(&scp, 0, keys.version, bytes_of(challenge, 8), command, &len),
			SCP03_OK);
		len = scripted_bytes(cases[i].answer, answer, sizeof(answer));
		assert_int_equal(scp03_answered(&scp, bytes_of(answer, len), SW_OK), SCP03_OK);
		assert_int_equal(
			scp03_authenticate(&scp, &keys, NO_BYTES, cases[i].level, command, &len),
			SCP03_OK);
		assert_bytes(command, len, cases[i].authenticate);
	}
}

static bool offers(uint8_t i, uint8_t level)
{
	return (!(level & 0x10) || (i & 0x20)) && (!(level & 0x20) || (i & 0x40));
}

/* Every length of key, option and level: opened exactly when the card offers it. */
static void test_all_options(void **state)
{
	struct peer peer;
	struct scp03 scp;
	uint8_t answer[64], command[SCP03_AUTHENTICATE_MAX];
	size_t len;

	(void)state;
	for (size_t key = 16; key <= 32; key += 8) {
		for (size_t n = 0; n < COUNT(options) * COUNT(levels); n++) {
			uint8_t i = options[n / COUNT(levels)], level = levels[n % COUNT(levels)];

			peer_make(&peer, 0x30, key, (uint8_t)n, i);
			len = peer_meet(&peer, &scp, 0, answer);
			assert_int_equal(scp03_answered(&scp, bytes_of(answer, len), SW_OK), 0);
			assert_int_equal(scp03_authenticate(&scp, &peer.keys, peer_aid(&peer),
							    level, command, &len),
					 offers(i, level) ? SCP03_OK : SCP03_LEVEL);
			if (!offers(i, level)) { /* a lower level may still be had */
				assert_int_equal(len, 0);
				assert_int_equal(scp03_authenticate(&scp, &peer.keys, NO_BYTES,
								    0x01, command, &len),
						 SCP03_OK);
			}
			assert_true(peer_authenticate(&peer, bytes_of(command, len)));
			assert_int_equal(scp03_authenticated(&scp, NO_BYTES, SW_OK), SCP03_OK);
			assert_int_equal(scp.state, SCP03_STATE_OPEN);
			scp03_end(&scp);
			assert_wiped(&scp);
		}
	}
}

static void test_other_levels(void **state)
{
	struct peer peer;
	struct scp03 scp;
	uint8_t answer[64], command[SCP03_AUTHENTICATE_MAX];
	size_t len, allowed = 0;

	(void)state;
	peer_make(&peer, 0x30, 16, 1, 0x70);
	for (unsigned level = 0; level <= 0xFF; level++) {
		len = peer_meet(&peer, &scp, 0, answer);
		scp03_answered(&scp, bytes_of(answer, len), SW_OK);
		if (scp03_authenticate(&scp, &peer.keys, NO_BYTES, (uint8_t)level, command, &len) ==
		    SCP03_OK)
			allowed++;
		else
			assert_int_equal(len, 0);
	}
	assert_int_equal(allowed, COUNT(levels));
}

/* A random challenge follows from nothing. */
static void test_random_challenge(void **state)
{
	struct peer peer;
	struct scp03 scp;
	uint8_t answer[64], command[SCP03_AUTHENTICATE_MAX];
	size_t len;

	(void)state;
	peer_make(&peer, 0x30, 16, 3, 0x60);
	len = peer_meet(&peer, &scp, 0, answer);
	assert_int_equal(len, 29);
	assert_int_equal(scp03_answered(&scp, bytes_of(answer, len), SW_OK), SCP03_OK);
	assert_int_equal(scp03_authenticate(&scp, &peer.keys, peer_aid(&peer), 0x33, command, &len),
			 SCP03_OK);
}

static void test_versions(void **state)
{
	static const struct {
		uint8_t asked, keys;
		enum scp03_result wanted;
	} cases[] = {
		{0x30, 0x30, SCP03_OK},      {0x00, 0x30, SCP03_OK},
		{0x30, 0x00, SCP03_OK},      {0x00, 0x00, SCP03_OK},
		{0x31, 0x30, SCP03_VERSION}, {0x00, 0x31, SCP03_VERSION},
		{0x30, 0x31, SCP03_VERSION}, {0x30, 0x80, SCP03_ARGUMENT},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct peer peer;
		struct scp03 scp;
		uint8_t challenge[8] = {1}, command[SCP03_AUTHENTICATE_MAX], answer[64];
		enum scp03_result result;
		size_t len;

		peer_make(&peer, 0x30, 16, 3, 0x70);
		scp03_begin(&scp, 0, cases[i].asked, bytes_of(challenge, 8), command, &len);
		assert_int_equal(command[2], cases[i].asked);
		len = peer_initialize(&peer, bytes_of(command, len), answer);
		peer.keys.version = cases[i].keys;
		result = scp03_answered(&scp, bytes_of(answer, len), SW_OK);
		if (result == SCP03_OK)
			result =
				scp03_authenticate(&scp, &peer.keys, NO_BYTES, 0x01, command, &len);
		assert_int_equal(result, cases[i].wanted);
	}
}

static void test_channels(void **state)
{
	(void)state;
	for (uint8_t channel = 0; channel < 20; channel++) {
		struct peer peer;
		struct scp03 scp;
		uint8_t challenge[8] = {1}, command[SCP03_AUTHENTICATE_MAX], answer[64];
		size_t len;

		peer_make(&peer, 0x30, 16, 3, 0x70);
		scp03_begin(&scp, channel, 0x30, bytes_of(challenge, 8), command, &len);
		assert_int_equal(command[0], channel < 4 ? 0x80 + channel : 0xC0 + channel - 4);
		len = peer_initialize(&peer, bytes_of(command, len), answer);
		scp03_answered(&scp, bytes_of(answer, len), SW_OK);
		assert_int_equal(
			scp03_authenticate(&scp, &peer.keys, NO_BYTES, 0x33, command, &len),
			SCP03_OK);
		assert_int_equal(command[0], channel < 4 ? 0x84 + channel : 0xE0 + channel - 4);
		assert_true(peer_authenticate(&peer, bytes_of(command, len)));
	}
}

static void test_draw(void **state)
{
	uint8_t one[16] = {0}, other[16] = {0};

	(void)state;
	assert_int_equal(scp03_draw(one, sizeof(one)), SCP03_OK);
	assert_int_equal(scp03_draw(other, sizeof(other)), SCP03_OK);
	assert_memory_not_equal(one, other, sizeof(one));
}

static void test_texts(void **state)
{
	(void)state;
	for (int i = 0; i <= SCP03_FAILED; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(scp03_text((enum scp03_result)i),
						scp03_text((enum scp03_result)j));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valade),
		cmocka_unit_test(test_traced),
		cmocka_unit_test(test_all_options),
		cmocka_unit_test(test_other_levels),
		cmocka_unit_test(test_random_challenge),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_channels),
		cmocka_unit_test(test_draw),
		cmocka_unit_test(test_texts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
