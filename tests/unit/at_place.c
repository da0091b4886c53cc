#include "at_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

void at_place_begin(struct at_place *place, const struct modem_options *options)
{
	core_card_init(&place->card);
	core_card_personalise_any(&place->card);
	applet_reset(&place->card.applet, APPLET_T0);
	assert_true(modem_open(&place->modem, options, &place->card.applet));
	assert_true(modem_start(&place->modem));
	snprintf(place->reader, sizeof place->reader, "at:%s", place->modem.path);
	place->session = NULL;
}

int at_place_open_within(struct at_place *place, unsigned timeout_ms)
{
	const struct simtie_options options = {
		.reader = place->reader, .timeout_ms = timeout_ms, .detail = place->detail};

	return simtie_open(&options, &place->session);
}

int at_place_open(struct at_place *place)
{
	return at_place_open_within(place, 0);
}

void at_place_end(struct at_place *place)
{
	simtie_close(&place->session);
	modem_stop(&place->modem);
	if (place->modem.master >= 0)
		assert_int_equal(modem_guests(&place->modem), 0);
	assert_int_equal(place->modem.trespasses, 0);
	modem_close(&place->modem);
	core_card_free(&place->card);
}

uint16_t at_place_send(struct at_place *place, const uint8_t *command, size_t len, int expected)
{
	uint8_t out[SIMTIE_RESPONSE_DATA];
	size_t out_len;

	assert_int_equal(simtie_transmit(place->session, command, len, out, sizeof out, &out_len),
			 expected);
	return simtie_status_word(place->session);
}
