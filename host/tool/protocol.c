#include "protocol.h"

#include <stddef.h>

const char *const protocol_choices[] = {
	[SIMTIE_PROTOCOL_ANY] = "any",
	[SIMTIE_PROTOCOL_T0] = "T=0",
	[SIMTIE_PROTOCOL_T1] = "T=1",
	NULL,
};

const char *protocol_word(enum simtie_protocol protocol)
{
	return protocol_choices[protocol];
}
