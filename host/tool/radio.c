#include "radio.h"

#include <string.h>

#define PREFIX "nfc:"

bool radio_is(const char *reader)
{
	return reader && strncmp(reader, PREFIX, strlen(PREFIX)) == 0;
}
