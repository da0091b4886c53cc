/* The nRF51's random number generator: thermal noise, its bias taken out (chapter 22). */
#include "../board.h"

#include "../cpu.h"

#define RNG(offset) REGISTER(0x4000D000 + (offset))
#define RNG_START   RNG(0x000)
#define RNG_STOP    RNG(0x004)
#define RNG_READY   RNG(0x100)
#define RNG_CONFIG  RNG(0x504)
#define RNG_VALUE   RNG(0x508)

#define CORRECT_BIAS 1u
#define POLLS_MAX    1000000u /* for one byte, which takes 0.7 ms: some 300 times as many */

const bool random_is_seeded = false;

void random_open(void)
{
	RNG_CONFIG = CORRECT_BIAS;
}

bool random_take(uint8_t *out, size_t len)
{
	bool done = true;

	RNG_READY = 0;
	RNG_START = 1;
	for (size_t i = 0; i < len && done; i++) {
		uint32_t polls = 0;

		while (!RNG_READY && ++polls < POLLS_MAX)
			;
		done = RNG_READY != 0;
		RNG_READY = 0;
		out[i] = (uint8_t)RNG_VALUE;
	}
	RNG_STOP = 1;
	return done;
}

bool random_blinding_key(uint8_t key[static 32])
{
	return random_take(key, 32);
}
