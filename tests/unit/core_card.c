#include "core_card.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../applet/port/posix/test_issuer.h"
#include "registry.h"

#define COMMAND_SIZE 4096

static uint8_t gathered[LIMIT_RESPONSE_DATA];

size_t core_card_hex(const char *hex, uint8_t *out, size_t size)
{
	size_t len = 0;
	unsigned byte;
	int used;

	while (*hex) {
		if (*hex == ' ') {
			hex++;
			continue;
		}
		assert_int_equal(sscanf(hex, "%2x%n", &byte, &used), 1);
		assert_int_equal(used, 2);
		assert_true(len < size);
		out[len++] = (uint8_t)byte;
		hex += 2;
	}
	return len;
}

void core_card_select(struct core_card *card)
{
	uint16_t sw;

	scp03_end(&card->scp);
	sw = core_card_send(card, "00 A4 04 0C 08 " CORE_CARD_AID);

	assert_int_equal(sw,
			 card->applet.lifecycle == LIFECYCLE_TERMINATED ? SW_TERMINATED : SW_OK);
}

void core_card_init(struct core_card *card)
{
	core_card_init_issued(card, &test_issuer);
}

void core_card_init_issued(struct core_card *card, const struct port_issuer *issuer)
{
	memset(card, 0, sizeof *card);
	flash_sim_init(&card->sim, 4096, 8);
	card->sim.port.issuer = issuer;
	assert_int_equal(applet_open(&card->applet, &card->sim.port), JOURNAL_OK);
	assert_false(card->applet.shut);
	core_card_select(card);
}

void core_card_free(struct core_card *card)
{
	flash_sim_free(&card->sim);
}

void core_card_reopen(struct core_card *card)
{
	flash_sim_power_on(&card->sim);
	assert_int_equal(applet_open(&card->applet, &card->sim.port), JOURNAL_OK);
	core_card_select(card);
}

void core_card_personalise(struct core_card *card, const uint8_t device_key[static 32],
			   const uint8_t chain_code[static 32])
{
	static const uint8_t personalised = LIFECYCLE_PERSONALISED;
	static const uint8_t pin_tries = LIMIT_PIN_TRIES, puk_tries = LIMIT_PUK_TRIES;
	uint8_t key[KEY_SIZE] = {0}, pin[LIMIT_PIN_SIZE], puk[LIMIT_PIN_SIZE];

	memcpy(key + KEY_DEVICE, device_key, 32);
	memcpy(key + KEY_CHAIN_CODE, chain_code, 32);
	core_card_hex(CORE_CARD_PIN, pin, sizeof pin);
	core_card_hex(CORE_CARD_PUK, puk, sizeof puk);

	const struct journal_write writes[] = {
		{RECORD_KEY, {key, sizeof key}},     {RECORD_PIN, {pin, sizeof pin}},
		{RECORD_PUK, {puk, sizeof puk}},     {RECORD_PIN_TRIES, {&pin_tries, 1}},
		{RECORD_PUK_TRIES, {&puk_tries, 1}}, {RECORD_LIFECYCLE, {&personalised, 1}},
	};

	assert_int_equal(journal_commit(&card->applet.journal, writes, 6), JOURNAL_OK);
	core_card_reopen(card);
}

void core_card_personalise_any(struct core_card *card)
{
	uint8_t device_key[32], chain_code[32];

	memset(device_key, 0x11, sizeof device_key);
	memset(chain_code, 0x22, sizeof chain_code);
	core_card_personalise(card, device_key, chain_code);
}

static void gather(struct core_card *card, size_t *used)
{
	assert_true(card->answer.data.len <= sizeof gathered - *used);
	if (card->answer.data.len)
		memcpy(gathered + *used, card->answer.data.ptr, card->answer.data.len);
	*used += card->answer.data.len;
}

