/*
 * A journal on simulated flash beside the model of what it must hold, for the tests that cut power
 * or let the port fail in the middle of a random life.
 *
 * Asserts by itself what must hold after every mount.
 */
#ifndef SIMTIE_TESTS_JOURNAL_BENCH_H
#define SIMTIE_TESTS_JOURNAL_BENCH_H

#include "journal_model.h"

struct bench {
	struct flash_sim sim;
	struct journal journal;
	struct model model;
	struct model after; /* the model once `commit` is carried out */
	struct model_commit commit;
};

/* The lives: on which memory, how commits are drawn, how many are worth cutting one by one. */
#define BENCH_RUNS 5
extern const struct bench_run {
	uint32_t page_size;
	uint16_t page_count;
	struct model_shape shape;
	unsigned commits;
} bench_runs[BENCH_RUNS];

/* A new life: an open, empty journal. Its memory is freed by flash_sim_free(&bench->sim). */
void bench_init(struct bench *bench, size_t run, uint64_t seed);

/* Draws the next commit that fits. */
void bench_draw(struct bench *bench, size_t run);

/* Commits it. */
enum journal_result bench_commit(struct bench *bench);

/* Power returns: the image mounts without being written to, and is all old or all new. Tells
 * whether it is new. */
bool bench_reopen(struct bench *bench);

#endif
