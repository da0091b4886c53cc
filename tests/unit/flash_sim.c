#include "flash_sim.h"

#include "../../applet/port/posix/test_issuer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIT PORT_PROGRAM_UNIT

struct flash_sim_image {
	size_t size;
	uint16_t page_count;
	unsigned long *erases;
	bool *programmed;
	uint8_t *memory;
};

static void refuse(const char *what, unsigned long offset, unsigned long len)
{
	fprintf(stderr, "flash_sim: %s (offset %lu, length %lu)\n", what, offset, len);
	abort();
}

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (memory == NULL) {
		fprintf(stderr, "flash_sim: out of memory\n");
		abort();
	}
	return memory;
}

/* splitmix64 */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9E3779B97F4A7C15u;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

uint32_t flash_sim_chance(struct flash_sim *sim, uint32_t bound)
{
	return (uint32_t)((draw(&sim->chance) >> 32) * bound >> 32);
}

/* Which bits of each byte a torn operation reached, one byte at a time, in order. */
static uint8_t reached(struct flash_sim *sim, enum flash_sim_torn torn, size_t i, size_t border)
{
	switch (torn) {
	case FLASH_SIM_UNDONE:
		return 0x00;
	case FLASH_SIM_TORN_PREFIX:
		return i < border ? 0xFF : 0x00;
	case FLASH_SIM_TORN_SUFFIX:
		return i < border ? 0x00 : 0xFF;
	case FLASH_SIM_TORN_BYTES:
		return draw(&sim->chance) >> 63 ? 0xFF : 0x00;
	case FLASH_SIM_TORN_BITS:
		return (uint8_t)(draw(&sim->chance) >> 56);
	case FLASH_SIM_DONE:
		return 0xFF;
	}
	return 0xFF;
}

static bool is_blank(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != 0xFF)
			return false;
	}
	return true;
}

/* Programs (data) or erases (NULL) a range, as far as `torn` lets it. A file (lose_unsynced) takes
 * what it is given, also where an erase was lost; flash only clears bits. */
static void change(struct flash_sim *sim, uint32_t offset, size_t len, const uint8_t *data,
		   enum flash_sim_torn torn)
{
	size_t border = flash_sim_chance(sim, (uint32_t)len + 1);

	for (size_t i = 0; i < len; i++) {
		uint8_t mask = reached(sim, torn, i, border);
		uint8_t *byte = &sim->memory[offset + i];

		if (data == NULL)
			*byte |= mask;
		else if (sim->lose_unsynced)
			*byte = (uint8_t)((*byte & ~mask) | (data[i] & mask));
		else
			*byte &= (uint8_t)(data[i] | ~mask);
	}
	/* A torn operation leaves a unit programmed if it can be seen to be. */
	for (size_t unit = offset / UNIT; unit < (offset + len) / UNIT; unit++)
		sim->programmed[unit] = (data != NULL && torn == FLASH_SIM_DONE) ||
					!is_blank(sim->memory + unit * UNIT, UNIT);
}

static void pending_forget(struct flash_sim *sim)
{
	for (size_t i = 0; i < sim->pending_count; i++)
		free(sim->pending[i].data);
	free(sim->pending);
	sim->pending = NULL;
	sim->pending_count = 0;
}

static void pending_note(struct flash_sim *sim, uint32_t offset, size_t len, const uint8_t *data)
{
	struct flash_sim_pending *pending;

	pending = realloc(sim->pending, (sim->pending_count + 1) * sizeof(*pending));
	if (pending == NULL)
		refuse("out of memory", offset, len);
	sim->pending = pending;
	pending += sim->pending_count++;
	*pending = (struct flash_sim_pending){offset, (uint32_t)len, NULL};
	if (data != NULL) {
		pending->data = allocate(len, 1);
		memcpy(pending->data, data, len);
	}
}

static void remember_synced(struct flash_sim *sim)
{
	pending_forget(sim);
	memcpy(sim->synced, sim->memory, sim->size);
}

/* Goes back to the last sync and repeats what chance lets survive of the operations since. */
static void lose_pending(struct flash_sim *sim)
{
	memcpy(sim->memory, sim->synced, sim->size);
	for (size_t i = 0; i < sim->pending_count; i++) {
		const struct flash_sim_pending *pending = &sim->pending[i];
		enum flash_sim_torn torn = FLASH_SIM_UNDONE;

		if (flash_sim_chance(sim, 2))
			torn = flash_sim_chance(sim, 2) ? FLASH_SIM_DONE : FLASH_SIM_TORN_BYTES;
		change(sim, pending->offset, pending->len, pending->data, torn);
	}
	remember_synced(sim);
}

