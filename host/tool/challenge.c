#include "challenge.h"

#include "output.h"

#include <string.h>

int challenge_check(const struct command *command, const struct challenge *challenge)
{
	char safe[SIMTIE_AUDIENCE_MAX + 1];

	output_safe(challenge->audience, safe, sizeof(safe));
	if (strcmp(safe, challenge->audience) != 0)
		return options_wrong(command, "--audience takes UTF-8 without control characters");
	return OPTIONS_GO;
}
