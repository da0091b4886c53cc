/*
 * simtie_transmit(): one command APDU in, its whole answer out, as many exchanges as that takes,
 * through the secure channel when one is open.
 */
#include <string.h>

#include "contract.h"
#include "session_secure.h"

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
	uint32_t ne;  /* 0 to 256 */
	bool wrapped; /* through the secure channel */
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

/* The plain APDU. */
static size_t build(const struct piece *piece, uint8_t command[static SHORT_MAX])
{
	size_t len = sizeof piece->header;

	memcpy(command, piece->header, sizeof piece->header);
	if (piece->data.len > 0) {
		command[len++] = (uint8_t)piece->data.len;
		memcpy(command + len, piece->data.ptr, piece->data.len);
		len += piece->data.len;
	}
	if (piece->ne > 0)
		command[len++] = (uint8_t)piece->ne; /* 256 goes as 00 */
	return len;
}

/* Sends a piece once. An answer longer than Le asked for breaks the standard. */
static int send(struct simtie_session *session, const struct piece *piece, struct bytes *data)
{
	uint8_t plain[SHORT_MAX], wrapped[SHORT_MAX];
	struct bytes command = bytes_of(plain, build(piece, plain));
	uint32_t most = piece->ne;
	int error = 0;

	if (piece->wrapped) {
		most = most ? APDU_NE_SHORT : session_secure_unasked(session);
		error = session_secure_wrap(session, command, wrapped, sizeof wrapped,
					    &command.len);
		command.ptr = wrapped;
	}
	if (!error)
		error = session_exchange(session, command, data);
	if (session->line.fetches && (piece->data.len > 0 || piece->wrapped))
		most = APDU_NE_SHORT;
	if (!error && data->len > most)
		error = SIMTIE_ERR_PROTOCOL;
	bytes_wipe(plain, sizeof plain);
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
	if (piece->wrapped)
		error = session_secure_unwrap(session, session->answer, &data->len);
	if (!error)
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

/* One piece and its whole answer as the line has it. */
static int collect(struct simtie_session *session, struct piece *piece, struct gather *gather)
{
	struct bytes data;
	int error = ask(session, piece, &data);

	if (error)
		return error;
	gather_put(gather, data);
	return fetch(session, piece->header[0], gather);
}

/* The same, out of the secure channel. A command that got no answer leaves host and card with
 * different counts: the channel cannot be used any more. */
static int collect_plain(struct simtie_session *session, struct piece *piece, struct gather *gather)
{
	struct gather line = {.out = session->wrapped, .size = sizeof session->wrapped};
	size_t len;
	int error;

	if (!piece->wrapped)
		return collect(session, piece, gather);
	error = collect(session, piece, &line);
	if (error && !session->secure.broken)
		session_secure_break(session, SCP03_ORDER);
	len = line.used;
	if (!error)
		error = session_secure_unwrap(session, line.out, &len);
	if (!error)
		gather_put(gather, bytes_of(line.out, len));
	bytes_wipe(session->wrapped, line.used);
	return error;
}

/* Sends one link of a chain. A card answers it with its status word, which may carry a MAC. */
static int send_link(struct simtie_session *session, struct piece *link)
{
	struct gather nothing = {0};
	struct bytes answer;

	return link->wrapped ? collect_plain(session, link, &nothing)
			     : send(session, link, &answer);
}

/* Sends all of the data but what fits into a last piece, `most` bytes at a time. *whole: the card
 * took them all; else its refusal stands in session->sw. */
static int send_links(struct simtie_session *session, struct piece *piece, size_t most, bool *whole)
{
	struct bytes rest = piece->data;
	struct piece link = *piece;

	link.header[0] |= CLA_CHAINED;
	link.ne = 0;
	if (link.wrapped && session->line.protocol != SIMTIE_PROTOCOL_T0)
		link.ne = session_secure_unasked(session); /* spares a GET RESPONSE a link */
	*whole = true;
	for (; rest.len > most && *whole; rest = bytes_of(rest.ptr + most, rest.len - most)) {
		int error;

		link.data = bytes_of(rest.ptr, most);
		error = send_link(session, &link);
		if (error)
			return error;
		*whole = session->sw == SW_OK;
	}
	piece->data = rest;
	return 0;
}

static int carry_out(struct simtie_session *session, const struct apdu *apdu, bool wrapped,
		     struct gather *gather)
{
	struct piece piece = {.data = apdu->data, .ne = apdu->ne, .wrapped = wrapped};
	size_t most = wrapped ? scp03_data_max(&session->secure.scp) : DATA_SHORT;
	bool whole;
	int error;

	memcpy(piece.header, apdu->header, sizeof piece.header);
	if (piece.ne > APDU_NE_SHORT)
		piece.ne = APDU_NE_SHORT; /* the rest comes by GET RESPONSE */
	if ((piece.data.len > 0 || wrapped) && session->line.protocol == SIMTIE_PROTOCOL_T0)
		piece.ne = 0;
	error = send_links(session, &piece, most, &whole);
	if (error || !whole)
		return error;
	return collect_plain(session, &piece, gather);
}

/* `clear`: past the secure channel, if one is open. */
static int transmit(struct simtie_session *session, struct bytes command, bool clear, uint8_t *out,
		    size_t size, size_t *out_len)
{
	struct gather gather = {.out = out, .size = size};
	struct secure_route route = {0};
	struct apdu apdu;
	int error;

	*out_len = 0;
	if (!apdu_parse(command, &apdu) ||
	    apdu.data.len > (size_t)SIMTIE_EXCHANGES_MAX * DATA_SHORT)
		return SIMTIE_ERR_ARGUMENT;
	error = session_begin(session);
	if (!error && !clear)
		error = session_secure_route(session, &apdu, &route);
	if (error)
		return error;
	error = carry_out(session, &apdu, route.wrapped, &gather);
	session_wipe(session);
	if (route.ends && !error)
		session_secure_after(session);
	if (!error && gather.overflowed)
		error = SIMTIE_ERR_MEMORY;
	if (error)
		bytes_wipe(out, gather.used);
	else
		*out_len = gather.used;
	return error;
}

int simtie_transmit(struct simtie_session *session, const uint8_t *command, size_t command_len,
		    uint8_t *out, size_t size, size_t *out_len)
{
	return transmit(session, bytes_of(command, command_len), false, out, size, out_len);
}

int simtie_transmit_clear(struct simtie_session *session, const uint8_t *command,
			  size_t command_len, uint8_t *out, size_t size, size_t *out_len)
{
	return transmit(session, bytes_of(command, command_len), true, out, size, out_len);
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
