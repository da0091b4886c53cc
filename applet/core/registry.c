#include "registry.h"

#include "records.h"

const struct registry_entry registry[] = {
#define ENTRY(id, name, aid, aid_len, load_file, load_file_len)                                    \
	[APPLICATION_##id] = {{(const uint8_t *)(aid), aid_len},                                   \
			      {(const uint8_t *)(load_file), load_file_len}},
	APPLICATIONS(ENTRY)
#undef ENTRY
};

bool registry_begins(struct bytes aid, struct bytes name)
{
	return name.len <= aid.len && bytes_equal(name, bytes_of(aid.ptr, name.len));
}

uint8_t registry_lifecycle(const struct applet *applet, enum application application)
{
	if (application == APPLICATION_ATTESTATION)
		return (uint8_t)applet->lifecycle;
	return record_byte(applet, RECORD_CARD_STATE, CARD_STATE_OP_READY, CARD_STATE_OP_READY);
}
