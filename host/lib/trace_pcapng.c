/*
 * The trace as a capture for Wireshark: pcapng (draft-ietf-opsawg-pcapng), a packet for each
 * exchange and a new section whenever the card was reset. A packet is IPv4 and UDP from and to
 * 127.0.0.1, port 4729, with a GSMTAP header of type SIM and then command, response data and status
 * word. Wireshark knows no packet for an answer to reset: that is in the interface's description.
 */
#include <stdio.h>
#include <string.h>

#include "trace.h"

enum block {
	BLOCK_SECTION = 0x0A0D0D0A,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6,
};

enum option {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_INTERFACE_NAME = 2,
	OPTION_INTERFACE_TEXT = 3,
	OPTION_APPLICATION = 4,
};

#define BYTE_ORDER_MAGIC 0x1A2B3C4D /* all numbers of a block are in this machine's order */
#define SECTION_VERSION  1
#define LINKTYPE_IPV4    228

#define IP_SIZE     20
#define UDP_SIZE    8
#define GSMTAP_SIZE 16
#define HEADERS     (IP_SIZE + UDP_SIZE + GSMTAP_SIZE)
#define PACKET_MAX  65535 /* what IPv4 can say; a longer exchange is cut */

#define GSMTAP_PORT     4729
#define GSMTAP_VERSION  2
#define GSMTAP_TYPE_SIM 4

#define HIDDEN '*' /* in place of a secret byte */

static void put_u16(struct trace_file *file, uint16_t value)
{
	trace_put(file, &value, sizeof value);
}

static void put_u32(struct trace_file *file, uint32_t value)
{
	trace_put(file, &value, sizeof value);
}

static void pad(struct trace_file *file)
{
	static const uint8_t zeros[4];

	trace_put(file, zeros, -file->used % 4);
}

/* Blocks are written one at a time: each begins an empty buffer. */
static void begin_block(struct trace_file *file, enum block type)
{
	put_u32(file, type);
	put_u32(file, 0); /* the length, once it is known */
}

static void end_block(struct trace_file *file)
{
	uint32_t len = (uint32_t)(file->used + sizeof len);

	put_u32(file, len);
	memcpy(file->buffer + sizeof len, &len, sizeof len);
	trace_flush(file);
}

static void put_option(struct trace_file *file, enum option option, const char *text)
{
	put_u16(file, (uint16_t)option);
	put_u16(file, (uint16_t)strlen(text));
	trace_put(file, text, strlen(text));
	pad(file);
}

static uint16_t checksum(const uint8_t *header, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += get_be16(header + i);
	sum = (sum & 0xFFFF) + (sum >> 16);
	sum += sum >> 16;
	return (uint16_t)~sum;
}

/* IPv4 (RFC 791), UDP (RFC 768) without checksum, GSMTAP. */
static void put_headers(struct trace_file *file, size_t len)
{
	uint8_t ip[IP_SIZE] = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1};
	uint8_t udp[UDP_SIZE] = {0};
	uint8_t gsmtap[GSMTAP_SIZE] = {GSMTAP_VERSION, GSMTAP_SIZE / 4, GSMTAP_TYPE_SIM};

	put_be16(ip + 2, (uint16_t)(HEADERS + len));
	put_be16(ip + 10, checksum(ip, sizeof ip));
	put_be16(udp, GSMTAP_PORT);
	put_be16(udp + 2, GSMTAP_PORT);
	put_be16(udp + 4, (uint16_t)(UDP_SIZE + GSMTAP_SIZE + len));
	trace_put(file, ip, sizeof ip);
	trace_put(file, udp, sizeof udp);
	trace_put(file, gsmtap, sizeof gsmtap);
}

static void begin_packet(struct trace_file *file, int64_t at_us, size_t len)
{
	uint64_t time = (uint64_t)(file->start_us + at_us);

	begin_block(file, BLOCK_PACKET);
	put_u32(file, 0); /* interface */
	put_u32(file, (uint32_t)(time >> 32));
	put_u32(file, (uint32_t)time);
	put_u32(file, (uint32_t)(HEADERS + len)); /* captured */
	put_u32(file, (uint32_t)(HEADERS + len)); /* on the line */
	put_headers(file, len);
}

static void end_packet(struct trace_file *file, const char *comment)
{
	pad(file);
	put_option(file, OPTION_COMMENT, comment);
	put_option(file, OPTION_END, "");
	end_block(file);
}

static void put_section(struct trace_file *file)
{
	const uint64_t unknown = UINT64_MAX; /* length of the section */

	begin_block(file, BLOCK_SECTION);
	put_u32(file, BYTE_ORDER_MAGIC);
	put_u16(file, SECTION_VERSION);
	put_u16(file, 0);
	trace_put(file, &unknown, sizeof unknown);
	put_option(file, OPTION_COMMENT,
		   file->secrets
			   ? "WARNING: PINs and keys stand in this capture in clear. Delete it "
			     "when it has served."
			   : "Secrets are blanked: their bytes are 2A.");
	put_option(file, OPTION_APPLICATION, "libsimtie");
	put_option(file, OPTION_END, "");
	end_block(file);
}

static void pcapng_start(struct trace_file *file, const struct card_line *line)
{
	char text[sizeof "T=0, ATR " + 2 * SIMTIE_ATR_MAX];
	int used = snprintf(text, sizeof text, "T=%d, ATR %s",
			    line->protocol == SIMTIE_PROTOCOL_T0 ? 0 : 1,
			    line->atr_len ? "" : "unknown");

	for (size_t i = 0; i < line->atr_len; i++)
		used += snprintf(text + used, sizeof text - (size_t)used, "%02X", line->atr[i]);
	put_section(file);
	begin_block(file, BLOCK_INTERFACE);
	put_u16(file, LINKTYPE_IPV4);
	put_u16(file, 0);
	put_u32(file, 0); /* no limit to a packet's length */
	put_option(file, OPTION_INTERFACE_NAME, line->reader);
	put_option(file, OPTION_INTERFACE_TEXT, text);
	put_option(file, OPTION_END, "");
	end_block(file);
}

static void pcapng_reset(struct trace_file *file, int64_t at_us, const struct card_line *line)
{
	(void)at_us;
	pcapng_start(file, line);
}

/* A packet holds the answer as well: it is written when that is in. */
static void pcapng_command(struct trace_file *file, const struct trace_exchange *exchange)
{
	(void)file;
	(void)exchange;
}

static void put_shown(struct trace_file *file, struct trace_bytes shown, size_t *room)
{
	for (size_t i = 0; i<shown.bytes.len && * room> 0; i++, (*room)--)
		trace_put(file, shown.hidden[i] ? &(uint8_t){HIDDEN} : shown.bytes.ptr + i, 1);
}

static void pcapng_answer(struct trace_file *file, const struct trace_exchange *exchange)
{
	size_t room = PACKET_MAX - HEADERS;
	size_t len = exchange->command.bytes.len + exchange->answer.bytes.len;

	begin_packet(file, exchange->at_us, len < room ? len : room);
	put_shown(file, exchange->command, &room);
	put_shown(file, exchange->answer, &room);
	end_packet(file, exchange->error ? simtie_strerror(exchange->error) : exchange->name);
}

const struct trace_form trace_pcapng = {
	.start = pcapng_start,
	.command = pcapng_command,
	.answer = pcapng_answer,
	.reset = pcapng_reset,
};
