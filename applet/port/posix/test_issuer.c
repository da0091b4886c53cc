#include "test_issuer.h"

static const uint8_t test_key[TEST_ISSUER_KEY_LEN] = {0x40, 0x41, 0x42, 0x43, 0x44, 0x45,
						      0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B,
						      0x4C, 0x4D, 0x4E, 0x4F};

const struct port_issuer test_issuer = {
	.key_version = 0x30,
	.key_len = TEST_ISSUER_KEY_LEN,
	.scp_options = 0x70,
	.enc = test_key,
	.mac = test_key,
	.dek = test_key,
};
