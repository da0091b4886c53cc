#include "known_keys.h"

#define KEY                                                                                        \
	{                                                                                          \
		0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C,      \
			0x4D, 0x4E, 0x4F                                                           \
	}

const struct simtie_keys known_keys = {
	.version = 0x30, .len = 16, .enc = KEY, .mac = KEY, .dek = KEY};
