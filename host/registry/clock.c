#include "clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_TEXT 36 /* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" */

static int64_t milliseconds(clockid_t clock)
{
	struct timespec now = {0};

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
	return milliseconds(CLOCK_REALTIME);
}

int64_t clock_boot_ms(void)
{
	return milliseconds(CLOCK_BOOTTIME);
}

/* ---- Which boot this is: read once, it is the same as long as a process lives. ---- */

static pthread_once_t boot_once = PTHREAD_ONCE_INIT;
static uint8_t boot[CLOCK_BOOT_SIZE];

static void read_boot(void)
{
	char text[BOOT_ID_TEXT];
	uint8_t id[CLOCK_BOOT_SIZE];
	int fd = open(BOOT_ID_FILE, O_RDONLY | O_CLOEXEC);
	size_t count = 0;

	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text)) == sizeof(text)) {
		for (size_t i = 0; i + 1 < sizeof(text) && count < sizeof(id); i++) {
			const char digits[] = {text[i], text[i + 1], 0};

			if (digits[0] != '-' && sscanf(digits, "%2hhx", &id[count]) == 1) {
				count++;
				i++;
			}
		}
	}
	close(fd);
	if (count == sizeof(id))
		memcpy(boot, id, sizeof(boot));
}

void clock_boot_id(uint8_t id[static CLOCK_BOOT_SIZE])
{
	pthread_once(&boot_once, read_boot);
	memcpy(id, boot, CLOCK_BOOT_SIZE);
}

struct clock_moment clock_now(void)
{
	struct clock_moment now = {.wall_ms = clock_wall_ms(), .boot_ms = clock_boot_ms()};

	clock_boot_id(now.boot);
	return now;
}

bool clock_same_boot(const struct clock_moment *one, const struct clock_moment *other)
{
	static const uint8_t unknown[CLOCK_BOOT_SIZE];

	return memcmp(one->boot, other->boot, CLOCK_BOOT_SIZE) == 0 &&
	       memcmp(one->boot, unknown, CLOCK_BOOT_SIZE) != 0;
}

int64_t clock_since(const struct clock_moment *moment)
{
	const struct clock_moment now = clock_now();
	const int64_t since = clock_same_boot(&now, moment) ? now.boot_ms - moment->boot_ms
							    : now.wall_ms - moment->wall_ms;

	return since < 0 ? 0 : since;
}

int64_t clock_gain(const struct clock_moment *moment, const struct clock_moment *now)
{
	const int64_t passed = clock_same_boot(now, moment) ? now->boot_ms - moment->boot_ms : 0;

	return now->wall_ms - moment->wall_ms - passed;
}

void clock_text(int64_t wall_ms, char text[static CLOCK_TEXT_SIZE])
{
	/* Rounded down before 1970 as well. */
	time_t seconds = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0));
	struct tm tm = {0};

	text[0] = 0;
	if (gmtime_r(&seconds, &tm))
		strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}
