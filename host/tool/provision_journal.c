#include "provision_journal.h"

#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FORMAT_LINE "{\"format\":\"simtie-provision/1\"}\n"
#define LINE_MAX_   256 /* of the journal's own */
#define FILE_MAX    (1u << 30)

static const char *const words[] = {
	[PROVISION_STATE_FRESH] = "fresh",
	[PROVISION_STATE_ASSIGNED] = "assigned",
	[PROVISION_STATE_ROTATING] = "rotating",
	[PROVISION_STATE_GENERATED] = "generated",
	[PROVISION_STATE_PERSONALISED] = "personalised",
	[PROVISION_STATE_PROVED] = "proved",
	[PROVISION_STATE_LOCKING] = "locking",
	[PROVISION_STATE_RECORDED] = "recorded",
};

#define STATES (sizeof(words) / sizeof(words[0]))

struct provision_journal {
	pthread_mutex_t mutex;
	int folder, pending; /* descriptors */
	int log, records;
	bool dry;
	bool broken; /* a flush failed: nobody knows what is on the disk */
};

static bool fail(char wrong[static PROVISION_TEXT_MAX], const char *what)
{
	snprintf(wrong, PROVISION_TEXT_MAX, "%s: %s", what, strerror(errno));
	return false;
}

static bool write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t written = write(fd, text, len);

		if (written < 0 && errno != EINTR)
			return false;
		if (written > 0) {
			text += written;
			len -= (size_t)written;
		}
	}
	return true;
}

/* ---- Reading what is there ---- */

static void pending_name(const char *iccid, const char *suffix, char name[static 64])
{
	snprintf(name, 64, "%s.json%s", iccid, suffix);
}

/* One line of the journal. False: it is none. */
static bool take_note(const struct provision_tray *tray, const json_t *root)
{
	const char *iccid = json_string_value(json_object_get(root, "iccid"));
	const char *state = json_string_value(json_object_get(root, "state"));
	const char *name = json_string_value(json_object_get(root, "card"));
	struct provision_row *row = iccid ? provision_tray_find(tray, iccid) : NULL;

	if (!row || !state)
		return false;
	for (size_t i = 0; i < STATES; i++) {
		if (strcmp(words[i], state) != 0)
			continue;
		row->state = (enum provision_state)i;
		row->earlier = true;
		if (name && input_hex(name, row->name, sizeof(row->name)) == sizeof(row->name))
			row->has_name = true;
		return true;
	}
	return false;
}

static bool take_record(const struct provision_tray *tray, const json_t *root)
{
	const char *iccid = json_string_value(json_object_get(root, "iccid"));
	struct provision_row *row = iccid ? provision_tray_find(tray, iccid) : NULL;

	if (row)
		row->state = PROVISION_STATE_RECORDED;
	return row != NULL;
}

/* Hands over each whole line. *whole: bytes of those. 0, or the number of a line that is wrong. */
static unsigned take_lines(const struct provision_tray *tray, char *text, size_t len, bool journal,
			   size_t *whole)
{
	unsigned number = 0;
	char *end;

	for (*whole = 0; (end = memchr(text + *whole, '\n', len - *whole)) != NULL;) {
		char *line = text + *whole;
		size_t size = (size_t)(end - line) + 1;
		json_t *root = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
		bool good;

		number++;
		*whole += size;
		if (journal && number == 1)
			good = size == strlen(FORMAT_LINE) && memcmp(line, FORMAT_LINE, size) == 0;
		else
			good = root && (journal ? take_note(tray, root) : take_record(tray, root));
		json_decref(root);
		if (!good)
			return number;
	}
	return 0;
}

