/* Commands on an open channel: what the card gets is what was meant, at every level and length. */
#include "scp03_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "contract.h"
#include "scripted_transport.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint8_t levels[] = {0x01, 0x03, 0x11, 0x13, 0x33};

static uint8_t plain[PEER_DATA_MAX], wrapped[PEER_DATA_MAX], opened[PEER_DATA_MAX];

/* A command APDU of `data` bytes; `le`: bytes of Le. Returns its length. */
static size_t make(uint8_t cla, size_t data, size_t le, bool extended)
{
	size_t at = 4;

	plain[0] = cla;
	plain[1] = 0xCB;
	plain[2] = 0x3F;
	plain[3] = 0xFF;
	if (data > 0 && extended) {
		plain[at] = 0;
		put_be16(plain + at + 1, (uint16_t)data);
		at += 3;
	} else if (data > 0) {
		plain[at++] = (uint8_t)data;
	}
	for (size_t i = 0; i < data; i++)
		plain[at++] = (uint8_t)(i * i);
	memset(plain + at, 0, le);
	return at + le;
}

/* Ends the exchange so that the next command may go. */
static void answer_bare(struct scp03 *scp)
{
	size_t len;

	assert_int_equal(scp03_unwrap(scp, NO_BYTES, SW_DATA_NOT_FOUND, opened, 0, &len), SCP03_OK);
}

/* Wraps what make() made, into exactly the room it takes, and has the card open it. */
static void goes_through(struct peer *peer, struct scp03 *scp, size_t plain_len)
{
	size_t len, opened_len;

	assert_int_equal(
		scp03_wrap(scp, bytes_of(plain, plain_len), wrapped, sizeof(wrapped), &len),
		SCP03_OK);
	assert_true(len <= plain_len + SCP03_OVERHEAD_MAX);
	opened_len = peer_open(peer, bytes_of(wrapped, len), opened);
	assert_int_equal(opened_len, plain_len);
	assert_memory_equal(opened, plain, plain_len);
	assert_int_equal(scp->counter, peer->counter);
	answer_bare(scp);
}

/*
 * Cards traced by the authors of pySim: the commands of a session, of which the card answers the
 * first. Level 33 with a key of 16 bytes.
 */
static void test_traced(void **state)
{
	static const struct {
		const char *plain, *wrapped;
	} commands[] = {
		{"80E2910006BF3E035C015A00",
		 "84e2910018267a85dfe4a98fca6fb0527e0dfecce4914e40401433c87f00"},
		{"80F22002", "84f2200208ac6a59024bed84cc"},
		{"80ca006600", "84ca006608409912ad8fb7aed000"},
		{"80F220020a4f0212345c054f9f70c5",
		 "84f22002185f3dafc3ac14c381536a488bf44e06d056df9d74dbd21e5a"},
		{"80f28002024f0000",
		 "84f280021865165105be3373347d0424d4400af2ac393f569ec779389e00"},
	};
	struct scp03_keys keys = {.version = 0x30, .len = 16};
	struct scp03 scp;
	uint8_t challenge[8], answer[64];
	size_t len;

	(void)state;
	for (uint8_t i = 0; i < 16; i++) {
		keys.enc[i] = i;
		keys.mac[i] = 0x10 + i;
	}
	scripted_bytes("fdf38259a1e0de44", challenge, sizeof(challenge));
	scp03_begin(&scp, 0, 0x30, bytes_of(challenge, 8), wrapped, &len);
	len = scripted_bytes("000000000000000000003003703b1aca81e821f219081cdc01c26b372d000003",
			     answer, sizeof(answer));
	assert_int_equal(scp03_answered(&scp, bytes_of(answer, len), SW_OK), SCP03_OK);
	assert_int_equal(scp03_authenticate(&scp, &keys, NO_BYTES, 0x33, wrapped, &len), SCP03_OK);
	assert_bytes(wrapped, len, "84823300108c36f96bcc00724a4e13ad591d7da3f0");
	assert_int_equal(scp03_authenticated(&scp, NO_BYTES, SW_OK), SCP03_OK);
	for (size_t i = 0; i < COUNT(commands); i++) {
		len = scripted_bytes(commands[i].plain, plain, sizeof(plain));
		assert_int_equal(
			scp03_wrap(&scp, bytes_of(plain, len), wrapped, sizeof(wrapped), &len),
			SCP03_OK);
		assert_bytes(wrapped, len, commands[i].wrapped);
		if (i > 0) {
			answer_bare(&scp);
			continue;
		}
		len = scripted_bytes("f3ba2b1013aa6224f5e1c138d71805c569e5439b47576260b75fc021b2509"
				     "7cb2e68f8a0144975b9",
				     answer, sizeof(answer));
		assert_int_equal(scp03_unwrap(&scp, bytes_of(answer, len), SW_OK, answer,
					      sizeof(answer), &len),
				 SCP03_OK);
		assert_bytes(answer, len, "bf3e125a1089882119900000000000000000000005");
	}
}

