#include "apdu.h"

#define HEADER_SIZE 4

/* Le of `len` bytes: 1, 2, or 3 when no Lc came before (its first byte is then 00). */
static uint32_t parse_le(const uint8_t *le, size_t len)
{
	if (len == 1)
		return le[0] ? le[0] : APDU_NE_SHORT;
	return get_be16(le + len - 2) ? get_be16(le + len - 2) : APDU_NE_EXTENDED;
}

static bool parse_short(const uint8_t *body, size_t len, struct apdu *apdu)
{
	size_t lc = body[0];

	if (lc == 0 || len < 1 + lc || len > 2 + lc)
		return false;
	apdu->data = bytes_of(body + 1, lc);
	if (len == 2 + lc)
		apdu->ne = parse_le(body + 1 + lc, 1);
	return true;
}

static bool parse_extended(const uint8_t *body, size_t len, struct apdu *apdu)
{
	size_t lc = get_be16(body + 1);

	if (lc == 0 || (len != 3 + lc && len != 5 + lc))
		return false;
	apdu->data = bytes_of(body + 3, lc);
	if (len == 5 + lc)
		apdu->ne = parse_le(body + 3 + lc, 2);
	return true;
}

bool apdu_parse(struct bytes bytes, struct apdu *apdu)
{
	if (bytes.len < HEADER_SIZE)
		return false;
	const uint8_t *body = bytes.ptr + HEADER_SIZE;
	size_t len = bytes.len - HEADER_SIZE;
	*apdu = (struct apdu){0};
	memcpy(apdu->header, bytes.ptr, HEADER_SIZE);
	if (len == 0)
		return true;
	if (len == 1 || (len == 3 && body[0] == 0)) {
		apdu->ne = parse_le(body, len);
		return true;
	}
	if (body[0] != 0)
		return parse_short(body, len, apdu);
	return len > 3 && parse_extended(body, len, apdu);
}

struct apdu_class apdu_class(uint8_t cla)
{
	struct apdu_class class = {.base = cla & 0x80};

	class.chained = cla & 0x10;
	if (cla & 0x40) { /* further interindustry values (ISO/IEC 7816-4 table 3) */
		class.channel = (uint8_t)(4 + (cla & 0x0F));
		class.secure = cla & 0x20;
		class.reserved = cla == 0xFF;
	} else {
		class.channel = cla & 0x03;
		class.secure = cla & 0x0C;
		class.secure_globalplatform = (cla & 0x0C) == 0x04;
		class.reserved = cla & 0x20;
	}
	return class;
}
