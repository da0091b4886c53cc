/*
 * The trace as text. Per exchange two lines, "@" the time since the session began, "+" the time
 * that the exchange took:
 *
 *   @1204us > 0020000108****************   VERIFY PIN
 *   +311us < 63C2   wrong PIN or PUK, or not given; 2 tries left
 */
#include <string.h>
#include <time.h>

#include "trace.h"

static void put_hex(struct trace_file *file, struct trace_bytes shown)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < shown.bytes.len; i++) {
		uint8_t byte = shown.bytes.ptr[i];
		char pair[] = {digits[byte >> 4], digits[byte & 0x0F]};

		trace_put(file, shown.hidden[i] ? "**" : pair, sizeof pair);
	}
}

static void put_line(struct trace_file *file, const struct card_line *line)
{
	static const bool nothing[SIMTIE_ATR_MAX];

	trace_print(file, "T=%d, ATR %s", line->protocol == SIMTIE_PROTOCOL_T0 ? 0 : 1,
		    line->atr_len ? "" : "unknown");
	put_hex(file, (struct trace_bytes){bytes_of(line->atr, line->atr_len), nothing});
}

/* A reader's name comes from its maker: it must not end the line. */
static void put_name(struct trace_file *file, const char *name)
{
	for (; *name; name++)
		trace_put(file, (unsigned char)*name < 0x20 || *name == 0x7F ? "?" : name, 1);
}

static void text_start(struct trace_file *file, const struct card_line *line)
{
	time_t start = (time_t)(file->start_us / 1000000);
	struct tm utc;
	char when[32];

	gmtime_r(&start, &utc);
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
	trace_print(file, "# simtie %s trace, %s, ", simtie_version(), when);
	put_name(file, line->reader);
	trace_print(file, ", ");
	put_line(file, line);
	trace_print(file, file->secrets ? "\n# WARNING: PINs and keys stand below in clear. Delete "
					  "this file when it has served.\n"
					: "; secrets are blanked as **\n");
	trace_flush(file);
}

static void text_command(struct trace_file *file, const struct trace_exchange *exchange)
{
	trace_print(file, "@%lldus > ", (long long)exchange->at_us);
	put_hex(file, exchange->command);
	trace_print(file, "   %s\n", exchange->name);
	trace_flush(file);
}

static void text_answer(struct trace_file *file, const struct trace_exchange *exchange)
{
	struct bytes answer = exchange->answer.bytes;
	char status[128];

	trace_print(file, "+%lldus ", (long long)exchange->elapsed_us);
	if (exchange->error) {
		trace_print(file, "! %s\n", simtie_strerror(exchange->error));
	} else {
		trace_print(file, "< ");
		put_hex(file, exchange->answer);
		trace_print(file, "   %s\n",
			    answer.len < 2
				    ? "no status word"
				    : decode_status_text(get_be16(answer.ptr + answer.len - 2),
							 status, sizeof status));
	}
	trace_flush(file);
}

static void text_reset(struct trace_file *file, int64_t at_us, const struct card_line *line)
{
	trace_print(file, "@%lldus reset, ", (long long)at_us);
	put_line(file, line);
	trace_print(file, "\n");
	trace_flush(file);
}

const struct trace_form trace_text = {
	.start = text_start,
	.command = text_command,
	.answer = text_answer,
	.reset = text_reset,
};
