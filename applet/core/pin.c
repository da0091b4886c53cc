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
	return record_byte(applet, pins[id].tries, 0, 0);
}

bool pin_guarded(const struct applet *applet)
{
	return record_byte(applet, RECORD_PIN_POLICY, PIN_POLICY_ANYWHERE,
			   PIN_POLICY_SECURE_CHANNEL) != PIN_POLICY_ANYWHERE;
}

/* Takes one try off and makes sure that the memory holds it. */
static bool charge(struct applet *applet, enum pin_id id, uint8_t left)
{
	return record_put(applet, pins[id].tries, &left, 1) == SW_OK &&
	       pin_tries_left(applet, id) == left;
}

/* Whether a PIN may come as this command came. */
static bool admitted(const struct applet *applet, const struct command *command)
{
	return (command->level & SECURITY_LEVEL_C_MAC_ENC) == SECURITY_LEVEL_C_MAC_ENC ||
	       !pin_guarded(applet);
}

uint16_t pin_try(struct applet *applet, const struct command *command, enum pin_id id,
		 const uint8_t guess[static LIMIT_PIN_SIZE])
{
	uint8_t value[LIMIT_PIN_SIZE];
	uint8_t left = pin_tries_left(applet, id);
	bool right;

	if (!admitted(applet, command))
		return SW_NOT_SATISFIED;
	if (left == 0)
		return SW_BLOCKED;
	left--;
	if (!charge(applet, id, left))
		return SW_MEMORY_FAILURE;
	right = record_read(applet, pins[id].value, value, sizeof value) &&
		bytes_equal_secret(value, guess, sizeof value);
	bytes_wipe(value, sizeof value);
	return right ? SW_OK : (uint16_t)(SW_TRIES_LEFT | left);
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

uint16_t pin_command(struct applet *applet, struct command *command, enum pin_id id,
		     const uint8_t *new)
{
	struct journal_write writes[3] = {pin_tries_back(id)};
	size_t count = 1;
	uint16_t sw;

	if (new) {
		const struct bytes value = {new, LIMIT_PIN_SIZE};

		if (!pin_well_formed(PIN_HOLDER, value))
			return SW_WRONG_DATA;
		writes[count++] = pin_set(PIN_HOLDER, value);
		if (id != PIN_HOLDER)
			writes[count++] = pin_tries_back(PIN_HOLDER);
	}
	sw = pin_try(applet, command, id, command->data.ptr);
	if (sw == SW_OK)
		sw = record_commit(applet, writes, count);
	command->channel->verified = sw == SW_OK && id == PIN_HOLDER;
	return sw;
}
