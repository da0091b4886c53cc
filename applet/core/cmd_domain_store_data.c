#include "access.h"
#include "chain.h"
#include "objects.h"
#include "records.h"

static bool objects_of_domain(uint16_t tag, struct bytes value, struct journal_write *writes,
			      size_t *count)
{
	uint8_t record = tag == TAG_ISSUER_NUMBER ? RECORD_ISSUER_NUMBER : RECORD_IMAGE_NUMBER;

	writes[(*count)++] = (struct journal_write){record, value};
	return (tag == TAG_ISSUER_NUMBER || tag == TAG_IMAGE_NUMBER) && value.len >= 1 &&
	       value.len <= LIMIT_NUMBER_SIZE_MAX;
}

static uint16_t store_all(struct applet *applet, const struct command *command, struct bytes data)
{
	if (!applet->store.for_attestation)
		return objects_store(applet, data, objects_of_domain);
	if (!access_personalise(applet, command))
		return SW_NOT_SATISFIED;
	return objects_store(applet, data, objects_of_attestation);
}

/* The data stands in the chain's buffer behind that of the blocks before: it came in a session. */
uint16_t cmd_domain_store_data(struct applet *applet, struct command *command)
{
	struct store *store = &applet->store;
	bool in_order = command->p2 == store->block;
	size_t used = store->used + command->data.len;
	uint16_t sw;

	if (!access_issuer(applet, command))
		return SW_NOT_SATISFIED;
	if (!in_order) {
		chain_forget_blocks(applet);
		return SW_CONDITIONS;
	}
	if (command->p1 == STORE_BLOCK_MORE_BER_TLV) {
		store->used = used;
		store->block++;
		return SW_OK;
	}
	sw = store_all(applet, command, bytes_of(applet->chain, used));
	chain_forget_blocks(applet);
	return sw;
}