/* Whether the call under way is the one to fail. */
static bool fails(struct flash_sim *sim, unsigned kind)
{
	if (sim->fail_times == 0 || !(sim->fail_kinds & kind))
		return false;
	if (sim->fail_in > 1) {
		sim->fail_in--;
		return false;
	}
	sim->fail_times--;
	return true;
}

/*
 * Memory that loses operations as lose_unsynced has it is a file, which knows no programmed units:
 * there, what reads as blank is blank.
 */
static void go_off(struct flash_sim *sim)
{
	sim->off = true;
	for (size_t unit = 0; sim->lose_unsynced && unit < sim->size / UNIT; unit++)
		sim->programmed[unit] = !is_blank(sim->memory + unit * UNIT, UNIT);
}

/* Counts an operation; true if power goes at this one. */
static bool cut_here(struct flash_sim *sim)
{
	sim->counts.operations++;
	return sim->cut_in != 0 && --sim->cut_in == 0;
}

/* Carries out a program or an erase, or what a cut or a failure leaves of it. */
static bool operate(struct flash_sim *sim, unsigned kind, uint32_t offset, size_t len,
		    const uint8_t *data)
{
	if (cut_here(sim)) {
		if (sim->lose_unsynced)
			lose_pending(sim);
		change(sim, offset, len, data, sim->cut_torn);
		go_off(sim);
		return false;
	}
	if (fails(sim, kind)) {
		/* Nothing more is known of the memory: what stands there now cannot be lost. */
		change(sim, offset, len, data, sim->fail_torn);
		if (sim->lose_unsynced)
			remember_synced(sim);
		return false;
	}
	change(sim, offset, len, data, FLASH_SIM_DONE);
	if (sim->lose_unsynced)
		pending_note(sim, offset, len, data);
	return true;
}

static bool sim_read(void *context, uint32_t offset, uint8_t *out, size_t len)
{
	struct flash_sim *sim = context;

	if (sim->off)
		return false;
	if (offset > sim->size || len > sim->size - offset)
		refuse("read outside the memory", offset, len);
	sim->counts.reads++;
	sim->counts.bytes_read += len;
	if (fails(sim, FLASH_SIM_READ))
		return false;
	memcpy(out, sim->memory + offset, len);
	return true;
}

static bool sim_program(void *context, uint32_t offset, const uint8_t *data, size_t len)
{
	struct flash_sim *sim = context;

	if (sim->off)
		return false;
	if (offset % UNIT || len % UNIT || len == 0)
		refuse("program out of step with the units", offset, len);
	if (offset >= sim->size || len > sim->size - offset)
		refuse("program outside the memory", offset, len);
	if (offset / sim->port.page_size != (offset + len - 1) / sim->port.page_size)
		refuse("program across a page's end", offset, len);
	for (size_t unit = offset / UNIT; unit < (offset + len) / UNIT; unit++) {
		if (sim->programmed[unit])
			refuse("a unit programmed twice", unit * UNIT, UNIT);
	}
	sim->counts.programs++;
	sim->counts.bytes_programmed += len;
	return operate(sim, FLASH_SIM_PROGRAM, offset, len, data);
}

static bool sim_erase(void *context, uint16_t page)
{
	struct flash_sim *sim = context;

	if (sim->off)
		return false;
	if (page >= sim->page_count)
		refuse("erase of a page that does not exist", page, sim->port.page_size);
	sim->counts.erases++;
	sim->erases[page]++;
	return operate(sim, FLASH_SIM_ERASE, page * sim->port.page_size, sim->port.page_size, NULL);
}

static bool sim_sync(void *context)
{
	struct flash_sim *sim = context;
	bool cut;

	if (sim->off)
		return false;
	sim->counts.syncs++;
	cut = cut_here(sim);
	if (cut && sim->cut_torn != FLASH_SIM_DONE && sim->lose_unsynced)
		lose_pending(sim);
	if (cut)
		go_off(sim);
	if (cut || fails(sim, FLASH_SIM_SYNC))
		return false;
	if (sim->lose_unsynced)
		remember_synced(sim);
	return true;
}

static bool sim_random(void *context, uint8_t *out, size_t len)
{
	struct flash_sim *sim = context;

	if (sim->off || sim->random == FLASH_SIM_RANDOM_FAILING)
		return false;
	sim->counts.randoms++;
	for (size_t i = 0; i < len; i++)
		out[i] = sim->random == FLASH_SIM_RANDOM_STUCK ? 0x55
							       : (uint8_t)(draw(&sim->noise) >> 56);
	return true;
}

