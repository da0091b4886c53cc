/*
 * simtied operator import: a file of card records and subscribers, by the same handler that takes
 * POST /v1/admin/records, part by part.
 */
#include "commands.h"
#include "desk.h"
#include "operator.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
	"Usage: simtied operator import --config FILE [--name NAME] LINES\n\n"
	"Imports LINES: card records as `simtie provision` writes them (records.jsonl), and\n"
	"subscribers, {\"phoneNumber\": \"+...\", \"iccid\": \"...\"}, a line each. Interrupted, "
	"it\n"
	"goes on where it was when run again with the same file; imported twice, nothing changes.\n"
	"A line that is wrong is named, and the import stops before its part.\n\n"
	"  --name NAME    of this import, to tell it from others; the file's name by default\n";

#define PART 262144 /* bytes of a part */

struct part {
	struct request request;
	struct reply reply;
};

static int take(struct work *work, void *context)
{
	struct part *part = context;

	reply_clear(&part->reply);
	return operator_records_post(work, &part->request, &part->reply);
}

/* Sends one part; *position gets how far the import is. An exit code. */
static int send_part(struct desk *desk, const char *name, off_t offset, struct bytes body,
		     off_t *position)
{
	struct part part = {.request = {.peer = {.role = PEER_ADMIN}, .body = body}};
	int error, code = COMMAND_DONE;

	snprintf(part.request.peer.name, sizeof(part.request.peer.name), "desk");
	snprintf(part.request.query, sizeof(part.request.query), "import=%s&offset=%lld", name,
		 (long long)offset);
	error = desk_run(desk, take, &part);
	if (error != DB_OK) {
		code = desk_failed(desk, error);
	} else if (part.reply.status != 200) {
		fprintf(stderr, "simtied operator import: %s\n",
			json_string_value(json_object_get(part.reply.body, "message")));
		code = COMMAND_REFUSED;
	} else {
		*position = (off_t)json_integer_value(json_object_get(part.reply.body, "position"));
	}
	reply_clear(&part.reply);
	return code;
}

/* Reads up to PART bytes at an offset. -1: errno says why. */
static ssize_t read_part(int fd, off_t offset, uint8_t *part)
{
	size_t len = 0;
	ssize_t got;

	do {
		got = pread(fd, part + len, PART - len, offset + (off_t)len);
		if (got > 0)
			len += (size_t)got;
	} while ((got > 0 && len < PART) || (got < 0 && errno == EINTR));
	return got < 0 ? -1 : (ssize_t)len;
}

/* Whether a line ends where the import stands. If none does, another file came in under its name,
 * and what is left of this one would be passed over in silence. */
static int check_place(int fd, const char *path, off_t position)
{
	char last;
	ssize_t got = position > 0 ? pread(fd, &last, 1, position - 1) : 0;

	if (position == 0 || (got == 1 && last == '\n'))
		return COMMAND_DONE;
	if (got < 0) {
		fprintf(stderr, "simtied operator import: %s: %s\n", path, strerror(errno));
		return COMMAND_IO;
	}
	fprintf(stderr,
		"simtied operator import: %s: another file was imported under this name; choose "
		"one with --name\n",
		path);
	return COMMAND_REFUSED;
}

static int import(struct desk *desk, const char *name, const char *path, int fd)
{
	uint8_t *part = malloc(PART);
	off_t position = 0, began, before;
	ssize_t len = 0;
	int code = part ? send_part(desk, name, 0, bytes_of(NULL, 0), &position) : COMMAND_IO;

	began = position;
	if (code == COMMAND_DONE)
		code = check_place(fd, path, position);
	while (code == COMMAND_DONE && (len = read_part(fd, position, part)) > 0) {
		before = position;
		code = send_part(desk, name, before, bytes_of(part, (size_t)len), &position);
		if (code == COMMAND_DONE && position == before) {
			fprintf(stderr,
				"simtied operator import: %s: the last line has no end, or "
				"one is too long\n",
				path);
			code = COMMAND_REFUSED;
		}
	}
	if (len < 0) {
		fprintf(stderr, "simtied operator import: %s: %s\n", path, strerror(errno));
		code = COMMAND_IO;
	}
	if (code == COMMAND_DONE)
		printf("%s: imported, %lld bytes, %lld of them now\n", path, (long long)position,
		       (long long)(position - began));
	if (part)
		bytes_wipe(part, PART);
	free(part);
	return code;
}

static int open_and_import(const char *config, const char *name, const char *path)
{
	struct desk desk;
	int fd = open(path, O_RDONLY | O_CLOEXEC), code;

	if (fd < 0) {
		fprintf(stderr, "simtied operator import: %s: %s\n", path, strerror(errno));
		return COMMAND_IO;
	}
	code = desk_open(&desk, &role_operator, "operator import", config);
	if (code == COMMAND_DONE)
		code = import(&desk, name, path, fd);
	desk_close(&desk);
	close(fd);
	return command_end(code);
}

int desk_import_main(int argc, char **argv)
{
	struct desk_option option = {"name", NULL};
	const char *config, *path = NULL, *name;
	int code =
		desk_arguments(argc, argv, "operator import", help, &config, &option, 1, &path, 1);

	if (!config)
		return code;
	if (!path)
		return command_wrong("operator import", "LINES, the file, is missing");
	name = strrchr(path, '/');
	name = option.value ? option.value : name ? name + 1 : path;
	return open_and_import(config, name, path);
}
