/*
 * What a journal must hold: a plain map from ids to values, against which the tests hold it.
 *
 * Owns copies of all values. Also draws the random commits of the workloads, and says by the
 * formula of journal.h alone whether a commit fits.
 */
#ifndef SIMTIE_TESTS_JOURNAL_MODEL_H
#define SIMTIE_TESTS_JOURNAL_MODEL_H

#include "flash_sim.h"
#include "journal.h"

#define MODEL_WRITES_MAX 6

struct model {
	bool present[JOURNAL_IDS];
	size_t len[JOURNAL_IDS];
	uint8_t value[JOURNAL_IDS][JOURNAL_VALUE_MAX];
};

/* A commit with its values. */
struct model_commit {
	size_t count;
	struct journal_write writes[MODEL_WRITES_MAX];
	uint8_t values[MODEL_WRITES_MAX][JOURNAL_VALUE_MAX];
};

/* Geometries from the smallest to the largest that port.h allows. */
#define MODEL_GEOMETRIES 7
extern const struct model_geometry {
	uint32_t page_size;
	uint16_t page_count;
} model_geometries[MODEL_GEOMETRIES];

/* How the values of a workload are drawn. */
struct model_shape {
	uint32_t ids;     /* ids 0 to ids - 1 are used */
	uint32_t writes;  /* at most so many in a commit */
	uint32_t usual;   /* most values have fewer bytes than this */
	uint32_t unusual; /* one in eight has up to this many */
};

/* Draws a commit; its values point into it, so it must stay where it is. */
void model_draw(struct model_commit *commit, struct flash_sim *sim,
		const struct model_shape *shape);

/* Carries a commit out on the model. */
void model_apply(struct model *model, const struct journal_write *writes, size_t count);

/* Whether the journal holds what the model does, no more and no less. */
bool model_matches(const struct model *model, const struct journal *journal);

/* Whether journal.h promises that the commit fits. */
bool model_fits(const struct model *model, const struct port *port,
		const struct journal_write *writes, size_t count);

#endif
