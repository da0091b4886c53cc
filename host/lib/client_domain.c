#include "client.h"

/* Of SELECT and GET DATA; a card that has more to say is not understood. */
#define ANSWER_MAX 256

/* One entry: identifier, version, then type and length of each component. */
#define ENTRY_MIN 4

int simtie_select_domain(struct simtie_session *session)
{
	const struct client_command command = {
		.cla = CLA_SELECT,
		.ins = INS_SELECT,
		.p1 = SELECT_BY_AID,
		.p2 = SELECT_ANSWER_FCI,
		.ne = APDU_NE_SHORT,
	};
	uint8_t answer[ANSWER_MAX];
	size_t len;

	return client_send(session, &command, answer, sizeof answer, &len);
}

/* Takes an entry into the list, unless a key of its set is there already. */
static bool take(struct bytes entry, struct simtie_key_set *sets, size_t *count)
{
	if (entry.len < ENTRY_MIN)
		return false;
	for (size_t i = 0; i < *count; i++)
		if (sets[i].version == entry.ptr[1])
			return true;
	if (*count < SIMTIE_KEY_SETS_MAX)
		sets[(*count)++] = (struct simtie_key_set){
			.version = entry.ptr[1], .type = entry.ptr[2], .len = entry.ptr[3]};
	return true;
}

int simtie_get_key_sets(struct simtie_session *session,
			struct simtie_key_set sets[SIMTIE_KEY_SETS_MAX], size_t *count)
{
	uint8_t answer[ANSWER_MAX];
	struct bytes value;
	struct ber entry;
	int error = client_get_data(session, TAG_KEY_INFORMATION, answer, sizeof answer, &value);

	*count = 0;
	while (!error && value.len > 0)
		if (!ber_next(&value, &entry) || entry.tag != TAG_KEY_INFORMATION_ENTRY ||
		    !take(entry.value, sets, count))
			error = SIMTIE_ERR_PROTOCOL;
	if (error)
		*count = 0;
	return error;
}
