#include "journal_model.h"

#include <string.h>

const struct model_geometry model_geometries[MODEL_GEOMETRIES] = {
	{2048, 3}, {2048, 4}, {4096, 3}, {2048, 7}, {4096, 16}, {2048, 128}, {32768, 8}};

static void draw_value(struct flash_sim *sim, uint8_t *value, size_t len)
{
	uint32_t manner = flash_sim_chance(sim, 8);

	/* Blank and zero bytes in plenty: they are what torn memory looks like. */
	for (size_t i = 0; i < len; i++)
		value[i] = manner == 0   ? 0xFF
			   : manner == 1 ? 0x00
					 : (uint8_t)flash_sim_chance(sim, 256);
}

void model_draw(struct model_commit *commit, struct flash_sim *sim, const struct model_shape *shape)
{
	bool taken[JOURNAL_IDS] = {false};

	commit->count = 1 + flash_sim_chance(sim, shape->writes);
	for (size_t i = 0; i < commit->count; i++) {
		struct journal_write *write = &commit->writes[i];
		uint32_t most = flash_sim_chance(sim, 8) ? shape->usual : shape->unusual + 1;

		do {
			write->id = (uint8_t)flash_sim_chance(sim, shape->ids);
		} while (taken[write->id]);
		taken[write->id] = true;
		write->value = bytes_of(commit->values[i], flash_sim_chance(sim, most));
		draw_value(sim, commit->values[i], write->value.len);
		if (flash_sim_chance(sim, 6) == 0)
			write->value = bytes_of(NULL, 0);
	}
}

void model_apply(struct model *model, const struct journal_write *writes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t id = writes[i].id;

		model->present[id] = writes[i].value.ptr != NULL;
		if (!model->present[id])
			continue;
		model->len[id] = writes[i].value.len;
		memcpy(model->value[id], writes[i].value.ptr, writes[i].value.len);
	}
}

bool model_matches(const struct model *model, const struct journal *journal)
{
	uint8_t value[JOURNAL_VALUE_MAX];

	for (uint8_t id = 0; id < JOURNAL_IDS; id++) {
		size_t len = 0;
		enum journal_result result = journal_read(journal, id, value, sizeof(value), &len);

		if (result != (model->present[id] ? JOURNAL_OK : JOURNAL_ABSENT))
			return false;
		if (model->present[id] &&
		    (len != model->len[id] || memcmp(value, model->value[id], len) != 0))
			return false;
	}
	return true;
}

static size_t cost(size_t len)
{
	return 4 + (len + 3) / 4 * 4;
}

bool model_fits(const struct model *model, const struct port *port,
		const struct journal_write *writes, size_t count)
{
	size_t len[JOURNAL_IDS];
	bool present[JOURNAL_IDS];
	size_t commit = 0;
	size_t stored = 0;

	memcpy(len, model->len, sizeof(len));
	memcpy(present, model->present, sizeof(present));
	for (size_t i = 0; i < count; i++) {
		present[writes[i].id] = writes[i].value.ptr != NULL;
		len[writes[i].id] = writes[i].value.len;
		commit += writes[i].value.ptr == NULL ? 4 : cost(writes[i].value.len);
	}
	for (size_t id = 0; id < JOURNAL_IDS; id++)
		stored += present[id] ? cost(len[id]) : 0;
	return commit <= port->page_size - 60 &&
	       stored <= (port->page_count - 2) * (port->page_size - 44) -
				 (port->page_count - 3) * JOURNAL_VALUE_MAX;
}
