/* Semihosting (Arm, "Semihosting for AArch32 and AArch64", 2.0): calls that QEMU carries out. */
#include "host.h"

#include "board.h"

enum call {
	SYS_OPEN = 0x01,
	SYS_WRITE = 0x05,
	SYS_READ = 0x06,
	SYS_SEEK = 0x0A,
	SYS_GET_CMDLINE = 0x15,
	SYS_EXIT_EXTENDED = 0x20,
};

#define OPEN_READ_WRITE 3u /* "r+b" */
#define STOPPED_BY_EXIT 0x20026u
#define LINE_MAX        128 /* bytes of the emulator's arguments */

static int32_t image;
static char line[LINE_MAX];
static const char *seed;

static int32_t call(enum call number, const uint32_t *block)
{
	register int32_t r0 __asm("r0") = (int32_t)number;
	register const uint32_t *r1 __asm("r1") = block;

	__asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory", "cc");
	return r0;
}

static uint32_t address(const void *p)
{
	return (uint32_t)(uintptr_t)p;
}

/* SYS_READ and SYS_WRITE answer how many bytes are missing. */
static bool move(enum call number, void *data, uint32_t len)
{
	return call(number, (const uint32_t[]){(uint32_t)image, address(data), len}) == 0;
}

static bool seek(uint32_t offset)
{
	return call(SYS_SEEK, (const uint32_t[]){(uint32_t)image, offset}) == 0;
}

/* Cuts the next word off the line: the terminator is what SYS_OPEN wants. Empty at its end. */
static char *take_word(char **rest)
{
	char *word = *rest;
	char *end = strchr(word, ' ');

	*rest = end ? end + 1 : word + strlen(word);
	if (end)
		*end = '\0';
	return word;
}

/* Whether the flash holds what the image does; what it does not hold yet is programmed if asked. */
static bool match(uint16_t page, bool program, bool *same)
{
	uint32_t part[16];

	*same = true;
	if (!seek(page * FLASH_PAGE_SIZE))
		return false;
	for (uint32_t at = page * FLASH_PAGE_SIZE; at < (page + 1u) * FLASH_PAGE_SIZE;
	     at += sizeof(part)) {
		if (!move(SYS_READ, part, sizeof(part)))
			return false;
		for (uint32_t i = 0; i < 16 && program; i++)
			if (part[i] != UINT32_MAX)
				flash_program(at + i * 4, part[i]);
		*same = *same && memcmp(flash_at(at), part, sizeof(part)) == 0;
	}
	return true;
}

static bool restore(void)
{
	bool same = true;

	for (uint16_t page = 0; page < FLASH_PAGE_COUNT && same; page++) {
		if (!match(page, false, &same))
			return false;
		if (same)
			continue;
		flash_erase(page);
		if (!match(page, true, &same))
			return false;
	}
	return same;
}

/* The words are: a name, the image's path and, if there is one, the seed. */
void host_open(void)
{
	char *rest = line;
	const char *path;

	call(SYS_GET_CMDLINE, (const uint32_t[]){address(line), sizeof(line)});
	take_word(&rest);
	path = take_word(&rest);
	seed = take_word(&rest);
	image = call(SYS_OPEN, (const uint32_t[]){address(path), OPEN_READ_WRITE, strlen(path)});
	if (image < 0 || !restore())
		host_end(HOST_NO_IMAGE);
}

/* One byte a call: each may be the last one. */
static bool write_through(uint32_t offset, const uint8_t *bytes, size_t len)
{
	if (!seek(offset))
		return false;
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = bytes[i];

		if (!move(SYS_WRITE, &byte, 1))
			return false;
	}
	return true;
}

bool host_program(uint32_t offset, uint32_t word)
{
	const uint32_t after = *flash_at(offset) & word;

	return write_through(offset, (const uint8_t *)&after, sizeof(after));
}

bool host_erase(uint16_t page)
{
	static const uint8_t blank[16] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
					  0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

	if (!seek(page * FLASH_PAGE_SIZE))
		return false;
	for (uint32_t done = 0; done < FLASH_PAGE_SIZE; done += sizeof(blank)) {
		uint8_t part[sizeof(blank)];

		memcpy(part, blank, sizeof(part));
		if (!move(SYS_WRITE, part, sizeof(part)))
			return false;
	}
	return true;
}

struct bytes host_seed(void)
{
	return bytes_of((const uint8_t *)seed, strlen(seed));
}

_Noreturn void host_end(enum host_end why)
{
	call(SYS_EXIT_EXTENDED, (const uint32_t[]){STOPPED_BY_EXIT, (uint32_t)why});
	for (;;)
		__asm volatile("wfi");
}
