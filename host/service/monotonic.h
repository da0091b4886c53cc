/*
 * The clock of timers and waits inside one process: it never jumps, and stops while the machine
 * sleeps. What is stored or passes between machines goes by clock.h instead.
 */
#ifndef SIMTIE_SERVICE_MONOTONIC_H
#define SIMTIE_SERVICE_MONOTONIC_H

#include <stdint.h>
#include <time.h>

static inline int64_t monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t monotonic_ms(void)
{
	return monotonic_us() / 1000;
}

#endif
