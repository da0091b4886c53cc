#include "pin.h"

#include "records.h"

#define PADDING 0xFF

static const struct {
	uint8_t value;     /* enum record */
	uint8_t tries;     /* enum record */
	uint8_t tries_max; /* also what the record holds after a success */
	uint8_t digits_min;
} pins[] = {
	[PIN_HOLDER] = {RECORD_PIN, RECORD_PIN_TRIES, LIMIT_PIN_TRIES, LIMIT_PIN_DIGITS_MIN},
	[PIN_UNBLOCK] = {RECORD_PUK, RECORD_PUK_TRIES, LIMIT_PUK_TRIES, LIMIT_PIN_SIZE},
};

uint8_t pin_tries_max(enum pin_id id)
{
	return pins[id].tries_max;
}

uint8_t pin_tries_left(const struct applet *applet, enum pin_id id)
{
	uint8_t tries;
	size_t len;

	if (journal_read(&applet->journal, pins[id].tries, &tries, 1, &len) != JOURNAL_OK)
		return 0;
	return tries;
}

/* Takes one try off and makes sure that the memory holds it. */
static bool charge(struct applet *applet, enum pin_id id, uint8_t left)
{
	const struct journal_write write = {pins[id].tries, bytes_of(&left, 1)};

	return journal_commit(&applet->journal, &write, 1) == JOURNAL_OK &&
	       pin_tries_left(applet, id) == left;
}

enum pin_result pin_try(struct applet *applet, enum pin_id id, struct bytes guess, uint8_t *left)
{
	uint8_t value[LIMIT_PIN_SIZE];
	uint8_t tries = pin_tries_left(applet, id);
	enum pin_result result = PIN_WRONG;
	size_t len;

	*left = 0;
	if (tries == 0)
		return PIN_BLOCKED;
	*left = tries - 1;
	if (!charge(applet, id, *left))
		return PIN_UNCHARGED;
	if (journal_read(&applet->journal, pins[id].value, value, sizeof value, &len) ==
		    JOURNAL_OK &&
	    len == sizeof value && guess.len == sizeof value &&
	    bytes_equal_secret(value, guess.ptr, sizeof value))
		result = PIN_RIGHT;
	bytes_wipe(value, sizeof value);
	return result;
}

struct journal_write pin_tries_back(enum pin_id id)
{
	return (struct journal_write){pins[id].tries, bytes_of(&pins[id].tries_max, 1)};
}

struct journal_write pin_set(enum pin_id id, struct bytes value)
{
	return (struct journal_write){pins[id].value, value};
}

bool pin_well_formed(enum pin_id id, struct bytes value)
{
	size_t digits = 0;

	if (value.len != LIMIT_PIN_SIZE)
		return false;
	while (digits < value.len && value.ptr[digits] >= '0' && value.ptr[digits] <= '9')
		digits++;
	for (size_t i = digits; i < value.len; i++)
		if (value.ptr[i] != PADDING)
			return false;
	return digits >= pins[id].digits_min;
}

uint16_t pin_refusal(enum pin_result result, uint8_t left)
{
	switch (result) {
	case PIN_RIGHT:
		break;
	case PIN_WRONG:
		return (uint16_t)(SW_TRIES_LEFT | left);
	case PIN_BLOCKED:
		return SW_BLOCKED;
	case PIN_UNCHARGED:
		return SW_MEMORY_FAILURE;
	}
	return SW_OK;
}
