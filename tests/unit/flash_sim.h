/*
 * A simulated NOR flash behind a struct port: the memory under every test of the core.
 *
 * Owns the memory, its state and a random source of its own; the same seed gives the same run. It
 * enforces port.h: a call that breaks the contract (a range across pages, a unit programmed twice,
 * a page that does not exist) ends the program with a message, for no test may pass with it.
 *
 * Power is cut at the n-th operation (program, erase or sync, counted together) that follows; that
 * operation is left undone or torn. From then on every call fails until flash_sim_power_on().
 *
 *	struct flash_sim sim;
 *
 *	flash_sim_init(&sim, 4096, 8);
 *	flash_sim_cut(&sim, 3, FLASH_SIM_TORN_BYTES);
 *	result = applet_open(&applet, &sim.port);
 *	flash_sim_power_on(&sim);
 *	...
 *	flash_sim_free(&sim);
 *
 * The port points back into its struct flash_sim, which must therefore stay where it is.
 */
#ifndef SIMTIE_TESTS_FLASH_SIM_H
#define SIMTIE_TESTS_FLASH_SIM_H

#include "port.h"

/* The operations that change memory, as bits, for flash_sim_fail(). */
#define FLASH_SIM_PROGRAM 1u
#define FLASH_SIM_ERASE   2u
#define FLASH_SIM_SYNC    4u
#define FLASH_SIM_READ    8u

/* What the operation at which power is cut (or which fails) leaves of its work. */
enum flash_sim_torn {
	FLASH_SIM_UNDONE,      /* nothing */
	FLASH_SIM_TORN_PREFIX, /* the first bytes, as many as chance says, none to all */
	FLASH_SIM_TORN_SUFFIX, /* the last bytes */
	FLASH_SIM_TORN_BYTES,  /* a random set of bytes */
	FLASH_SIM_TORN_BITS,   /* a random set of bits */
	FLASH_SIM_DONE,        /* all: only the answer is lost */
};
#define FLASH_SIM_TORN_COUNT 6

/* How random() behaves. */
enum flash_sim_random {
	FLASH_SIM_RANDOM_GOOD,
	FLASH_SIM_RANDOM_STUCK,   /* gives one and the same byte for ever */
	FLASH_SIM_RANDOM_FAILING, /* returns false */
};

struct flash_sim_counts {
	unsigned long reads;
	unsigned long programs;
	unsigned long erases;
	unsigned long syncs;
	unsigned long operations; /* programs + erases + syncs */
	unsigned long bytes_read;
	unsigned long bytes_programmed;
	unsigned long alive;
	unsigned long randoms;
};

/* An operation since the last sync, kept so that a power cut may lose it. */
struct flash_sim_pending {
	uint32_t offset;
	uint32_t len;
	uint8_t *data; /* NULL: an erase */
};

struct flash_sim {
	struct port port; /* what the code under test gets; a test may alter its members */

	/* Free to set and read between calls. */
	enum flash_sim_random random;
	bool lose_unsynced; /* it is a file: a cut may also lose, in whole or in part, any operation
			     * that no sync() followed, in any order */
	struct flash_sim_counts counts;
	uint8_t *memory;       /* size bytes, as read() would give them */
	unsigned long *erases; /* how often each page was erased */
	size_t size;

	/* Private. */
	uint16_t page_count;
	bool *programmed; /* one for each unit of PORT_PROGRAM_UNIT bytes */
	bool off;
	uint64_t chance; /* state of the generator that draws torn mixtures */
	uint64_t noise;  /* state of the generator behind random() */
	unsigned long cut_in;
	enum flash_sim_torn cut_torn;
	unsigned fail_kinds;
	unsigned long fail_in;
	unsigned long fail_times;
	enum flash_sim_torn fail_torn;
	uint8_t *synced; /* memory as of the last sync, kept if lose_unsynced */
	struct flash_sim_pending *pending;
	size_t pending_count;
};

/* Memory and wear at one moment. */
struct flash_sim_image;

/* Blank memory of page_count pages of page_size bytes, power on, nothing armed, seed 1. */
void flash_sim_init(struct flash_sim *sim, uint32_t page_size, uint16_t page_count);
void flash_sim_free(struct flash_sim *sim);

/* Restarts both random generators. */
void flash_sim_seed(struct flash_sim *sim, uint64_t seed);

/*
 * Cuts power at the n-th operation from now, n from 1; n = 0 disarms. flash_sim_is_off() tells
 * whether it has come to that. A cut at a sync() has no mixture: it has taken place
 * (FLASH_SIM_DONE) or not (all others).
 */
void flash_sim_cut(struct flash_sim *sim, unsigned long n, enum flash_sim_torn torn);
bool flash_sim_is_off(const struct flash_sim *sim);

/* Power returns; the cut is disarmed. The code under test must forget what it knew. */
void flash_sim_power_on(struct flash_sim *sim);

/*
 * Lets `times` calls fail, from the n-th (n from 1) of the given kinds on, without a power cut;
 * what a failed call leaves behind is as `torn` says. times = 0 disarms.
 */
void flash_sim_fail(struct flash_sim *sim, unsigned kinds, unsigned long n, unsigned long times,
		    enum flash_sim_torn torn);

/* Sets all counts to 0, but for the erases of each page. */
void flash_sim_reset_counts(struct flash_sim *sim);

/* The memory as it is now, to be freed by the caller; and back to it, power on, nothing armed. */
struct flash_sim_image *flash_sim_snapshot(const struct flash_sim *sim);
void flash_sim_restore(struct flash_sim *sim, const struct flash_sim_image *image);
void flash_sim_image_free(struct flash_sim_image *image);

/* Whether the memory holds exactly what it held then. */
bool flash_sim_unchanged(const struct flash_sim *sim, const struct flash_sim_image *image);

/* Whether `len` bytes stand anywhere in the memory, as seen by who desolders it. */
bool flash_sim_contains(const struct flash_sim *sim, const uint8_t *needle, size_t len);

/* A number below `bound` from the generator of torn mixtures, for tests that need chance too. */
uint32_t flash_sim_chance(struct flash_sim *sim, uint32_t bound);

#endif
