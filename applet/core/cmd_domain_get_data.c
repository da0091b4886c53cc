#include "command.h"
#include "key_set.h"

/* Object identifiers of GlobalPlatform (Card Specification 2.3.1 §H.2), each with its wrapping. */
static const uint8_t recognition[] = {
	0x73, 0x2E, 0x06, 0x07, 0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x01, 0x60,
	0x0B, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x02, 0x02, 0x03,
	0x63, 0x09, 0x06, 0x07, 0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x03, 0x64,
	0x0B, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x04, 0x03, /* and i */
};

#define KEY_TYPE_AES     0x88
#define KEYS_IN_SET      3
#define CPLC_SERIAL      12 /* IC serial number in the production data */
#define CPLC_SERIAL_SIZE 4

static void put_card_data(const struct applet *applet, struct writer *out)
{
	uint8_t set[KEY_SET_SIZE] = {0};
	uint8_t slot = key_set_find(applet, 0);
	size_t template = ber_open(out, TAG_CARD_DATA);

	if (slot != KEY_SET_NONE && !key_set_read(applet, slot, set))
		set[KEY_SET_OPTIONS] = 0;
	writer_put(out, bytes_of(recognition, sizeof recognition));
	writer_put(out, bytes_of(set + KEY_SET_OPTIONS, 1));
	ber_close(out, template);
	bytes_wipe(set, sizeof set);
}

static void put_key_information(const struct applet *applet, struct writer *out)
{
	uint8_t set[KEY_SET_SIZE];
	size_t template = ber_open(out, TAG_KEY_INFORMATION);

	for (uint8_t slot = 0; slot < LIMIT_KEY_SETS; slot++) {
		if (!key_set_read(applet, slot, set))
			continue;
		for (uint8_t id = 1; id <= KEYS_IN_SET; id++) {
			const uint8_t entry[] = {id, set[KEY_SET_VERSION], KEY_TYPE_AES,
						 set[KEY_SET_KEY_LEN]};

			ber_put(out, TAG_KEY_INFORMATION_ENTRY, bytes_of(entry, sizeof entry));
		}
	}
	ber_close(out, template);
	bytes_wipe(set, sizeof set);
}

static void put_production_data(const uint8_t name[static LIMIT_DIVERSIFICATION_SIZE],
				struct writer *out)
{
	uint8_t cplc[LIMIT_CPLC_SIZE] = {0};

	memcpy(cplc + CPLC_SERIAL, name + LIMIT_DIVERSIFICATION_SIZE - CPLC_SERIAL_SIZE,
	       CPLC_SERIAL_SIZE);
	ber_put(out, TAG_CPLC, bytes_of(cplc, sizeof cplc));
}

static uint16_t put_record(const struct applet *applet, uint16_t tag, uint8_t id,
			   struct writer *out)
{
	uint8_t value[LIMIT_NUMBER_SIZE_MAX];
	size_t len;

	if (journal_read(&applet->journal, id, value, sizeof value, &len) != JOURNAL_OK)
		return SW_DATA_NOT_FOUND;
	if (tag == TAG_CPLC)
		put_production_data(value, out);
	else
		ber_put(out, tag, bytes_of(value, len));
	return SW_OK;
}

uint16_t cmd_domain_get_data(struct applet *applet, struct command *command)
{
	uint16_t tag = (uint16_t)(command->p1 << 8 | command->p2);

	switch (tag) {
	case TAG_CARD_DATA:
		put_card_data(applet, &command->out);
		return SW_OK;
	case TAG_KEY_INFORMATION:
		put_key_information(applet, &command->out);
		return SW_OK;
	case TAG_CPLC:
	case TAG_DIVERSIFICATION:
		return put_record(applet, tag, RECORD_DIVERSIFICATION, &command->out);
	case TAG_ISSUER_NUMBER:
		return put_record(applet, tag, RECORD_ISSUER_NUMBER, &command->out);
	case TAG_IMAGE_NUMBER:
		return put_record(applet, tag, RECORD_IMAGE_NUMBER, &command->out);
	}
	return SW_DATA_NOT_FOUND;
}
