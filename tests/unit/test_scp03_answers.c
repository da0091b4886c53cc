/* Answers on an open channel: the right ones are read, and nothing else is. */
#include "scp03_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "contract.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint8_t levels[] = {0x01, 0x03, 0x11, 0x13, 0x33};
static const uint16_t covered[] = {SW_OK, SW_TERMINATED, SW_TRIES_LEFT, 0x6200, 0x62FF, 0x63FF};
static const uint16_t errors[] = {SW_BYTES_AVAILABLE,
				  SW_MEMORY_FAILURE,
				  SW_NOT_SATISFIED,
				  SW_WRONG_DATA,
				  SW_CARD_SHUT,
				  0x6400,
				  0x9001,
				  0x8FFF,
				  0x0000};

static const uint8_t get_data[] = {0x80, 0xCA, 0x00, 0x66, 0x00};
static uint8_t data[PEER_DATA_MAX], answer[PEER_DATA_MAX], out[PEER_DATA_MAX];

struct meeting {
	struct peer peer;
	struct scp03 scp;
};

/* A command goes to the card; its answer is due. */
static void call(struct meeting *at)
{
	uint8_t command[64], plain[64];
	size_t len;

	assert_int_equal(scp03_wrap(&at->scp, bytes_of(get_data, sizeof(get_data)), command,
				    sizeof(command), &len),
			 SCP03_OK);
	assert_int_equal(peer_open(&at->peer, bytes_of(command, len), plain), sizeof(get_data));
}

/* A channel on which an answer is due. */
static void meet(struct meeting *at, uint8_t i, uint8_t level)
{
	peer_make(&at->peer, 0x30, 16, level, i);
	peer_join(&at->peer, &at->scp, 0, level);
	call(at);
}

/* The answer in `answer` ends the channel with that result, and gives nothing. */
static void refuses(struct meeting *at, size_t len, uint16_t sw, enum scp03_result wanted)
{
	struct scp03 before = at->scp;
	size_t out_len = 99;

	memset(out, 0, len + 1);
	assert_int_equal(
		scp03_unwrap(&at->scp, bytes_of(answer, len), sw, out, sizeof(out), &out_len),
		wanted);
	assert_int_equal(out_len, 0);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(out[i], 0);
	assert_wiped(&at->scp);
	at->scp = before; /* for the next thing to be refused */
}

static void accepts(struct meeting *at, size_t len, uint16_t sw, size_t plain_len)
{
	size_t out_len;

	assert_int_equal(
		scp03_unwrap(&at->scp, bytes_of(answer, len), sw, out, sizeof(out), &out_len),
		SCP03_OK);
	assert_int_equal(out_len, plain_len);
	assert_memory_equal(out, data, plain_len);
	assert_int_equal(at->scp.state, SCP03_STATE_OPEN);
}

static int fill(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * i + 1);
	return 0;
}

static void test_every_length(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(levels) * 2; n++) {
		struct meeting at;
		uint8_t i = n % 2 ? 0x71 : 0x70;

		meet(&at, i, levels[n / 2]);
		for (size_t len = 0; len <= 300; len++) {
			uint16_t sw = covered[len % COUNT(covered)];

			accepts(&at, peer_answer(&at.peer, bytes_of(data, len), sw, answer), sw,
				len);
			call(&at);
		}
		accepts(&at, peer_answer(&at.peer, bytes_of(data, 65000), SW_OK, answer), SW_OK,
			65000);
	}
}

/* Zeros, and what looks like padding, at the end of the data stay there. */
static void test_padding_in_data(void **state)
{
	struct meeting at;

	(void)state;
	meet(&at, 0x70, 0x33);
	for (size_t len = 1; len < 64; len++) {
		memset(data, 0, len);
		data[0] = len % 2 ? 0x80 : 0x00;
		accepts(&at, peer_answer(&at.peer, bytes_of(data, len), SW_OK, answer), SW_OK, len);
		call(&at);
	}
	fill(NULL);
}