/* Every level, mode and length of a short command, with and without Le. */
static void test_short(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(levels) * 2; n++) {
		struct peer peer;
		struct scp03 scp;
		size_t max;

		peer_make(&peer, 0x30, 16 + n % 3 * 8, (uint8_t)n, n % 2 ? 0x71 : 0x70);
		peer_join(&peer, &scp, 0, levels[n / 2]);
		max = scp03_data_max(&scp);
		for (size_t data = 0; data <= max; data++) {
			goes_through(&peer, &scp, make(0x80, data, 0, false));
			goes_through(&peer, &scp, make(0x80, data, 1, false));
		}
	}
}

static void test_short_bound(void **state)
{
	static const struct {
		uint8_t i, level;
		size_t max;
	} cases[] = {{0x70, 0x01, 247}, {0x70, 0x11, 247}, {0x70, 0x03, 239}, {0x70, 0x33, 239},
		     {0x71, 0x01, 239}, {0x71, 0x11, 239}, {0x71, 0x03, 223}, {0x71, 0x33, 223}};

	(void)state;
	for (size_t n = 0; n < COUNT(cases); n++) {
		struct peer peer;
		struct scp03 scp, before;
		size_t len;

		peer_make(&peer, 0x30, 16, 1, cases[n].i);
		peer_join(&peer, &scp, 0, cases[n].level);
		assert_int_equal(scp03_data_max(&scp), cases[n].max);
		before = scp;
		for (size_t data = cases[n].max + 1; data <= 255; data++) {
			len = make(0x80, data, 0, false);
			assert_int_equal(scp03_wrap(&scp, bytes_of(plain, len), wrapped,
						    sizeof(wrapped), &len),
					 SCP03_TOO_LONG);
			assert_int_equal(len, 0);
		}
		assert_memory_equal(&scp, &before, sizeof(scp));
		goes_through(&peer, &scp, make(0x80, cases[n].max, 1, false));
	}
}

static void test_extended(void **state)
{
	static const size_t lengths[] = {1, 15, 16, 239, 240, 247, 248, 255, 256, 257, 4096, 65000};

	(void)state;
	for (size_t n = 0; n < COUNT(levels); n++) {
		struct peer peer;
		struct scp03 scp;
		size_t max;

		peer_make(&peer, 0x30, 32, (uint8_t)n, 0x71);
		peer_join(&peer, &scp, 0, levels[n]);
		goes_through(&peer, &scp, make(0x00, 0, 3, true));
		for (size_t i = 0; i < COUNT(lengths); i++) {
			goes_through(&peer, &scp, make(0x80, lengths[i], 0, true));
			goes_through(&peer, &scp, make(0x80, lengths[i], 2, true));
		}
		max = 65535 - 16;
		if (levels[n] & 0x02)
			max = max / 16 * 16 - 1;
		goes_through(&peer, &scp, make(0x80, max, 2, true));
		for (size_t data = max + 1; data <= 65535; data++) {
			size_t len = make(0x80, data, 0, true);

			assert_int_equal(scp03_wrap(&scp, bytes_of(plain, len), wrapped,
						    sizeof(wrapped), &len),
					 SCP03_TOO_LONG);
		}
		goes_through(&peer, &scp, make(0x80, max, 0, true));
	}
}

/* The class keeps channel and chaining bit; the MAC is over that of channel 0. */
static void test_classes(void **state)
{
	static const uint8_t bases[] = {0x00, 0x10, 0x80, 0x90};

	(void)state;
	for (uint8_t channel = 0; channel < 20; channel++) {
		struct peer peer;
		struct scp03 scp;

		peer_make(&peer, 0x30, 16, 1, 0x70);
		peer_join(&peer, &scp, channel, 0x33);
		for (size_t i = 0; i < COUNT(bases); i++) {
			uint8_t cla =
				(uint8_t)(bases[i] | (channel < 4 ? channel : 0x40 + channel - 4));

			goes_through(&peer, &scp, make(cla, 5, 0, false));
			assert_int_equal(wrapped[0], cla | (channel < 4 ? 0x04 : 0x20));
		}
	}
}

static void refused(struct scp03 *scp, const char *command)
{
	const struct scp03 before = *scp;
	size_t len = scripted_bytes(command, plain, sizeof(plain));

	assert_int_equal(scp03_wrap(scp, bytes_of(plain, len), wrapped, sizeof(wrapped), &len),
			 SCP03_ARGUMENT);
	assert_int_equal(len, 0);
	assert_memory_equal(scp, &before, sizeof(before));
}