static void sim_alive(void *context)
{
	struct flash_sim *sim = context;

	sim->counts.alive++;
}

void flash_sim_init(struct flash_sim *sim, uint32_t page_size, uint16_t page_count)
{
	memset(sim, 0, sizeof(*sim));
	sim->port = (struct port){
		.context = sim,
		.page_size = page_size,
		.page_count = page_count,
		.read = sim_read,
		.program = sim_program,
		.erase = sim_erase,
		.sync = sim_sync,
		.random = sim_random,
		.alive = sim_alive,
		.debug_status = PORT_DEBUG_ENABLED,
		.seeded = true,
		.issuer = &test_issuer,
	};
	sim->size = (size_t)page_size * page_count;
	sim->page_count = page_count;
	sim->memory = allocate(sim->size, 1);
	memset(sim->memory, 0xFF, sim->size);
	sim->programmed = allocate(sim->size / UNIT, sizeof(bool));
	sim->erases = allocate(page_count, sizeof(*sim->erases));
	sim->synced = allocate(sim->size, 1);
	remember_synced(sim);
	flash_sim_seed(sim, 1);
}

void flash_sim_free(struct flash_sim *sim)
{
	pending_forget(sim);
	free(sim->memory);
	free(sim->programmed);
	free(sim->erases);
	free(sim->synced);
	memset(sim, 0, sizeof(*sim));
}

void flash_sim_seed(struct flash_sim *sim, uint64_t seed)
{
	sim->chance = seed;
	sim->noise = ~seed;
}

void flash_sim_cut(struct flash_sim *sim, unsigned long n, enum flash_sim_torn torn)
{
	sim->cut_in = n;
	sim->cut_torn = torn;
	/* Nothing needs to be kept to be lost before a cut is armed. */
	if (sim->lose_unsynced)
		remember_synced(sim);
}

bool flash_sim_is_off(const struct flash_sim *sim)
{
	return sim->off;
}

void flash_sim_power_on(struct flash_sim *sim)
{
	sim->off = false;
	sim->cut_in = 0;
	remember_synced(sim);
}

void flash_sim_fail(struct flash_sim *sim, unsigned kinds, unsigned long n, unsigned long times,
		    enum flash_sim_torn torn)
{
	sim->fail_kinds = kinds;
	sim->fail_in = n;
	sim->fail_times = times;
	sim->fail_torn = torn;
}

void flash_sim_reset_counts(struct flash_sim *sim)
{
	memset(&sim->counts, 0, sizeof(sim->counts));
}

struct flash_sim_image *flash_sim_snapshot(const struct flash_sim *sim)
{
	struct flash_sim_image *image = allocate(1, sizeof(*image));

	image->size = sim->size;
	image->page_count = sim->page_count;
	image->memory = allocate(sim->size, 1);
	image->programmed = allocate(sim->size / UNIT, sizeof(bool));
	image->erases = allocate(sim->page_count, sizeof(*image->erases));
	memcpy(image->memory, sim->memory, sim->size);
	memcpy(image->programmed, sim->programmed, sim->size / UNIT * sizeof(bool));
	memcpy(image->erases, sim->erases, sim->page_count * sizeof(*image->erases));
	return image;
}

void flash_sim_restore(struct flash_sim *sim, const struct flash_sim_image *image)
{
	if (image->size != sim->size || image->page_count != sim->page_count)
		refuse("an image of another geometry", 0, image->size);
	memcpy(sim->memory, image->memory, sim->size);
	memcpy(sim->programmed, image->programmed, sim->size / UNIT * sizeof(bool));
	memcpy(sim->erases, image->erases, sim->page_count * sizeof(*image->erases));
	sim->fail_times = 0;
	flash_sim_power_on(sim);
}

void flash_sim_image_free(struct flash_sim_image *image)
{
	if (image == NULL)
		return;
	free(image->memory);
	free(image->programmed);
	free(image->erases);
	free(image);
}

bool flash_sim_unchanged(const struct flash_sim *sim, const struct flash_sim_image *image)
{
	return image->size == sim->size && memcmp(image->memory, sim->memory, sim->size) == 0;
}

bool flash_sim_contains(const struct flash_sim *sim, const uint8_t *needle, size_t len)
{
	for (size_t i = 0; i + len <= sim->size; i++) {
		if (memcmp(sim->memory + i, needle, len) == 0)
			return true;
	}
	return false;
}
