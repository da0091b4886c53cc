/*
 * A directory as anybody may read it who has no passphrase: the index, with each certificate's
 * revocation beside it.
 */
#include "ca_crl.h"
#include "ca_root.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <unistd.h>

/* Entries that grow. */
struct pile {
	struct ca_entry *entries;
	size_t count;
	size_t room;
};

struct sorting {
	struct pile issued;
	struct pile revoked;
};

static int pile_add(struct pile *pile, const struct ca_entry *entry)
{
	if (pile->count == pile->room) {
		size_t room = pile->room ? 2 * pile->room : 64;
		struct ca_entry *more = realloc(pile->entries, room * sizeof(*more));

		if (!more)
			return CA_ERR_LIBRARY;
		pile->entries = more;
		pile->room = room;
	}
	pile->entries[pile->count++] = *entry;
	return CA_OK;
}

static int sort_line(void *context, const struct ca_line *line)
{
	struct sorting *sorting = context;

	switch (line->kind) {
	case CA_LINE_ISSUED:
		return pile_add(&sorting->issued, &line->entry);
	case CA_LINE_REVOKED:
		return pile_add(&sorting->revoked, &line->entry);
	case CA_LINE_CRL:
		return CA_OK;
	}
	return CA_ERR_DAMAGED;
}

static int compare_serials(const void *a, const void *b)
{
	const struct ca_entry *first = a, *second = b;

	return memcmp(first->serial, second->serial, CA_SERIAL_SIZE);
}

static void mark_revoked(struct sorting *sorting)
{
	struct pile *revoked = &sorting->revoked;

	if (revoked->count == 0)
		return;
	qsort(revoked->entries, revoked->count, sizeof(*revoked->entries), compare_serials);
	for (size_t i = 0; i < sorting->issued.count; i++) {
		struct ca_entry *entry = &sorting->issued.entries[i];
		const struct ca_entry *found = bsearch(entry, revoked->entries, revoked->count,
						       sizeof(*revoked->entries), compare_serials);

		if (!found)
			continue;
		entry->revoked = true;
		entry->revoked_at = found->revoked_at;
		entry->reason = found->reason;
	}
}

static int read_index(int directory, struct ca_contents *contents)
{
	struct sorting sorting = {{NULL, 0, 0}, {NULL, 0, 0}};
	struct ca_index index;
	int error = ca_index_open(directory, false, &index);

	if (error)
		return errno == ENOENT ? CA_ERR_DAMAGED : error;
	error = ca_index_lock(&index, false);
	if (error == CA_OK)
		error = ca_index_visit(&index, sort_line, &sorting);
	if (error == CA_OK)
		error = ca_crl_behind(directory, &index, &contents->crl_behind);
	ca_index_close(&index);
	if (error == CA_OK)
		mark_revoked(&sorting);
	contents->entries = sorting.issued.entries;
	contents->count = sorting.issued.count;
	contents->crl_number = index.crl.number;
	contents->crl_this_update = index.crl.this_update;
	contents->crl_next_update = index.crl.next_update;
	free(sorting.revoked.entries);
	return error;
}

static int read_root(X509 *root, struct ca_facts *facts)
{
	uint8_t *der = NULL;
	int len = i2d_X509(root, &der);
	int error = len > 0 ? ca_facts_read(bytes_of(der, (size_t)len), facts) : CA_ERR_LIBRARY;

	OPENSSL_free(der);
	return error == CA_ERR_FORMAT ? CA_ERR_DAMAGED : error;
}

int ca_contents_read(const char *path, struct ca_contents *contents)
{
	X509 *root;
	int directory, error, cause;

	memset(contents, 0, sizeof(*contents));
	ERR_set_mark();
	error = ca_root_open(path, &directory, &root);
	if (error == CA_OK)
		error = read_root(root, &contents->root);
	if (error == CA_OK)
		error = read_index(directory, contents);
	cause = errno;
	if (directory >= 0)
		close(directory);
	X509_free(root);
	ERR_pop_to_mark();
	errno = cause;
	return error;
}

void ca_contents_free(struct ca_contents *contents)
{
	free(contents->entries);
	memset(contents, 0, sizeof(*contents));
}

const struct ca_entry *ca_contents_find(const struct ca_contents *contents,
					const uint8_t fingerprint[static CA_FINGERPRINT_SIZE])
{
	for (size_t i = 0; i < contents->count; i++) {
		const struct ca_entry *entry = &contents->entries[i];

		if (memcmp(entry->fingerprint, fingerprint, CA_FINGERPRINT_SIZE) == 0)
			return entry;
	}
	return NULL;
}