static void test_in_place(void **state)
{
	struct meeting at;
	size_t len;

	(void)state;
	meet(&at, 0x71, 0x33);
	len = peer_answer(&at.peer, bytes_of(data, 100), SW_OK, answer);
	assert_int_equal(
		scp03_unwrap(&at.scp, bytes_of(answer, len), SW_OK, answer, len - 16, &len),
		SCP03_OK);
	assert_int_equal(len, 100);
	assert_memory_equal(answer, data, 100);
}

/* Every bit of an answer, of its MAC and of its status word. */
static void test_bits(void **state)
{
	static const uint8_t with_mac[] = {0x11, 0x13, 0x33};

	(void)state;
	for (size_t n = 0; n < COUNT(with_mac) * 2; n++) {
		struct meeting at;
		size_t len;

		meet(&at, n % 2 ? 0x71 : 0x70, with_mac[n / 2]);
		len = peer_answer(&at.peer, bytes_of(data, 40), SW_OK, answer);
		for (size_t bit = 0; bit < len * 8; bit++) {
			answer[bit / 8] ^= (uint8_t)(1 << bit % 8);
			refuses(&at, len, SW_OK, SCP03_BAD_MAC);
			answer[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (size_t i = 1; i < COUNT(covered); i++)
			refuses(&at, len, covered[i], SCP03_BAD_MAC);
		for (size_t i = 0; i < COUNT(errors); i++)
			refuses(&at, len, errors[i], SCP03_MALFORMED);
		accepts(&at, len, SW_OK, 40);
	}
}

/* An answer without data has nothing but its MAC, which counts as much. */
static void test_bits_without_data(void **state)
{
	struct meeting at;
	size_t len;

	(void)state;
	meet(&at, 0x70, 0x33);
	len = peer_answer(&at.peer, NO_BYTES, SW_OK, answer);
	assert_int_equal(len, 8);
	for (size_t bit = 0; bit < len * 8; bit++) {
		answer[bit / 8] ^= (uint8_t)(1 << bit % 8);
		refuses(&at, len, SW_OK, SCP03_BAD_MAC);
		answer[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	refuses(&at, 0, SW_OK, SCP03_BAD_MAC); /* a card that has dropped the channel */
	refuses(&at, 0, SW_TERMINATED, SCP03_BAD_MAC);
	accepts(&at, len, SW_OK, 0);
}

static void test_cut_and_longer(void **state)
{
	(void)state;
	for (size_t n = 0; n < 2; n++) {
		struct meeting at;
		size_t len;

		meet(&at, n ? 0x71 : 0x70, 0x33);
		len = peer_answer(&at.peer, bytes_of(data, 40), SW_OK, answer);
		answer[len] = 0;
		for (size_t cut = 0; cut <= len + 1; cut++)
			if (cut != len)
				refuses(&at, cut, SW_OK, SCP03_BAD_MAC);
		memmove(answer, answer + 16, len - 16); /* a block less in front */
		refuses(&at, len - 16, SW_OK, SCP03_BAD_MAC);
	}
}

/* Answers of this and another channel, each to another command than it was given to. */
static void test_replay(void **state)
{
	static const uint8_t with_mac[] = {0x11, 0x13, 0x33};
	uint8_t old[3][64];
	size_t len = 0;

	(void)state;
	for (size_t n = 0; n < COUNT(with_mac); n++) {
		struct meeting at, other;

		meet(&other, 0x60, with_mac[n]);
		meet(&at, 0x60, with_mac[n]);
		for (size_t i = 0; i < 3; i++) {
			len = peer_answer(&at.peer, bytes_of(data, 20), SW_OK, old[i]);
			memcpy(answer, old[i], len);
			accepts(&at, len, SW_OK, 20);
			call(&at);
			for (size_t j = 0; j <= i; j++) {
				memcpy(answer, old[j], len);
				refuses(&at, len, SW_OK, SCP03_BAD_MAC);
			}
		}
		len = peer_answer(&other.peer, bytes_of(data, 20), SW_OK, answer);
		refuses(&at, len, SW_OK, SCP03_BAD_MAC);
	}
}

/* The second command's answer does not pass for the first's. */
static void test_reordered(void **state)
{
	struct meeting at, ahead;
	size_t len;

	(void)state;
	meet(&at, 0x60, 0x33);
	ahead = at;
	len = peer_answer(&ahead.peer, NO_BYTES, SW_OK, answer);
	accepts(&ahead, len, SW_OK, 0);
	call(&ahead);
	len = peer_answer(&ahead.peer, bytes_of(data, 20), SW_OK, answer);
	refuses(&at, len, SW_OK, SCP03_BAD_MAC);
	accepts(&ahead, len, SW_OK, 20);
}

/* A command, sent back, is no answer. */
static void test_reflected(void **state)
{
	struct meeting at;
	size_t len;

	(void)state;
	meet(&at, 0x60, 0x11);
	accepts(&at, peer_answer(&at.peer, NO_BYTES, SW_OK, answer), SW_OK, 0);
	assert_int_equal(scp03_wrap(&at.scp, bytes_of(get_data, sizeof(get_data)), answer,
				    sizeof(answer), &len),
			 SCP03_OK);
	memmove(answer, answer + 5, 8);
	refuses(&at, 8, SW_OK, SCP03_BAD_MAC);
}

/* The right MAC over what cannot have been enciphered so. */
static void test_bad_padding(void **state)
{
	struct meeting at;

	(void)state;
	meet(&at, 0x70, 0x33);
	for (size_t len = 1; len <= 48; len++) {
		uint8_t padded[48] = {0};

		refuses(&at, peer_answer_padded(&at.peer, bytes_of(padded, len), SW_OK, answer),
			SW_OK, SCP03_BAD_PADDING);
		if (len % 16 != 0)
			continue;
		padded[len - 1] = 0x81;
		refuses(&at, peer_answer_padded(&at.peer, bytes_of(padded, len), SW_OK, answer),
			SW_OK, SCP03_BAD_PADDING);
		if (len == 16)
			continue;
		padded[len - 1] = 0;
		padded[len - 17] = 0x80; /* a block of padding too many */
		refuses(&at, peer_answer_padded(&at.peer, bytes_of(padded, len), SW_OK, answer),
			SW_OK, SCP03_BAD_PADDING);
	}
}

/* A card need not encipher what is not there, but it may. */
static void test_nothing_enciphered(void **state)
{
	static const uint8_t padding[16] = {0x80};
	struct meeting at;

	(void)state;
	meet(&at, 0x70, 0x33);
	accepts(&at, peer_answer_padded(&at.peer, bytes_of(padding, 16), SW_OK, answer), SW_OK, 0);
}

/* An error comes bare, and the channel goes on; data with it is somebody else's. */
static void test_errors(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(levels); n++) {
		struct meeting at;

		meet(&at, 0x70, levels[n]);
		for (size_t i = 0; i < COUNT(errors); i++) {
			accepts(&at, 0, errors[i], 0);
			call(&at);
		}
		accepts(&at, peer_answer(&at.peer, bytes_of(data, 20), SW_OK, answer), SW_OK, 20);
		if (!(levels[n] & 0x10))
			continue;
		call(&at);
		for (size_t i = 0; i < COUNT(errors); i++)
			refuses(&at, 1, errors[i], SCP03_MALFORMED);
	}
}

/* Too little room gives nothing, and the answer can be had yet. */
static void test_room(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(levels); n++) {
		struct meeting at;
		size_t len, out_len, need;
		uint8_t *room;

		meet(&at, 0x70, levels[n]);
		len = peer_answer(&at.peer, bytes_of(data, 40), SW_OK, answer);
		need = len - (levels[n] & 0x10 ? 8 : 0);
		for (size_t size = 0; size < need; size++)
			assert_int_equal(scp03_unwrap(&at.scp, bytes_of(answer, len), SW_OK, out,
						      size, &out_len),
					 SCP03_ROOM);
		room = test_malloc(need);
		assert_int_equal(
			scp03_unwrap(&at.scp, bytes_of(answer, len), SW_OK, room, need, &out_len),
			SCP03_OK);
		assert_int_equal(out_len, 40);
		assert_memory_equal(room, data, 40);
		test_free(room);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_padding_in_data),
		cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_bits_without_data),
		cmocka_unit_test(test_cut_and_longer),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_reordered),
		cmocka_unit_test(test_reflected),
		cmocka_unit_test(test_bad_padding),
		cmocka_unit_test(test_nothing_enciphered),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_room),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fill, NULL);
}
