/*
 * The two clocks of a service: the wall clock, which people read and machines share, and the boot
 * clock, which never jumps and counts while the machine sleeps (CLOCK_BOOTTIME).
 *
 * Owns the rule for how old a stored row is. Refuses to believe the wall clock where the boot clock
 * can say it.
 */
#ifndef SIMTIE_REGISTRY_CLOCK_H
#define SIMTIE_REGISTRY_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_BOOT_SIZE 16 /* bytes that tell this boot of this machine from all others */

/* Milliseconds since 1970 UTC; since the machine booted. */
int64_t clock_wall_ms(void);
int64_t clock_boot_ms(void);

/* This boot's name (the kernel's boot_id). Zeros, which is never equal to anything, when the kernel
 * does not tell. */
void clock_boot_id(uint8_t id[static CLOCK_BOOT_SIZE]);

/* A moment as a row keeps it. */
struct clock_moment {
	int64_t wall_ms;
	int64_t boot_ms;
	uint8_t boot[CLOCK_BOOT_SIZE];
};

struct clock_moment clock_now(void);

/* Milliseconds since `moment`, never negative: by the boot clock when it was this boot, else by the
 * wall clock. */
int64_t clock_since(const struct clock_moment *moment);

bool clock_same_boot(const struct clock_moment *one, const struct clock_moment *other);

/* Milliseconds that the wall clock has gained on the boot clock between the two; when they are of
 * two boots, where nothing says how much time has passed, all that it went. Negative: it lost. */
int64_t clock_gain(const struct clock_moment *moment, const struct clock_moment *now);

/* RFC 3339 in UTC with seconds, "2026-11-24T09:00:00Z". */
#define CLOCK_TEXT_SIZE 32
void clock_text(int64_t wall_ms, char text[static CLOCK_TEXT_SIZE]);

#endif