/* Reads a file that is there, and cuts off what a writer left half done. */
static bool load(struct provision_journal *journal, int fd, const char *name,
		 const struct provision_tray *tray, char wrong[static PROVISION_TEXT_MAX])
{
	const bool is_log = fd == journal->log;
	struct stat state;
	size_t len = 0, whole = 0;
	unsigned bad = 0;
	char *text;

	if (fd < 0)
		return true;
	if (fstat(fd, &state) != 0 || state.st_size > FILE_MAX)
		return fail(wrong, name);
	text = malloc((size_t)state.st_size + 1);
	while (text && len < (size_t)state.st_size) {
		ssize_t got = pread(fd, text + len, (size_t)state.st_size - len, (off_t)len);

		if (got <= 0)
			break;
		len += (size_t)got;
	}
	if (!text || len != (size_t)state.st_size) {
		free(text);
		return fail(wrong, name);
	}
	bad = take_lines(tray, text, len, is_log, &whole);
	explicit_bzero(text, len); /* chain codes are among it */
	free(text);
	if (bad) {
		snprintf(wrong, PROVISION_TEXT_MAX,
			 "%s, line %u: not of this format, or of a SIM that is not in the tray; "
			 "give each tray a folder of its own",
			 name, bad);
		return false;
	}
	if (!journal->dry && whole < len && (ftruncate(fd, (off_t)whole) != 0 || fsync(fd) != 0))
		return fail(wrong, name);
	if (!journal->dry && is_log && whole == 0 &&
	    (!write_all(fd, FORMAT_LINE, strlen(FORMAT_LINE)) || fsync(fd) != 0))
		return fail(wrong, name);
	return true;
}

