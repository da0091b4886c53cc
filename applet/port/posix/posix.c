#include "posix.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "../../crypto/crypto.h"
#include "posix_error.h"
#include "state_file.h"
#include "test_issuer.h"

static bool in_image(uint32_t offset, size_t len)
{
	return offset <= POSIX_IMAGE_SIZE && len <= POSIX_IMAGE_SIZE - offset;
}

static bool posix_read(void *context, uint32_t offset, uint8_t *out, size_t len)
{
	const struct posix_port *posix = context;

	if (!in_image(offset, len))
		return false;
	memcpy(out, posix->image + offset, len);
	return true;
}

/* Whether real flash would take these units: blank ones. Flash with error correction cannot program
 * a unit twice; a core that does shall fail here first. */
static bool blank(const uint8_t *units, size_t len)
{
	uint8_t all = 0xFF;

	for (size_t i = 0; i < len; i++)
		all &= units[i];
	return all == 0xFF;
}

static bool posix_program(void *context, uint32_t offset, const uint8_t *data, size_t len)
{
	struct posix_port *posix = context;

	if (offset % PORT_PROGRAM_UNIT != 0 || len % PORT_PROGRAM_UNIT != 0 ||
	    !in_image(offset, len) || len > POSIX_PAGE_SIZE - offset % POSIX_PAGE_SIZE ||
	    !blank(posix->image + offset, len))
		return false;
	for (size_t i = 0; i < len; i++) {
		posix->image[offset + i] = data[i];
		posix->dirty |= data[i] != 0xFF;
	}
	return true;
}

static bool posix_erase(void *context, uint16_t page)
{
	struct posix_port *posix = context;
	uint8_t *bytes;

	if (page >= POSIX_PAGE_COUNT)
		return false;
	bytes = posix->image + page * POSIX_PAGE_SIZE;
	for (size_t i = 0; i < POSIX_PAGE_SIZE; i++) {
		posix->dirty |= bytes[i] != 0xFF;
		bytes[i] = 0xFF;
	}
	return true;
}

static bool posix_sync(void *context)
{
	struct posix_port *posix = context;

	if (posix->dirty && posix->file.lock >= 0 &&
	    state_file_save(&posix->file, &posix->error, posix->image) != POSIX_OK)
		return false;
	posix->dirty = false;
	return true;
}

static bool random_system(uint8_t *out, size_t len)
{
	while (len > 0) {
		ssize_t n = getrandom(out, len, 0);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			out += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static bool random_seeded(struct posix_port *posix, uint8_t *out, size_t len)
{
	uint8_t number[4], block[SHA256_SIZE];
	struct bytes part = {number, sizeof(number)};
	bool done = true;

	while (done && len > 0) {
		size_t n = len < sizeof(block) ? len : sizeof(block);

		put_be32(number, posix->blocks++);
		done = crypto_hmac(bytes_of(posix->seed, posix->seed_len), &part, 1, block);
		if (done)
			memcpy(out, block, n);
		out += n;
		len -= n;
	}
	bytes_wipe(block, sizeof(block));
	return done;
}

static bool posix_random(void *context, uint8_t *out, size_t len)
{
	struct posix_port *posix = context;

	return posix->port.seeded ? random_seeded(posix, out, len) : random_system(out, len);
}

static void posix_alive(void *context)
{
	(void)context; /* no watchdog here */
}

/* Fills in the port and gets blank memory. It is kept out of core files: it holds the keys. */
static enum posix_result prepare(struct posix_port *posix, struct bytes seed)
{
	*posix = (struct posix_port){
		.port = {.context = posix,
			 .page_size = POSIX_PAGE_SIZE,
			 .page_count = POSIX_PAGE_COUNT,
			 .read = posix_read,
			 .program = posix_program,
			 .erase = posix_erase,
			 .sync = posix_sync,
			 .random = posix_random,
			 .alive = posix_alive,
			 .debug_status = PORT_DEBUG_ENABLED,
			 .issuer = &test_issuer,
			 .seeded = seed.len > 0},
		.file = {.folder = -1, .lock = -1},
	};
	if (seed.len > POSIX_SEED_MAX)
		return posix_error_set(&posix->error, POSIX_SEED, 0, NULL,
				       "the seed is too long; 64 bytes is the most");
	if (seed.len > 0)
		memcpy(posix->seed, seed.ptr, seed.len);
	posix->seed_len = seed.len;
	if (!crypto_init())
		return posix_error_set(&posix->error, POSIX_CRYPTO, 0, NULL,
				       "the crypto library does not start");
	posix->image = mmap(NULL, POSIX_IMAGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (posix->image == MAP_FAILED) {
		posix->image = NULL;
		return posix_error_set(&posix->error, POSIX_MEMORY, errno, NULL,
				       "no memory for the card's memory");
	}
	/* Fails only where the kernel cannot write core files with gaps, and so needs none. */
	(void)madvise(posix->image, POSIX_IMAGE_SIZE, MADV_DONTDUMP);
	memset(posix->image, 0xFF, POSIX_IMAGE_SIZE);
	return POSIX_OK;
}

enum posix_result posix_port_memory(struct posix_port *posix, struct bytes seed)
{
	return prepare(posix, seed);
}

enum posix_result posix_port_file(struct posix_port *posix, const char *path, struct bytes seed,
				  enum posix_start start)
{
	enum posix_result result = prepare(posix, seed);

	if (result == POSIX_OK)
		result = state_file_open(&posix->file, &posix->error, path, posix->image, start);
	if (result == POSIX_OK)
		posix->error = (struct posix_error){.result = POSIX_OK};
	return result;
}

enum posix_result posix_port_factory(struct posix_port *posix)
{
	for (uint16_t page = 0; page < POSIX_PAGE_COUNT; page++)
		posix_erase(posix, page);
	posix->blocks = 0;
	return posix_sync(posix) ? POSIX_OK : posix->error.result;
}

void posix_port_close(struct posix_port *posix)
{
	if (posix->image) {
		bytes_wipe(posix->image, POSIX_IMAGE_SIZE);
		munmap(posix->image, POSIX_IMAGE_SIZE);
	}
	posix->image = NULL;
	bytes_wipe(posix->seed, sizeof(posix->seed));
	state_file_close(&posix->file);
}
