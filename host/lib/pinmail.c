#include "pinmail.h"

#include "ca_file.h"
#include "pinmail_journal.h"
#include "pinmail_rows.h"
#include "pinmail_seal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct pinmail {
	pthread_mutex_t mutex; /* over all that follows */
	char *path;
	char *journal_path;
	char *draft_path; /* what becomes `path` when it is whole */
	X509 *recipient;  /* NULL: plain */
	uint8_t secret[PINMAIL_SECRET_SIZE];
	bool complete;
	struct pinmail_journal journal;
};

const char *pinmail_strerror(int error)
{
	switch ((enum pinmail_error)error) {
	case PINMAIL_OK:
		return "done";
	case PINMAIL_ERR_ARGUMENT:
		return "the row is not an ICCID of 18 to 20 digits, a PIN of 4 to 8 and a PUK of 8";
	case PINMAIL_ERR_LIBRARY:
		return "out of memory, or the crypto library failed; try again";
	case PINMAIL_ERR_FILE:
		return "a file could not be read or written";
	case PINMAIL_ERR_CERTIFICATE:
		return "the recipient's file holds no X.509 certificate in PEM; convert it with "
		       "openssl x509";
	case PINMAIL_ERR_KEY:
		return "the recipient's certificate is not one to encrypt for: it takes RSA of "
		       "2048 bits or more with keyEncipherment, or EC of 256 or more with "
		       "keyAgreement";
	case PINMAIL_ERR_EXPIRED:
		return "the recipient's certificate is not valid now; ask for a new one, or set "
		       "the clock right";
	case PINMAIL_ERR_FINISHED:
		return "the list was finished already; name a new file";
	case PINMAIL_ERR_OTHER:
		return "the list was begun for another recipient; go on with the same, or name a "
		       "new file";
	case PINMAIL_ERR_SECRET:
		return "the list was begun with another authority's key, or is damaged; go on with "
		       "the same authority, or name a new file";
	case PINMAIL_ERR_DAMAGED:
		return "the list's journal is damaged; its recipient can still open its rows one "
		       "by one; name a new file";
	case PINMAIL_ERR_BUSY:
		return "another process writes this list; wait for its end";
	case PINMAIL_ERR_NO_ROW:
		return "the list has no row of this ICCID";
	}
	return "unknown error";
}

static bool make_paths(struct pinmail *list, const char *path)
{
	list->path = strdup(path);
	if (asprintf(&list->journal_path, "%s.journal", path) < 0)
		list->journal_path = NULL;
	if (asprintf(&list->draft_path, "%s.new", path) < 0)
		list->draft_path = NULL;
	return list->path && list->journal_path && list->draft_path;
}

static bool there(const char *path)
{
	struct stat state;

	return lstat(path, &state) == 0;
}

/* Makes names in the list's directory durable. One that may not be read cannot be flushed: let that
 * pass. */
static bool flush_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = name ? open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	bool ok = fd >= 0 ? fsync(fd) == 0 || errno == EINVAL : name && errno == EACCES;
	int error = errno;

	if (fd >= 0)
		close(fd);
	free(name);
	errno = error;
	return ok;
}

static int open_all(struct pinmail *list, const struct pinmail_settings *settings)
{
	int error = PINMAIL_OK;

	if (!settings->plain) {
		memcpy(list->secret, settings->secret, sizeof(list->secret));
		error = pinmail_seal_recipient(settings->certificate, &list->recipient);
	}
	if (error)
		return error;
	if (!make_paths(list, settings->path))
		return PINMAIL_ERR_LIBRARY;
	if (there(list->path) && !there(list->journal_path))
		return PINMAIL_ERR_FINISHED;
	list->journal.recipient = list->recipient;
	list->journal.secret = list->secret;
	error = pinmail_journal_open(&list->journal, list->journal_path);
	if (error)
		return error;
	return flush_directory(list->path) ? PINMAIL_OK : PINMAIL_ERR_FILE;
}

int pinmail_open(const struct pinmail_settings *settings, struct pinmail **opened)
{
	struct pinmail *list;
	int result, error;

	*opened = NULL;
	if (settings->plain != !settings->certificate || settings->plain != !settings->secret)
		return PINMAIL_ERR_ARGUMENT;
	list = calloc(1, sizeof(*list));
	if (!list || pthread_mutex_init(&list->mutex, NULL)) {
		free(list);
		return PINMAIL_ERR_LIBRARY;
	}
	list->journal.fd = -1;
	ERR_set_mark();
	result = open_all(list, settings);
	ERR_pop_to_mark();
	error = errno;
	*opened = list;
	if (result)
		pinmail_close(opened);
	errno = error;
	return result;
}

