#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct trace {
	struct link inner;
	const struct trace_form *form;
	int64_t start_us; /* of the monotonic clock */
	struct trace_memory memory;
	struct trace_file file;
	bool command_hidden[TRANSPORT_COMMAND_MAX];
	bool answer_hidden[TRANSPORT_ANSWER_MAX];
};

/* ---- The file ---- */

void trace_put(struct trace_file *file, const void *bytes, size_t len)
{
	size_t room = sizeof file->buffer - file->used;

	if (len > room)
		len = room;
	if (len > 0)
		memcpy(file->buffer + file->used, bytes, len);
	file->used += len;
}

void trace_print(struct trace_file *file, const char *format, ...)
{
	char text[512];
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (len > 0)
		trace_put(file, text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
}

void trace_flush(struct trace_file *file)
{
	size_t written = 0;

	while (written < file->used && !file->fault) {
		ssize_t n = write(file->fd, file->buffer + written, file->used - written);

		if (n >= 0)
			written += (size_t)n;
		else if (errno != EINTR)
			file->fault = errno;
	}
	bytes_wipe(file->buffer, file->used);
	file->used = 0;
}

/* Why the file will not do, or NULL. */
static const char *objection(int fd, bool secrets)
{
	struct stat status;

	if (fd < 0)
		return errno == ELOOP ? "is a symbolic link" : strerror(errno);
	if (fstat(fd, &status) != 0)
		return strerror(errno);
	errno = EPERM;
	if (!S_ISREG(status.st_mode))
		return "is no regular file";
	if (secrets && (status.st_uid != geteuid() || status.st_mode & (S_IRWXG | S_IRWXO)))
		return "others can read it, so PINs and keys are not written there; chmod 600 it, "
		       "or name a new file";
	return NULL;
}

static int open_file(const struct simtie_options *options)
{
	int fd =
		open(options->trace,
		     O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		     S_IRUSR | S_IWUSR);
	const char *why = objection(fd, options->trace_secrets);
	int fault = errno;

	if (!why)
		return fd;
	if (options->detail)
		snprintf(options->detail, SIMTIE_DETAIL_MAX, "%s: %s", options->trace, why);
	if (fd >= 0)
		close(fd);
	errno = fault;
	return -1;
}

/* ---- The transport ---- */

static int64_t now(const struct trace *trace)
{
	return deadline_now_us() - trace->start_us;
}

/* The error that says that the file cannot be written, with errno. */
static int failed(const struct trace *trace)
{
	if (!trace->file.fault)
		return 0;
	errno = trace->file.fault;
	return SIMTIE_ERR_FILE;
}

static void show(const struct trace *trace, struct trace_bytes *shown, struct bytes bytes,
		 const bool *hidden)
{
	static const bool nothing[TRANSPORT_COMMAND_MAX];

	*shown = (struct trace_bytes){bytes, trace->file.secrets ? nothing : hidden};
}

static int trace_transmit(void *state, struct deadline deadline, struct bytes command,
			  uint8_t *answer, size_t size, size_t *answer_len)
{
	struct trace *trace = state;
	struct trace_exchange exchange = {.at_us = now(trace)};
	struct decode_command decoded;

	if (command.len > TRANSPORT_COMMAND_MAX)
		return SIMTIE_ERR_ARGUMENT;
	decode_command(command, &decoded);
	exchange.name = decoded.name;
	trace_hide_command(&trace->memory, command, trace->command_hidden);
	show(trace, &exchange.command, command, trace->command_hidden);
	trace->form->command(&trace->file, &exchange);
	if (failed(trace))
		return failed(trace);
	exchange.error = trace->inner.transport->transmit(trace->inner.state, deadline, command,
							  answer, size, answer_len);
	exchange.elapsed_us = now(trace) - exchange.at_us;
	if (!exchange.error && *answer_len <= TRANSPORT_ANSWER_MAX) {
		struct bytes all = bytes_of(answer, *answer_len);

		trace_hide_answer(&trace->memory, all, trace->answer_hidden);
		show(trace, &exchange.answer, all, trace->answer_hidden);
	}
	trace->form->answer(&trace->file, &exchange);
	return exchange.error;
}

static int trace_reset(void *state, struct deadline deadline, struct card_line *line)
{
	struct trace *trace = state;
	int64_t at_us = now(trace);
	int error = failed(trace);

	if (!error)
		error = trace->inner.transport->reset(trace->inner.state, deadline, line);
	if (!error) {
		trace_memory_start(&trace->memory);
		trace->form->reset(&trace->file, at_us, line);
	}
	return error;
}

static void trace_close(void *state)
{
	struct trace *trace = state;

	trace->inner.transport->close(trace->inner.state);
	close(trace->file.fd);
	free(trace);
}

static void trace_abandon(void *state)
{
	struct trace *trace = state;

	if (trace->inner.transport->abandon)
		trace->inner.transport->abandon(trace->inner.state);
}

static const struct transport transport_trace = {
	.transmit = trace_transmit,
	.reset = trace_reset,
	.close = trace_close,
	.abandon = trace_abandon,
};

static bool is_capture(const char *path)
{
	static const char ending[] = ".pcapng";
	size_t len = strlen(path);

	return len >= strlen(ending) && strcasecmp(path + len - strlen(ending), ending) == 0;
}

int trace_wrap(struct link *link, const struct card_line *line,
	       const struct simtie_options *options)
{
	struct trace *trace = calloc(1, sizeof *trace);
	struct timespec clock;

	if (!trace)
		return SIMTIE_ERR_MEMORY;
	trace->file.fd = open_file(options);
	if (trace->file.fd < 0) {
		free(trace);
		return SIMTIE_ERR_FILE;
	}
	clock_gettime(CLOCK_REALTIME, &clock);
	trace->file.start_us = (int64_t)clock.tv_sec * 1000000 + clock.tv_nsec / 1000;
	trace->file.secrets = options->trace_secrets;
	trace->start_us = deadline_now_us();
	trace->form = is_capture(options->trace) ? &trace_pcapng : &trace_text;
	trace_memory_start(&trace->memory);
	trace->form->start(&trace->file, line);
	if (failed(trace)) {
		close(trace->file.fd);
		errno = trace->file.fault;
		free(trace);
		return SIMTIE_ERR_FILE;
	}
	trace->inner = *link;
	*link = (struct link){&transport_trace, trace};
	return 0;
}
