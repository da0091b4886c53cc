#include "exact_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct bytes exact_bytes(const char *hex)
{
	uint8_t *bytes = malloc(strlen(hex) / 2 + 1);
	size_t len = 0;
	unsigned byte;

	assert_non_null(bytes);
	for (; *hex; hex += 2) {
		while (*hex == ' ')
			hex++;
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		bytes[len++] = (uint8_t)byte;
	}
	return bytes_of(realloc(bytes, len ? len : 1), len);
}

void exact_bytes_free(struct bytes bytes)
{
	free((void *)(uintptr_t)bytes.ptr);
}
