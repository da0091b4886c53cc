/*
 * What a modem forbids: examples that its way to the SIM cannot carry.
 */
#include "conformance.h"

#include <ctype.h>
#include <stdio.h>

/* Bits of the class byte that name a channel, or could (ISO/IEC 7816-4 §5.4.1). */
#define CLA_CHANNELS 0x43

/* The byte at a place of a step, as far as it is written out. */
static bool byte_at(const char **step, unsigned *byte)
{
	while (**step == ' ')
		(*step)++;
	if (!isxdigit((unsigned char)(*step)[0]) || !isxdigit((unsigned char)(*step)[1]))
		return false;
	sscanf(*step, "%2x", byte);
	*step += 2;
	return true;
}

/* Class and instruction of a step; false when it does not begin with them. */
static bool header_of(const char *step, unsigned *cla, unsigned *ins)
{
	return byte_at(&step, cla) && byte_at(&step, ins);
}

/* Whether a step names a channel of its own choice. */
static bool chooses_channels(const struct example_case *example)
{
	const char *step = example->steps;
	unsigned cla, ins;

	while (*step) {
		if (header_of(step, &cla, &ins) &&
		    ((cla & CLA_CHANNELS) != 0 || ins == INS_MANAGE_CHANNEL))
			return true;
		step += strcspn(step, "\n");
		step += *step == '\n';
	}
	return false;
}

/* Whether it counts on the domain's being selected because nothing else is. */
static bool counts_on_the_domain(const struct example_case *example)
{
	unsigned cla, ins;

	return !example->select && header_of(example->steps, &cla, &ins) && ins != INS_SELECT;
}

const char *conformance_modem_forbids(const struct conformance *conf,
				      const struct example_case *example)
{
	if (conf->lent && chooses_channels(example))
		return "the modem forbids it: the SIM's channels are the phone's to number, and "
		       "one is lent to us; needs a reader";
	if (conf->selected && counts_on_the_domain(example))
		return "the modem forbids it: its AT+CCHO selects the applet on each new channel; "
		       "needs a reader, or ,csim after the modem's name";
	return NULL;
}
