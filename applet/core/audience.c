#include "audience.h"

#include "contract.h"

/* Bytes that follow the first one of a sequence, or -1 for a byte that begins none. */
static int followers(uint8_t first)
{
	if (first < 0x80)
		return 0;
	if (first >= 0xC2 && first < 0xE0)
		return 1;
	if (first >= 0xE0 && first < 0xF0)
		return 2;
	if (first >= 0xF0 && first < 0xF5)
		return 3;
	return -1;
}

/* Whether a second byte keeps the sequence out of overlong forms, surrogates and what lies past
 * U+10FFFF (RFC 3629 §4). */
static bool second_valid(uint8_t first, uint8_t second)
{
	switch (first) {
	case 0xE0:
		return second >= 0xA0;
	case 0xED:
		return second < 0xA0;
	case 0xF0:
		return second >= 0x90;
	case 0xF4:
		return second < 0x90;
	}
	return true;
}

/* C0 and DEL, or C1 (U+0080 to U+009F). */
static bool control(const uint8_t *sequence)
{
	return sequence[0] < 0x20 || sequence[0] == 0x7F ||
	       (sequence[0] == 0xC2 && sequence[1] < 0xA0);
}

bool audience_valid(struct bytes audience)
{
	size_t i = 0;

	if (audience.len < LIMIT_AUDIENCE_MIN || audience.len > LIMIT_AUDIENCE_MAX)
		return false;
	while (i < audience.len) {
		const uint8_t *sequence = audience.ptr + i;
		int more = followers(sequence[0]);

		if (more < 0 || (size_t)more >= audience.len - i)
			return false;
		for (int k = 1; k <= more; k++)
			if ((sequence[k] & 0xC0) != 0x80)
				return false;
		if (more > 0 && !second_valid(sequence[0], sequence[1]))
			return false;
		if (control(sequence))
			return false;
		i += 1 + (size_t)more;
	}
	return true;
}
