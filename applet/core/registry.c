#include "registry.h"

#include "records.h"

static const struct {
	const char *aid;
	const char *load_file;
	uint8_t aid_len;
	uint8_t load_file_len;
} entries[] = {
#define ENTRY(id, name, aid, aid_len, load_file, load_file_len)                                    \
	[APPLICATION_##id] = {aid, load_file, aid_len, load_file_len},
	APPLICATIONS(ENTRY)
#undef ENTRY
};

struct registry_entry registry_entry(enum application application)
{
	return (struct registry_entry){
		.aid = {(const uint8_t *)entries[application].aid, entries[application].aid_len},
		.load_file = {(const uint8_t *)entries[application].load_file,
			      entries[application].load_file_len},
	};
}

bool registry_begins(struct bytes aid, struct bytes name)
{
	return name.len <= aid.len && bytes_equal(name, bytes_of(aid.ptr, name.len));
}

uint8_t registry_lifecycle(const struct applet *applet, enum application application)
{
	uint8_t state;
	size_t len;

	if (application == APPLICATION_ATTESTATION)
		return (uint8_t)applet->lifecycle;
	if (journal_read(&applet->journal, RECORD_CARD_STATE, &state, 1, &len) != JOURNAL_OK)
		return CARD_STATE_OP_READY;
	return state;
}
