/*
 * Revoking: the certificates that are meant are looked up in the index, and go into it and into the
 * next revocation list together.
 */
#include "ca_object.h"

#include <stdlib.h>

/* What is meant and what of it was found. */
struct search {
	const struct ca_selector *selector;
	struct ca_entry *entries; /* revoked or not */
	size_t count;
	size_t room;
};

static bool meant(const struct ca_selector *selector, const struct ca_entry *entry)
{
	if (selector->serial)
		return memcmp(selector->serial, entry->serial, CA_SERIAL_SIZE) == 0;
	return strcmp(selector->iccid, entry->iccid) == 0;
}

static int note_issued(struct search *search, const struct ca_entry *entry)
{
	if (!meant(search->selector, entry))
		return CA_OK;
	if (search->count == search->room) {
		size_t room = search->room ? 2 * search->room : 4;
		struct ca_entry *more = realloc(search->entries, room * sizeof(*more));

		if (!more)
			return CA_ERR_LIBRARY;
		search->entries = more;
		search->room = room;
	}
	search->entries[search->count++] = *entry;
	return CA_OK;
}

/* A revocation stands behind what it revokes. */
static void note_revoked(struct search *search, const struct ca_entry *revoked)
{
	for (size_t i = 0; i < search->count; i++) {
		if (memcmp(search->entries[i].serial, revoked->serial, CA_SERIAL_SIZE) == 0)
			search->entries[i].revoked = true;
	}
}

static int note(void *context, const struct ca_line *line)
{
	switch (line->kind) {
	case CA_LINE_ISSUED:
		return note_issued(context, &line->entry);
	case CA_LINE_REVOKED:
		note_revoked(context, &line->entry);
		return CA_OK;
	case CA_LINE_CRL:
		return CA_OK;
	}
	return CA_ERR_DAMAGED;
}

/* Leaves those that are still to be revoked, as revoked now. */
static struct ca_revocations narrow(struct search *search, enum ca_reason reason)
{
	const time_t now = time(NULL);
	size_t count = 0;

	for (size_t i = 0; i < search->count; i++) {
		struct ca_entry entry = search->entries[i];

		if (entry.revoked)
			continue;
		entry.revoked = true;
		entry.revoked_at = now;
		entry.reason = reason;
		search->entries[count++] = entry;
	}
	return (struct ca_revocations){search->entries, count};
}

static int revoke(struct ca *ca, struct search *search, enum ca_reason reason, size_t *count)
{
	struct ca_revocations more;
	int error = ca_index_visit(&ca->index, note, search);

	if (error)
		return error;
	if (search->count == 0)
		return CA_ERR_NOT_ISSUED;
	more = narrow(search, reason);
	error = more.count ? ca_object_publish(ca, more, 0) : ca_object_mend(ca);
	if (error == CA_OK)
		*count = more.count;
	return error;
}

int ca_revoke(struct ca *ca, const struct ca_selector *selector, enum ca_reason reason,
	      size_t *count)
{
	struct search search = {.selector = selector};
	int error;

	*count = 0;
	if (!selector->serial == !selector->iccid)
		return CA_ERR_ARGUMENT;
	error = ca_object_enter(ca);
	if (error)
		return error;
	error = ca_object_leave(ca, revoke(ca, &search, reason, count));
	free(search.entries);
	return error;
}

int ca_renew_crl(struct ca *ca, unsigned days)
{
	const struct ca_revocations none = {NULL, 0};
	int error;

	if (days > CA_DAYS_MAX)
		return CA_ERR_ARGUMENT;
	error = ca_object_enter(ca);
	return error ? error : ca_object_leave(ca, ca_object_publish(ca, none, days));
}
