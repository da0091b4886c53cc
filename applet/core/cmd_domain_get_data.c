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

static uint16_t put_production_data(const struct applet *applet, struct writer *out)
{
	uint8_t name[LIMIT_DIVERSIFICATION_SIZE];
	uint8_t cplc[LIMIT_CPLC_SIZE] = {0};

	if (!record_read(applet, RECORD_DIVERSIFICATION, name, sizeof name))
		return SW_DATA_NOT_FOUND;
	memcpy(cplc + CPLC_SERIAL, name + sizeof name - CPLC_SERIAL_SIZE, CPLC_SERIAL_SIZE);
	ber_put(out, TAG_CPLC, bytes_of(cplc, sizeof cplc));
	return SW_OK;
}

/* What cannot be read is not there. */
static uint16_t put_record(const struct applet *applet, uint8_t id, uint16_t tag,
			   struct writer *out)
{
	return record_answer(applet, id, tag, out) == SW_OK ? SW_OK : SW_DATA_NOT_FOUND;
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
		return put_production_data(applet, &command->out);
	case TAG_DIVERSIFICATION:
		return put_record(applet, RECORD_DIVERSIFICATION, tag, &command->out);
	case TAG_ISSUER_NUMBER:
		return put_record(applet, RECORD_ISSUER_NUMBER, tag, &command->out);
	case TAG_IMAGE_NUMBER:
		return put_record(applet, RECORD_IMAGE_NUMBER, tag, &command->out);
	}
	return SW_DATA_NOT_FOUND;
}