/* A record under way says that the card was generated, though the journal lost its last line. */
static void take_pending(const struct provision_journal *journal, const struct provision_tray *tray)
{
	char name[64];

	for (size_t i = 0; journal->pending >= 0 && i < tray->count; i++) {
		struct provision_row *row = &tray->rows[i];

		if (row->state != PROVISION_STATE_ASSIGNED &&
		    row->state != PROVISION_STATE_ROTATING)
			continue;
		pending_name(row->iccid, "", name);
		if (faccessat(journal->pending, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			row->state = PROVISION_STATE_GENERATED;
	}
}

/* ---- Opening ---- */

static bool open_folder(struct provision_journal *journal, const char *folder, char *wrong)
{
	const int flags = O_DIRECTORY | O_RDONLY | O_CLOEXEC;

	if (!journal->dry && mkdir(folder, 0700) != 0 && errno != EEXIST)
		return fail(wrong, folder);
	journal->folder = open(folder, flags);
	if (journal->folder < 0)
		return journal->dry && errno == ENOENT ? true : fail(wrong, folder);
	if (!journal->dry && mkdirat(journal->folder, PROVISION_PENDING, 0700) != 0 &&
	    errno != EEXIST)
		return fail(wrong, PROVISION_PENDING);
	journal->pending = openat(journal->folder, PROVISION_PENDING, flags);
	return journal->dry || journal->pending >= 0 ? true : fail(wrong, PROVISION_PENDING);
}

static bool open_files(struct provision_journal *journal, char *wrong)
{
	const int flags =
		(journal->dry ? O_RDONLY : O_RDWR | O_CREAT | O_APPEND) | O_CLOEXEC | O_NOFOLLOW;

	if (journal->folder < 0)
		return true;
	journal->log = openat(journal->folder, PROVISION_JOURNAL, flags, 0600);
	if (journal->log < 0)
		return journal->dry && errno == ENOENT ? true : fail(wrong, PROVISION_JOURNAL);
	if (!journal->dry && flock(journal->log, LOCK_EX | LOCK_NB) != 0) {
		snprintf(wrong, PROVISION_TEXT_MAX,
			 "another process provisions into this folder; let it end first");
		return false;
	}
	journal->records = openat(journal->folder, PROVISION_RECORDS, flags, 0600);
	if (journal->records < 0 && !(journal->dry && errno == ENOENT))
		return fail(wrong, PROVISION_RECORDS);
	return journal->dry || fsync(journal->folder) == 0 ? true : fail(wrong, "the folder");
}

int provision_journal_open(const char *folder, bool dry, const struct provision_tray *tray,
			   struct provision_journal **opened, char wrong[static PROVISION_TEXT_MAX])
{
	struct provision_journal *journal = malloc(sizeof(*journal));

	*opened = journal;
	if (!journal) {
		fail(wrong, folder);
		return TOOL_IO;
	}
	*journal = (struct provision_journal){
		.folder = -1, .pending = -1, .log = -1, .records = -1, .dry = dry};
	pthread_mutex_init(&journal->mutex, NULL);
	if (open_folder(journal, folder, wrong) && open_files(journal, wrong) &&
	    load(journal, journal->log, PROVISION_JOURNAL, tray, wrong) &&
	    load(journal, journal->records, PROVISION_RECORDS, tray, wrong)) {
		take_pending(journal, tray);
		return TOOL_DONE;
	}
	return TOOL_IO;
}

void provision_journal_close(struct provision_journal **opened)
{
	struct provision_journal *journal = *opened;

	*opened = NULL;
	if (!journal)
		return;
	for (size_t i = 0; i < 4; i++) {
		int fd = (const int[]){journal->folder, journal->pending, journal->records,
				       journal->log}[i];

		if (fd >= 0)
			close(fd);
	}
	pthread_mutex_destroy(&journal->mutex);
	free(journal);
}

/* ---- Writing ---- */

static bool append(struct provision_journal *journal, int fd, const char *text, size_t len,
		   bool flush)
{
	bool good = false;

	pthread_mutex_lock(&journal->mutex);
	if (journal->broken)
		errno = EIO;
	else
		good = write_all(fd, text, len) && (!flush || fdatasync(fd) == 0);
	if (!good)
		journal->broken = true;
	pthread_mutex_unlock(&journal->mutex);
	return good;
}

bool provision_journal_note(struct provision_journal *journal, struct provision_row *row,
			    enum provision_state state, uint8_t version)
{
	const bool flush = state == PROVISION_STATE_ASSIGNED || state == PROVISION_STATE_ROTATING ||
			   state == PROVISION_STATE_LOCKING;
	char line[LINE_MAX_], when[32], name[OUTPUT_HEX_SIZE(sizeof(row->name))];
	const time_t now = time(NULL);
	struct tm utc;
	int len;

	gmtime_r(&now, &utc);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
	len = snprintf(line, sizeof(line), "{\"iccid\":\"%s\",\"state\":\"%s\"", row->iccid,
		       words[state]);
	if (state == PROVISION_STATE_ASSIGNED)
		len += snprintf(line + len, sizeof(line) - (size_t)len, ",\"card\":\"%s\"",
				output_hex(row->name, sizeof(row->name), name));
	if (state == PROVISION_STATE_ROTATING)
		len += snprintf(line + len, sizeof(line) - (size_t)len, ",\"version\":%u", version);
	len += snprintf(line + len, sizeof(line) - (size_t)len, ",\"at\":\"%s\"}\n", when);
	if (!append(journal, journal->log, line, (size_t)len, flush))
		return false;
	row->state = state;
	return true;
}

bool provision_journal_put(struct provision_journal *journal, const char *iccid, const char *text,
			   size_t len)
{
	char draft[64], name[64];
	int fd;
	bool good;

	pending_name(iccid, ".new", draft);
	pending_name(iccid, "", name);
	fd = openat(journal->pending, draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return false;
	good = write_all(fd, text, len) && fsync(fd) == 0;
	if (close(fd) != 0)
		good = false;
	return good && renameat(journal->pending, draft, journal->pending, name) == 0 &&
	       fsync(journal->pending) == 0;
}

long provision_journal_get(const struct provision_journal *journal, const char *iccid, char *text)
{
	char name[64];
	ssize_t len;
	int fd;

	pending_name(iccid, "", name);
	fd = openat(journal->pending, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	len = read(fd, text, PROVISION_RECORD_MAX); /* written at once, in one small file */
	close(fd);
	if (len <= 0 || text[len - 1] != '\n') {
		errno = EBADMSG;
		return -1;
	}
	return (long)len;
}

bool provision_journal_record(struct provision_journal *journal, struct provision_row *row)
{
	char text[PROVISION_RECORD_MAX], name[64];
	long len = provision_journal_get(journal, row->iccid, text);
	bool good = len > 0 && append(journal, journal->records, text, (size_t)len, true);

	explicit_bzero(text, sizeof(text));
	if (!good || !provision_journal_note(journal, row, PROVISION_STATE_RECORDED, 0))
		return false;
	pending_name(row->iccid, "", name);
	unlinkat(journal->pending, name, 0); /* one that stays does no harm */
	return true;
}
