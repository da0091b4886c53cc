/*
 * simtie_transmit(): one command APDU in, its whole answer out, as many exchanges as that takes.
 */
#include <string.h>

#include "contract.h"
#include "session.h"

#define CLA_CHAINED 0x10 /* more of this command follows (ISO/IEC 7816-4 §5.4.1) */
#define DATA_SHORT  255  /* what a short Lc can say */
#define SHORT_MAX   (4 + 1 + DATA_SHORT + 1)

/* An answer being gathered. */
struct gather {
	uint8_t *out;
	size_t size;
	size_t used;
	bool overflowed; /* the caller's buffer is too small; the rest is fetched and dropped */
};

/* A command as it goes over the line. */
struct piece {
	uint8_t header[4];
	struct bytes data;
	uint32_t ne; /* 0 to 256 */
};

static bool is(uint16_t sw, uint16_t pattern)
{
	return (sw & 0xFF00) == pattern;
}

/* What xx of 61xx and 6Cxx counts: 00 means 256. */
static uint32_t count_of(uint16_t sw)
{
	return sw & 0xFF ? sw & 0xFF : APDU_NE_SHORT;
}

static void gather_put(struct gather *gather, struct bytes data)
{
	if (data.len > gather->size - gather->used)
		gather->overflowed = true;
	if (gather->overflowed || data.len == 0)
		return;
	memcpy(gather->out + gather->used, data.ptr, data.len);
	gather->used += data.len;
}

/* Sends a piece once. An answer longer than Le asked for breaks the standard. */
static int send(struct simtie_session *session, const struct piece *piece, struct bytes *data)
{
	uint8_t command[SHORT_MAX];
	size_t len = sizeof piece->header;
	int error;

	memcpy(command, piece->header, sizeof piece->header);
	if (piece->data.len > 0) {
		command[len++] = (uint8_t)piece->data.len;
		memcpy(command + len, piece->data.ptr, piece->data.len);
		len += piece->data.len;
	}
	if (piece->ne > 0)
		command[len++] = (uint8_t)piece->ne; /* 256 goes as 00 */
	error = session_exchange(session, bytes_of(command, len), data);
	if (!error && data->len > piece->ne)
		error = SIMTIE_ERR_PROTOCOL;
	bytes_wipe(command, len);
	return error;
}

/*
 * Sends a piece and, when the card says 6Cxx, sends it once more with the Le that it asks for. One
 * that then says 6Cxx again does not know what it wants. Without Le, 6Cxx is the card's last word.
 */
static int ask(struct simtie_session *session, struct piece *piece, struct bytes *data)
{
	int error = send(session, piece, data);

	if (error || !is(session->sw, SW_WRONG_LE) || piece->ne == 0)
		return error;
	if (data->len > 0 || count_of(session->sw) == piece->ne)
		return SIMTIE_ERR_PROTOCOL;
	piece->ne = count_of(session->sw);
	error = send(session, piece, data);
	if (!error && is(session->sw, SW_WRONG_LE))
		return SIMTIE_ERR_PROTOCOL;
	return error;
}

/* GET RESPONSE, on the channel that the command went to. */
static struct piece get_response(uint8_t cla, uint32_t ne)
{
	struct piece piece = {.header = {CLA_GET_RESPONSE, INS_GET_RESPONSE, 0, 0}, .ne = ne};

	piece.header[0] |= cla & 0x40 ? cla & 0x4F : cla & 0x03;
	return piece;
}

/* Fetches for as long as the card says 61xx. Each GET RESPONSE has to bring something, or a card
 * could keep us at it for nothing. */
static int fetch(struct simtie_session *session, uint8_t cla, struct gather *gather)
{
	while (is(session->sw, SW_BYTES_AVAILABLE)) {
		struct piece piece = get_response(cla, count_of(session->sw));
		struct bytes data;
		int error = ask(session, &piece, &data);

		if (error)
			return error;
		if (data.len == 0 && is(session->sw, SW_BYTES_AVAILABLE))
			return SIMTIE_ERR_PROTOCOL;
		gather_put(gather, data);
	}
	return 0;
}

/* Sends all of the data but what fits into a last piece. *whole: the card took them all; else its
 * refusal stands in session->sw. */
static int send_links(struct simtie_session *session, struct piece *piece, bool *whole)
{
	struct bytes rest = piece->data;
	struct piece link = *piece;
	struct bytes answer;

	link.header[0] |= CLA_CHAINED;
	link.ne = 0;
	*whole = true;
	for (; rest.len > DATA_SHORT && *whole;
	     rest = bytes_of(rest.ptr + DATA_SHORT, rest.len - DATA_SHORT)) {
		int error;

		link.data = bytes_of(rest.ptr, DATA_SHORT);
		error = send(session, &link, &answer);
		if (error)
			return error;
		*whole = session->sw == SW_OK;
	}
	piece->data = rest;
	return 0;
}

static int carry_out(struct simtie_session *session, const struct apdu *apdu, struct gather *gather)
{
	struct piece piece = {.data = apdu->data, .ne = apdu->ne};
	struct bytes data;
	bool whole;
	int error;

	memcpy(piece.header, apdu->header, sizeof piece.header);
	if (piece.ne > APDU_NE_SHORT)
		piece.ne = APDU_NE_SHORT; /* the rest comes by GET RESPONSE */
	if (piece.data.len > 0 && session->line.protocol == SIMTIE_PROTOCOL_T0)
		piece.ne = 0;
	error = send_links(session, &piece, &whole);
	if (error || !whole)
		return error;
	error = ask(session, &piece, &data);
	if (error)
		return error;
	gather_put(gather, data);
	return fetch(session, piece.header[0], gather);
}

int simtie_transmit(struct simtie_session *session, const uint8_t *command, size_t command_len,
		    uint8_t *out, size_t size, size_t *out_len)
{
	struct gather gather = {.out = out, .size = size};
	struct apdu apdu;
	int error;

	*out_len = 0;
	if (!apdu_parse(bytes_of(command, command_len), &apdu) ||
	    apdu.data.len > (size_t)SIMTIE_EXCHANGES_MAX * DATA_SHORT)
		return SIMTIE_ERR_ARGUMENT;
	error = session_begin(session);
	if (error)
		return error;
	error = carry_out(session, &apdu, &gather);
	session_wipe(session);
	if (!error && gather.overflowed)
		error = SIMTIE_ERR_MEMORY;
	if (error)
		bytes_wipe(out, gather.used);
	else
		*out_len = gather.used;
	return error;
}

int simtie_transmit_raw(struct simtie_session *session, const uint8_t *command, size_t command_len,
			uint8_t *out, size_t size, size_t *out_len)
{
	struct bytes data = {0};
	int error = session_begin(session);

	*out_len = 0;
	if (error)
		return error;
	if (command_len > TRANSPORT_COMMAND_MAX)
		return SIMTIE_ERR_ARGUMENT;
	error = session_exchange(session, bytes_of(command, command_len), &data);
	if (error)
		goto out;
	if (data.len > size) {
		error = SIMTIE_ERR_MEMORY;
		goto out;
	}
	if (data.len > 0)
		memcpy(out, data.ptr, data.len);
	*out_len = data.len;
out:
	session_wipe(session);
	return error;
}