void pinmail_close(struct pinmail **opened)
{
	struct pinmail *list = opened ? *opened : NULL;

	if (!list)
		return;
	pinmail_journal_close(&list->journal);
	X509_free(list->recipient);
	bytes_wipe(list->secret, sizeof(list->secret));
	pthread_mutex_destroy(&list->mutex);
	free(list->path);
	free(list->journal_path);
	free(list->draft_path);
	free(list);
	*opened = NULL;
}

int pinmail_append(struct pinmail *list, const struct pinmail_row *row)
{
	int error;

	if (!pinmail_row_valid(row))
		return PINMAIL_ERR_ARGUMENT;
	pthread_mutex_lock(&list->mutex);
	error = list->complete ? PINMAIL_ERR_FINISHED : pinmail_journal_append(&list->journal, row);
	pthread_mutex_unlock(&list->mutex);
	return error;
}

/* ---- Looking one up ---- */

struct search {
	const char *iccid;
	struct pinmail_row *row;
	bool found;
};

static int look(void *context, const struct pinmail_row *row)
{
	struct search *search = context;

	if (strcmp(search->iccid, row->iccid) == 0) {
		*search->row = *row;
		search->found = true;
	}
	return PINMAIL_OK;
}

int pinmail_find(struct pinmail *list, const char *iccid, struct pinmail_row *row)
{
	struct search search = {.iccid = iccid, .row = row};
	int error;

	memset(row, 0, sizeof(*row));
	pthread_mutex_lock(&list->mutex);
	error = list->complete ? PINMAIL_ERR_FINISHED
			       : pinmail_journal_visit(&list->journal, look, &search);
	pthread_mutex_unlock(&list->mutex);
	if (error)
		bytes_wipe(row, sizeof(*row));
	else if (!search.found)
		error = PINMAIL_ERR_NO_ROW;
	return error;
}

/* ---- The end ---- */

/* The CSV as the file has it, plain or encrypted for the recipient alone. */
static int write_list(struct pinmail *list, const char *csv, size_t len)
{
	BIO *pem;
	char *text;
	int error = PINMAIL_OK;

	if (!list->recipient)
		return ca_file_write(AT_FDCWD, list->draft_path, 0600, csv, len) ? PINMAIL_OK
										 : PINMAIL_ERR_FILE;
	pem = BIO_new(BIO_s_mem());
	if (!pem ||
	    !pinmail_seal(list->recipient, NULL, bytes_of((const uint8_t *)csv, len), pem)) {
		error = PINMAIL_ERR_LIBRARY;
	} else {
		len = (size_t)BIO_get_mem_data(pem, &text);
		if (!ca_file_write(AT_FDCWD, list->draft_path, 0600, text, len))
			error = PINMAIL_ERR_FILE;
	}
	BIO_free(pem);
	return error;
}

static int write_rows(struct pinmail *list, size_t *count)
{
	struct pinmail_rows rows = {NULL, 0, 0};
	char *csv = NULL;
	size_t len = 0;
	int error = pinmail_journal_visit(&list->journal, pinmail_rows_add, &rows);

	if (error == PINMAIL_OK && !pinmail_rows_csv(&rows, &csv, &len, count))
		error = PINMAIL_ERR_LIBRARY;
	if (error == PINMAIL_OK)
		error = write_list(list, csv, len);
	pinmail_rows_wipe(&rows);
	if (csv)
		bytes_wipe(csv, len);
	free(csv);
	return error;
}

static int finish(struct pinmail *list, bool complete, size_t *count)
{
	int error = write_rows(list, count);

	if (error)
		return error;
	if (rename(list->draft_path, list->path) || !flush_directory(list->path))
		return PINMAIL_ERR_FILE;
	if (!complete)
		return PINMAIL_OK;
	list->complete = true;
	return unlink(list->journal_path) == 0 && flush_directory(list->path) ? PINMAIL_OK
									      : PINMAIL_ERR_FILE;
}

int pinmail_finish(struct pinmail *list, bool complete, size_t *count)
{
	size_t unwanted;
	int error;

	pthread_mutex_lock(&list->mutex);
	ERR_set_mark();
	error = list->complete ? PINMAIL_ERR_FINISHED
			       : finish(list, complete, count ? count : &unwanted);
	ERR_pop_to_mark();
	pthread_mutex_unlock(&list->mutex);
	return error;
}
