/*
 * The wall clock and the boot clock of the program under test, to be moved by hand. For tests
 * linked with --wrap=clock_gettime that define it by MOVED_CLOCK().
 */
#ifndef SIMTIE_TESTS_MOVED_CLOCK_H
#define SIMTIE_TESTS_MOVED_CLOCK_H

#include <stdint.h>
#include <time.h>

#define MOVED_CLOCK(wall_ms, boot_ms)                                                              \
	static int64_t wall_ms, boot_ms;                                                           \
                                                                                                   \
	int __real_clock_gettime(clockid_t clock, struct timespec *now);                           \
	int __wrap_clock_gettime(clockid_t clock, struct timespec *now);                           \
	int __wrap_clock_gettime(clockid_t clock, struct timespec *now)                            \
	{                                                                                          \
		const int64_t by = clock == CLOCK_REALTIME   ? wall_ms                             \
				   : clock == CLOCK_BOOTTIME ? boot_ms                             \
							     : 0;                                  \
		const int result = __real_clock_gettime(clock, now);                               \
		const int64_t ms = now->tv_sec * 1000 + now->tv_nsec / 1000000 + by;               \
                                                                                                   \
		if (by) {                                                                          \
			now->tv_sec = ms / 1000;                                                   \
			now->tv_nsec = ms % 1000 * 1000000;                                        \
		}                                                                                  \
		return result;                                                                     \
	}

#endif