static void test_no_plain_command(void **state)
{
	static const char *const commands[] = {
		"",           "80",         "80CA00",       "84CA006600",
		"0CA4040000", "08A4040000", "60CA006600",   "E0CA006600",
		"FFCA006600", "20CA006600", "A0A4000000",   "81CA006600",
		"40CA006600", "C0CA006600", "80E2000002AA", "80E20000000000AA",
	};
	struct peer peer;
	struct scp03 scp;

	(void)state;
	peer_make(&peer, 0x30, 16, 1, 0x70);
	peer_join(&peer, &scp, 0, 0x33);
	for (size_t i = 0; i < COUNT(commands); i++)
		refused(&scp, commands[i]);
	goes_through(&peer, &scp, make(0x80, 5, 0, false));
	peer_join(&peer, &scp, 2, 0x33);
	refused(&scp, "80CA006600");
	refused(&scp, "83CA006600");
	peer_join(&peer, &scp, 7, 0x33);
	refused(&scp, "83CA006600");
	refused(&scp, "C2CA006600");
	goes_through(&peer, &scp, make(0xC3, 5, 0, false));
}

/* Too little room changes nothing; exactly enough is enough. */
static void test_room(void **state)
{
	struct peer peer;
	struct scp03 scp, before;
	size_t plain_len, len;
	uint8_t *room;

	(void)state;
	peer_make(&peer, 0x30, 16, 1, 0x70);
	peer_join(&peer, &scp, 0, 0x33);
	before = scp;
	plain_len = make(0x80, 20, 1, false);
	for (size_t size = 0; size < 5 + 32 + 8 + 1; size++) {
		assert_int_equal(scp03_wrap(&scp, bytes_of(plain, plain_len), wrapped, size, &len),
				 SCP03_ROOM);
		assert_int_equal(len, 0);
	}
	assert_memory_equal(&scp, &before, sizeof(scp));
	room = test_malloc(5 + 32 + 8 + 1); /* which sees a byte too many */
	assert_int_equal(scp03_wrap(&scp, bytes_of(plain, plain_len), room, 5 + 32 + 8 + 1, &len),
			 SCP03_OK);
	assert_int_equal(peer_open(&peer, bytes_of(room, len), opened), plain_len);
	test_free(room);
}

/* Le goes as it was, unless the answer gets longer than it by a MAC. */
static void test_le(void **state)
{
	struct peer peer;
	struct scp03 scp;
	size_t len, plain_len;

	(void)state;
	for (size_t n = 0; n < COUNT(levels); n++) {
		bool mac = levels[n] & 0x10;

		peer_make(&peer, 0x30, 16, 1, 0x70);
		peer_join(&peer, &scp, 0, levels[n]);
		plain_len = make(0x80, 3, 1, false);
		plain[plain_len - 1] = 0x21;
		scp03_wrap(&scp, bytes_of(plain, plain_len), wrapped, sizeof(wrapped), &len);
		assert_int_equal(wrapped[len - 1], mac ? 0 : 0x21);
		answer_bare(&scp);
		plain_len = make(0x80, 3, 2, true);
		put_be16(plain + plain_len - 2, 0x4321);
		scp03_wrap(&scp, bytes_of(plain, plain_len), wrapped, sizeof(wrapped), &len);
		assert_int_equal(get_be16(wrapped + len - 2), mac ? 0 : 0x4321);
		answer_bare(&scp);
	}
}

/* The counter block has room for more than the commands of a day. */
static void test_counter(void **state)
{
	struct peer peer;
	struct scp03 scp;

	(void)state;
	peer_make(&peer, 0x30, 16, 1, 0x70);
	peer_join(&peer, &scp, 0, 0x33);
	peer.counter = scp.counter = 0xFFFFFFFE;
	for (int i = 0; i < 4; i++)
		goes_through(&peer, &scp, make(0x80, 9, 1, false));
	assert_true(scp.counter == 0x100000002);
}

/* The same command twice is never the same on the line, data or no data. */
static void test_fresh(void **state)
{
	struct peer peer;
	struct scp03 scp;
	uint8_t first[64];
	size_t first_len, len;

	(void)state;
	for (size_t n = 0; n < COUNT(levels); n++) {
		peer_make(&peer, 0x30, 16, 1, 0x70);
		peer_join(&peer, &scp, 0, levels[n]);
		for (size_t data = 0; data < 20; data++) {
			size_t plain_len = make(0x80, data, 0, false);

			scp03_wrap(&scp, bytes_of(plain, plain_len), first, sizeof(first),
				   &first_len);
			answer_bare(&scp);
			scp03_wrap(&scp, bytes_of(plain, plain_len), wrapped, sizeof(wrapped),
				   &len);
			answer_bare(&scp);
			assert_int_equal(len, first_len);
			assert_memory_not_equal(first + len - 8, wrapped + len - 8, 8);
			if (levels[n] & 2 && data > 0)
				assert_memory_not_equal(first + 5, wrapped + 5, 16);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_traced),      cmocka_unit_test(test_short),
		cmocka_unit_test(test_short_bound), cmocka_unit_test(test_extended),
		cmocka_unit_test(test_classes),     cmocka_unit_test(test_no_plain_command),
		cmocka_unit_test(test_room),        cmocka_unit_test(test_le),
		cmocka_unit_test(test_counter),     cmocka_unit_test(test_fresh),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
