#include "objects.h"

#include "ber.h"
#include "pin.h"
#include "records.h"

/* PIN and PUK with their tries, ICCID, certificates, policy; and one object too many. */
#define WRITES_MAX 10

bool objects_of_attestation(uint16_t tag, struct bytes value, struct journal_write *writes,
			    size_t *count)
{
	switch (tag) {
	case TAG_PIN:
	case TAG_PUK: {
		enum pin_id id = tag == TAG_PIN ? PIN_HOLDER : PIN_UNBLOCK;

		writes[(*count)++] = pin_set(id, value);
		writes[(*count)++] = pin_tries_back(id);
		return pin_well_formed(id, value);
	}
	case TAG_ICCID:
		writes[(*count)++] = (struct journal_write){RECORD_ICCID, value};
		return value.len == LIMIT_ICCID_SIZE;
	case TAG_CERTIFICATE:
	case TAG_CHANNEL_CERTIFICATE:
		writes[(*count)++] = (struct journal_write){
			tag == TAG_CERTIFICATE ? RECORD_CERTIFICATE : RECORD_CHANNEL_CERTIFICATE,
			value};
		return value.len >= 1 && value.len <= LIMIT_CERTIFICATE_MAX;
	case TAG_PIN_POLICY:
		writes[(*count)++] = (struct journal_write){RECORD_PIN_POLICY, value};
		return value.len == 1 && *value.ptr <= PIN_POLICY_SECURE_CHANNEL;
	}
	return false;
}

/* Whether the newest writes, from `from` on, replace a record that earlier ones replace too. */
static bool repeated(const struct journal_write *writes, size_t from, size_t count)
{
	for (size_t i = 0; i < from; i++)
		for (size_t k = from; k < count; k++)
			if (writes[i].id == writes[k].id)
				return true;
	return false;
}

/* False: the data is not a run of known objects, each once. */
static bool collect(struct bytes data, objects_add *add,
		    struct journal_write writes[static WRITES_MAX], size_t *count)
{
	struct ber object;

	*count = 0;
	while (data.len > 0) {
		size_t from = *count;

		if (from > WRITES_MAX - 2 || !ber_next(&data, &object) ||
		    !add(object.tag, object.value, writes, count) || repeated(writes, from, *count))
			return false;
	}
	return true;
}

uint16_t objects_store(struct applet *applet, struct bytes data, objects_add *add)
{
	struct journal_write writes[WRITES_MAX];
	size_t count;

	if (!collect(data, add, writes, &count))
		return SW_WRONG_DATA;
	switch (journal_commit(&applet->journal, writes, count)) {
	case JOURNAL_OK:
		return SW_OK;
	case JOURNAL_FULL:
	case JOURNAL_TOO_SMALL:
		return SW_NO_MEMORY;
	case JOURNAL_ABSENT:
	case JOURNAL_IO:
	case JOURNAL_CORRUPT:
	case JOURNAL_UNKNOWN:
	case JOURNAL_UNUSABLE:
		break;
	}
	return SW_MEMORY_FAILURE;
}
