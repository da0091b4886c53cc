#include "key_set.h"

#include "wipe.h"

#define SEQUENCE_MAX 0xFFFFFF /* three bytes on the line */

static uint8_t version_of(const struct applet *applet, uint8_t slot)
{
	uint8_t set[KEY_SET_SIZE];
	uint8_t version = 0;

	if (key_set_read(applet, slot, set))
		version = set[KEY_SET_VERSION];
	bytes_wipe(set, sizeof set);
	return version;
}

uint8_t key_set_find(const struct applet *applet, uint8_t version)
{
	for (uint8_t slot = 0; slot < LIMIT_KEY_SETS; slot++) {
		uint8_t there = version_of(applet, slot);

		if (there != 0 && (version == 0 || there == version))
			return slot;
	}
	return KEY_SET_NONE;
}

uint8_t key_set_free(const struct applet *applet)
{
	for (uint8_t slot = 0; slot < LIMIT_KEY_SETS; slot++)
		if (!journal_has(&applet->journal, RECORD_KEY_SET + slot))
			return slot;
	return KEY_SET_NONE;
}

bool key_set_read(const struct applet *applet, uint8_t slot, uint8_t set[static KEY_SET_SIZE])
{
	return record_read(applet, RECORD_KEY_SET + slot, set, KEY_SET_SIZE);
}

enum journal_result key_set_store(struct applet *applet, uint8_t slot,
				  const uint8_t set[static KEY_SET_SIZE])
{
	const struct journal_write writes[] = {
		{RECORD_KEY_SET + slot, {set, KEY_SET_SIZE}},
		{RECORD_FAILURES + slot, {NULL, 0}},
		wipe_mark(),
	};
	bool replaces = journal_has(&applet->journal, RECORD_KEY_SET + slot);
	enum journal_result result = journal_commit(&applet->journal, writes, replaces ? 3 : 2);

	if (result == JOURNAL_OK)
		(void)wipe_finish(&applet->journal); /* stored it is; the rest at power on */
	return result;
}

uint8_t key_set_failures(const struct applet *applet, uint8_t slot)
{
	return record_byte(applet, RECORD_FAILURES + slot, 0, LIMIT_AUTHENTICATIONS);
}

bool key_set_count(struct applet *applet, uint8_t slot, uint8_t failures)
{
	return record_put(applet, RECORD_FAILURES + slot, &failures, 1) == SW_OK &&
	       key_set_failures(applet, slot) == failures;
}

bool key_set_sequence(struct applet *applet, uint8_t slot, uint32_t *sequence)
{
	uint8_t coded[4] = {0};

	if (journal_has(&applet->journal, RECORD_SEQUENCE + slot) &&
	    !record_read(applet, RECORD_SEQUENCE + slot, coded, sizeof coded))
		return false;
	*sequence = get_be32(coded) + 1;
	if (*sequence > SEQUENCE_MAX)
		return false;
	put_be32(coded, *sequence);
	return record_put(applet, RECORD_SEQUENCE + slot, coded, sizeof coded) == SW_OK;
}

static bool blank(const uint8_t *bytes, size_t len)
{
	while (len > 0 && bytes[len - 1] == 0)
		len--;
	return len == 0;
}

enum journal_result key_set_install(struct applet *applet)
{
	const struct port_issuer *issuer = applet->port->issuer;
	uint8_t set[KEY_SET_SIZE] = {issuer->key_version, issuer->scp_options, issuer->key_len};
	enum journal_result result;

	memcpy(set + KEY_SET_ENC, issuer->enc, issuer->key_len);
	memcpy(set + KEY_SET_MAC, issuer->mac, issuer->key_len);
	memcpy(set + KEY_SET_DEK, issuer->dek, issuer->key_len);

	const struct journal_write writes[] = {
		{RECORD_KEY_SET, {set, sizeof set}},
		{RECORD_DIVERSIFICATION, {issuer->diversification, sizeof issuer->diversification}},
		{RECORD_ICCID, {issuer->iccid, sizeof issuer->iccid}},
	};

	result = journal_commit(&applet->journal, writes,
				blank(issuer->iccid, sizeof issuer->iccid) ? 2 : 3);
	bytes_wipe(set, sizeof set);
	return result;
}
