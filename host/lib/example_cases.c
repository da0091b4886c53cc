/*
 * The contract's examples and the values that they ask for.
 */
#include "example.h"

#include <stdio.h>

static const struct example_case cases[] = {
#define ROW(command, name, state, effect, fault, protocol, raw, select, application, secure,       \
	    steps)                                                                                 \
	{#command, name, state, effect, fault, protocol, raw, select, application, secure, steps},
	EXAMPLES(ROW)
#undef ROW
};

const struct example_case *example_cases(size_t *count)
{
	*count = sizeof cases / sizeof cases[0];
	return cases;
}

enum simtie_protocol example_protocol(const struct example_case *example)
{
	if (strcmp(example->protocol, "T=0") == 0)
		return SIMTIE_PROTOCOL_T0;
	if (strcmp(example->protocol, "T=1") == 0)
		return SIMTIE_PROTOCOL_T1;
	return SIMTIE_PROTOCOL_ANY;
}

const char *example_preamble(enum example_state state)
{
	switch (state) {
#define ROW(state, steps)                                                                          \
	case state:                                                                                \
		return steps;
		PREAMBLES(ROW)
#undef ROW
	}
	return "";
}

bool example_needs(const char *steps, const char *name)
{
	char placeholder[EXAMPLE_NAME_MAX + 2];

	snprintf(placeholder, sizeof placeholder, "{%s}", name);
	return strstr(steps, placeholder) != NULL;
}

bool example_pad(const char *digits, size_t least, uint8_t padded[static LIMIT_PIN_SIZE])
{
	size_t len = strlen(digits);

	if (len < least || len > LIMIT_PIN_SIZE || strspn(digits, "0123456789") != len)
		return false;
	memset(padded, 0xFF, LIMIT_PIN_SIZE);
	memcpy(padded, digits, len);
	return true;
}

void example_other(const uint8_t pin[static LIMIT_PIN_SIZE], const uint8_t *avoid,
		   uint8_t other[static LIMIT_PIN_SIZE])
{
	memcpy(other, pin, LIMIT_PIN_SIZE);
	do
		other[0] = (uint8_t)('0' + (other[0] - '0' + 1) % 10);
	while (avoid && memcmp(other, avoid, LIMIT_PIN_SIZE) == 0);
}

bool example_values(const char *pin, const char *puk, struct example_values *values)
{
	if (!example_pad(pin, LIMIT_PIN_DIGITS_MIN, values->pin) ||
	    !example_pad(puk, LIMIT_PIN_SIZE, values->puk))
		return false;
	example_other(values->pin, NULL, values->new_pin);
	example_other(values->pin, values->new_pin, values->wrong_pin);
	example_other(values->puk, NULL, values->wrong_puk);
	return true;
}

bool example_define_values(struct example *run, const struct example_values *values)
{
	const struct {
		const char *name;
		const uint8_t *value;
	} named[] = {
		{"pin", values->pin},         {"wrong_pin", values->wrong_pin},
		{"puk", values->puk},         {"wrong_puk", values->wrong_puk},
		{"new_pin", values->new_pin},
	};

	for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
		if (!example_define(run, named[i].name, true,
				    bytes_of(named[i].value, LIMIT_PIN_SIZE)))
			return false;
	return true;
}

static bool define_hex(struct example *run, const char *name, const char *hex)
{
	uint8_t value[EXAMPLE_VALUE_MAX];
	size_t len = strlen(hex) / 2;
	unsigned byte;

	for (size_t i = 0; i < len && i < sizeof value; i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return false;
		value[i] = (uint8_t)byte;
	}
	return example_define(run, name, false, bytes_of(value, len));
}

bool example_define_fixtures(struct example *run)
{
#define ROW(name, hex)                                                                             \
	if (!define_hex(run, name, hex))                                                           \
		return false;
	FIXTURES(ROW)
#undef ROW
	return true;
}

#define KEY_SET_FIRST 0x31
#define KEY_SET_LAST  0x33
#define KEY_SET_LEN   16 /* whatever the card's are: the examples count on it */
#define HEADER_AND_LC 5

bool example_define_keys(struct example *run, const struct scp03_keys *current)
{
	uint8_t command[SCP03_PUT_KEY_MAX];
	char name[EXAMPLE_NAME_MAX];
	size_t len;
	bool done = true;

	for (uint8_t version = KEY_SET_FIRST; version <= KEY_SET_LAST && done; version++) {
		struct scp03_keys fresh = {.version = version, .len = KEY_SET_LEN};

		memset(fresh.enc, version, fresh.len);
		memset(fresh.mac, version + 0x10, fresh.len);
		memset(fresh.dek, version + 0x20, fresh.len);
		snprintf(name, sizeof name, "put_key_%X", version);
		done = scp03_put_key(0, current, &fresh, 0, command, &len) == SCP03_OK &&
		       example_define(
			       run, name, true,
			       bytes_of(command + HEADER_AND_LC, command[HEADER_AND_LC - 1]));
	}
	bytes_wipe(command, sizeof command);
	return done;
}
