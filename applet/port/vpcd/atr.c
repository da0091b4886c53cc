#include "atr.h"

#include <stdlib.h>

/* Marks of T0 and TDi: which interface bytes follow (§8.2.3). */
enum {
	HAS_TA = 0x10,
	HAS_TB = 0x20,
	HAS_TC = 0x40,
	HAS_TD = 0x80,
};

struct atr atr_default(void)
{
	static const uint8_t bytes[] = {
		0x3B, 0x8C,             /* direct convention; TD1 and 12 historical bytes follow */
		0x81, 0x31, 0xFE, 0x45, /* T=1, 254 bytes a block, BWI 4, CWI 5 */
		0x80, 0x73, 0x80, 0x01, 0xDB,           /* capabilities */
		0x56, 's',  'i',  'm',  't',  'i', 'e', /* card issuer's data */
	};
	struct atr atr = {.len = sizeof(bytes) + 1, .protocol = APPLET_T1};

	memcpy(atr.bytes, bytes, sizeof(bytes));
	for (size_t i = 1; i < sizeof(bytes); i++)
		atr.bytes[sizeof(bytes)] ^= bytes[i];
	return atr;
}

static int digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static const char *read_hex(struct atr *atr, const char *hex)
{
	atr->len = 0;
	while (*hex) {
		int high = digit(hex[0]);
		int low = high < 0 ? -1 : digit(hex[1]);

		if (low < 0)
			return "not pairs of hexadecimal digits";
		if (atr->len == ATR_MAX)
			return "longer than 33 bytes";
		atr->bytes[atr->len++] = (uint8_t)(high << 4 | low);
		hex += 2;
		if (*hex && strchr(" :", *hex))
			hex++;
	}
	return atr->len < 2 ? "shorter than 2 bytes" : NULL;
}

/* Walks the interface bytes. Gives where the historical bytes begin, the first protocol and whether
 * one other than T=0 is offered, which calls for a check byte. False: it ends before they do. */
static bool walk(const struct atr *atr, size_t *history, int *first, bool *checked)
{
	uint8_t marks = atr->bytes[1];
	size_t at = 2;

	*first = -1;
	*checked = false;
	for (;;) {
		at += (marks & HAS_TA ? 1u : 0u) + (marks & HAS_TB ? 1u : 0u) +
		      (marks & HAS_TC ? 1u : 0u);
		if (!(marks & HAS_TD))
			break;
		if (at >= atr->len)
			return false;
		marks = atr->bytes[at++];
		*checked |= (marks & 0x0F) != 0;
		if (*first < 0)
			*first = marks & 0x0F;
	}
	*history = at;
	return true;
}

const char *atr_parse(struct atr *atr, const char *hex)
{
	const char *wrong = read_hex(atr, hex);
	size_t whole;
	int first;
	bool checked;
	uint8_t sum = 0;

	if (wrong)
		return wrong;
	if (atr->bytes[0] != 0x3B && atr->bytes[0] != 0x3F)
		return "begins with neither 3B nor 3F";
	if (!walk(atr, &whole, &first, &checked))
		return "ends within its interface bytes";
	whole += (atr->bytes[1] & 0x0F) + (checked ? 1u : 0u);
	if (atr->len < whole)
		return "shorter than its bytes T0 and TDi say";
	if (atr->len > whole)
		return "longer than its bytes T0 and TDi say";
	if (first > 1)
		return "the first protocol is neither T=0 nor T=1";
	for (size_t i = 1; i < atr->len; i++)
		sum ^= atr->bytes[i];
	if (checked && sum != 0)
		return "the check byte at its end is wrong";
	atr->protocol = first == 1 ? APPLET_T1 : APPLET_T0;
	return NULL;
}
