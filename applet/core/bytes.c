#include "bytes.h"

bool bytes_equal_secret(const uint8_t *a, const uint8_t *b, size_t len)
{
	volatile uint8_t difference = 0;

	for (size_t i = 0; i < len; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

void bytes_wipe(void *secret, size_t len)
{
	volatile uint8_t *p = secret;

	while (len--)
		*p++ = 0;
}