void core_card_raw(struct core_card *card, struct bytes command)
{
	uint8_t *exact =
		malloc(command.len ? command.len : 1); /* a sanitizer sees every over-read */
	uint8_t channel = command.len ? command.ptr[0] & 3 : 0;
	size_t used = 0;

	if (command.len)
		memcpy(exact, command.ptr, command.len);
	card->answer = applet_transmit(&card->applet, bytes_of(exact, command.len));
	free(exact);
	gather(card, &used);
	while ((card->answer.sw & 0xFF00) == SW_BYTES_AVAILABLE) {
		const uint8_t more[] = {CLA_GET_RESPONSE | channel, INS_GET_RESPONSE, 0, 0,
					(uint8_t)card->answer.sw};

		card->answer = applet_transmit(&card->applet, bytes_of(more, sizeof more));
		gather(card, &used);
	}
	card->answer.data = bytes_of(gathered, used);
}

void core_card_exchange(struct core_card *card, struct bytes command)
{
	uint8_t wrapped[COMMAND_SIZE];
	size_t len, used;

	if (card->scp.state != SCP03_STATE_OPEN) {
		core_card_raw(card, command);
		return;
	}
	assert_int_equal(scp03_wrap(&card->scp, command, wrapped, sizeof wrapped, &len), SCP03_OK);
	core_card_raw(card, bytes_of(wrapped, len));
	assert_int_equal(scp03_unwrap(&card->scp, card->answer.data, card->answer.sw, gathered,
				      sizeof gathered, &used),
			 SCP03_OK);
	card->answer.data = bytes_of(gathered, used);
}

uint16_t core_card_send(struct core_card *card, const char *format, ...)
{
	char hex[3 * COMMAND_SIZE];
	uint8_t command[COMMAND_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(hex, sizeof hex, format, arguments);
	va_end(arguments);
	core_card_exchange(card, bytes_of(command, core_card_hex(hex, command, sizeof command)));
	return card->answer.sw;
}

struct scp03_keys core_card_keys(const struct port_issuer *issuer)
{
	struct scp03_keys keys = {.version = issuer->key_version, .len = issuer->key_len};

	memcpy(keys.enc, issuer->enc, keys.len);
	memcpy(keys.mac, issuer->mac, keys.len);
	memcpy(keys.dek, issuer->dek, keys.len);
	return keys;
}

enum scp03_result core_card_open(struct core_card *card, const struct scp03_keys *keys,
				 uint8_t channel, uint8_t level)
{
	const size_t size = card->sim.port.issuer->scp_options & SCP03_OPTION_S16 ? 16 : 8;
	const struct bytes aid = registry[card->applet.channels[channel].selected].aid;
	uint8_t challenge[SCP03_MAC_MAX] = {1, 2, 3, 4, 5, 6, 7, 8};
	uint8_t command[SCP03_AUTHENTICATE_MAX];
	enum scp03_result result;
	size_t len;

	result = scp03_begin(&card->scp, channel, keys->version, bytes_of(challenge, size), command,
			     &len);
	if (result != SCP03_OK)
		return result;
	core_card_raw(card, bytes_of(command, len));
	result = scp03_answered(&card->scp, card->answer.data, card->answer.sw);
	if (result == SCP03_OK)
		result = scp03_authenticate(&card->scp, keys, aid, level, command, &len);
	if (result != SCP03_OK)
		return result;
	core_card_raw(card, bytes_of(command, len));
	return scp03_authenticated(&card->scp, card->answer.data, card->answer.sw);
}

void core_card_secure(struct core_card *card, uint8_t level)
{
	const struct scp03_keys keys = core_card_keys(card->sim.port.issuer);

	assert_int_equal(core_card_open(card, &keys, 0, level), SCP03_OK);
}

unsigned core_card_tries(const struct core_card *card, uint8_t record)
{
	uint8_t tries = 0;
	size_t len;

	assert_int_equal(journal_read(&card->applet.journal, record, &tries, 1, &len), JOURNAL_OK);
	return tries;
}
