/* The journal and damage: what no power cut does is refused, and left as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "journal_forge.h"
#include "journal_model.h"

/* Opens memory that must be refused, with this result and without a trace. */
static void assert_refused(struct flash_sim *sim, enum journal_result expected)
{
	struct flash_sim_image *image = flash_sim_snapshot(sim);
	struct journal journal;

	flash_sim_reset_counts(sim);
	assert_int_equal(journal_open(&journal, &sim->port), expected);
	assert_int_equal(sim->counts.operations, 0);
	assert_true(flash_sim_unchanged(sim, image));
	flash_sim_image_free(image);
}

/* A used journal, what it holds, and what it held before its newest commit. */
struct used {
	struct flash_sim sim;
	struct journal journal;
	struct model before;
	struct model model;
	uint32_t newest; /* where the newest frame begins, in bytes of the memory */
	uint32_t newest_end;
	bool turned; /* it is the first of its page, behind the copies */
};

static void make_used(struct used *used, uint32_t page_size, uint16_t page_count, unsigned commits)
{
	static const struct model_shape shape = {12, 3, 60, 200};
	static struct model_commit commit;
	uint32_t sequence;
	uint8_t *page;

	flash_sim_init(&used->sim, page_size, page_count);
	flash_sim_seed(&used->sim, commits);
	memset(&used->model, 0, sizeof(used->model));
	assert_int_equal(journal_open(&used->journal, &used->sim.port), JOURNAL_OK);
	for (unsigned i = 0; i < commits; i++) {
		used->before = used->model;
		model_draw(&commit, &used->sim, &shape);
		model_apply(&used->model, commit.writes, commit.count);
		/* The newest commit must make a difference, to be missed. */
		if (i + 1 == commits) {
			commit.writes[0].value = bytes_of((const uint8_t *)"newest", 6);
			model_apply(&used->model, commit.writes, 1);
		}
		used->newest = used->journal.head_end;
		sequence = used->journal.sequence;
		assert_int_equal(journal_commit(&used->journal, commit.writes, commit.count),
				 JOURNAL_OK);
		used->turned = used->journal.sequence != sequence;
	}
	page = forge_page_at(&used->sim, used->journal.sequence);
	if (used->turned)
		used->newest = FORGE_FRAMES + forge_frame_size(page + FORGE_FRAMES);
	used->newest += used->journal.head * page_size;
	used->newest_end = used->journal.head * page_size + used->journal.head_end;
}

/* What may come of a flipped bit. */
enum fate {
	SAME,    /* it stands where nothing counts */
	REFUSED, /* JOURNAL_CORRUPT */
	NEWEST,  /* the newest commit is lost, as if power had been cut, or it is refused */
	FREE,    /* same or refused: what a cut left in a page not yet open */
};

/* What journal.md says of the byte at this offset, `opening` if a page was being opened. */
static enum fate fate_of(struct used *used, uint32_t offset, bool opening)
{
	const struct port *port = &used->sim.port;
	const struct journal *journal = &used->journal;
	uint32_t page = offset / port->page_size;
	uint32_t within = offset % port->page_size;
	uint32_t behind = (journal->head + port->page_count - page) % port->page_count;
	uint32_t end = used->newest_end % port->page_size;

	if (behind == port->page_count - 1u || behind > journal->sequence)
		return opening && behind == port->page_count - 1u ? FREE : SAME;
	if (offset >= used->newest && offset < used->newest_end)
		return NEWEST;
	if (behind > 0 && within >= FORGE_MARK && within < FORGE_FRAMES)
		return SAME;
	if (behind > 0)
		end = get_be32(forge_page_at(&used->sim, journal->sequence - behind + 1) + 16);
	return within < end ? REFUSED : SAME;
}

/* Flips each bit (or one in each byte) of an image, one at a time. */
static void flip_all(struct used *used, bool every_bit, bool opening)
{
	struct flash_sim *sim = &used->sim;
	struct flash_sim_image *image = flash_sim_snapshot(sim);
	unsigned long fates[FREE + 1] = {0};

	for (size_t bit = 0; bit < sim->size * 8; bit++) {
		enum fate fate = fate_of(used, (uint32_t)(bit / 8), opening);
		enum journal_result result;
		struct journal journal;

		if (!every_bit && flash_sim_chance(sim, 8))
			continue;
		fates[fate]++;
		sim->memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
		flash_sim_reset_counts(sim);
		result = journal_open(&journal, &sim->port);
		assert_int_equal(sim->counts.operations, 0);
		if (result == JOURNAL_OK)
			assert_true(model_matches(fate == NEWEST ? &used->before : &used->model,
						  &journal));
		else
			assert_int_equal(result, JOURNAL_CORRUPT);
		if (fate == SAME)
			assert_int_equal(result, JOURNAL_OK);
		if (fate == REFUSED)
			assert_int_equal(result, JOURNAL_CORRUPT);
		sim->memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(flash_sim_unchanged(sim, image));
	}
	print_message(
		"# flips: %lu harmless, %lu refused, %lu newest, %lu in a page being opened\n",
		fates[SAME], fates[REFUSED], fates[NEWEST], fates[FREE]);
	assert_true(fates[REFUSED] > 0 && fates[SAME] > 0);
	flash_sim_image_free(image);
}

static void test_every_flip_of_a_used_image(void **state)
{
	static struct used used;

	(void)state;
	make_used(&used, 2048, 3, 97);
	assert_true(used.journal.sequence > 3);
	flip_all(&used, true, false);
	flash_sim_free(&used.sim);
}

/* In the first round of the ring, and with the newest commit just behind the copies. */
static void test_flips_of_other_images(void **state)
{
	static struct used used;
	unsigned commits = 50;

	(void)state;
	make_used(&used, 2048, 4, 30);
	assert_true(used.journal.sequence == 1);
	flip_all(&used, false, false);
	do {
		flash_sim_free(&used.sim);
		make_used(&used, 2048, 4, ++commits);
	} while (!used.turned);
	flip_all(&used, false, false);
	flash_sim_free(&used.sim);
}

/* After a scrub the head holds copies alone, and there is no older page to fall back on. */
static void test_flips_of_a_scrubbed_image(void **state)
{
	static struct used used;

	(void)state;
	make_used(&used, 2048, 3, 50);
	assert_int_equal(journal_scrub(&used.journal), JOURNAL_OK);
	used.newest = used.newest_end = used.journal.head * 2048u + used.journal.head_end;
	flip_all(&used, false, false);
	flash_sim_free(&used.sim);
}

/* Power went while a page was being opened: the old head counts, and all behind it. */
static void test_flips_of_an_image_cut_while_opening(void **state)
{
	static const uint8_t value[1000] = {1};
	const struct journal_write write = {1, {value, sizeof(value)}};
	static struct used used;

	(void)state;
	for (unsigned long n = 1; n <= 5; n++) { /* erase, sync, header, sync, copies */
		uint32_t sequence;

		make_used(&used, 2048, 3, 97);
		sequence = used.journal.sequence;
		used.journal.head_used = 2048; /* the next commit must turn the page */
		flash_sim_cut(&used.sim, n, FLASH_SIM_TORN_BYTES);
		assert_int_equal(journal_commit(&used.journal, &write, 1), JOURNAL_IO);
		flash_sim_power_on(&used.sim);
		assert_int_equal(journal_open(&used.journal, &used.sim.port), JOURNAL_OK);
		assert_int_equal(used.journal.sequence, sequence);
		flip_all(&used, false, true);
		flash_sim_free(&used.sim);
	}
}

/* Whole pages lost, zeroed, or mistaken for one another; the newest too, though the older ones are
 * then just what they were before it was opened. */
static void test_lost_pages(void **state)
{
	static const unsigned commits[] = {30, 60, 200};
	static struct used used;
	static uint8_t other[2048];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		make_used(&used, 2048, 4, commits[i]);
		for (uint32_t behind = 0; behind < 3 && behind <= used.journal.sequence; behind++) {
			uint32_t sequence = used.journal.sequence - behind;
			struct flash_sim_image *image = flash_sim_snapshot(&used.sim);
			uint8_t *page = forge_page_at(&used.sim, sequence);
			uint8_t *next = forge_page_at(&used.sim, sequence + 1);

			memset(page, 0xFF, 2048);
			assert_refused(&used.sim, JOURNAL_CORRUPT);
			memset(page, 0, 2048);
			assert_refused(&used.sim, JOURNAL_CORRUPT);
			memcpy(page, next, 2048);
			assert_refused(&used.sim, JOURNAL_CORRUPT);
			flash_sim_restore(&used.sim, image);
			put_be32(page + 12, sequence - 4); /* from a round ago */
			forge_seal_page(page);
			assert_refused(&used.sim, JOURNAL_CORRUPT);
			flash_sim_restore(&used.sim, image);
			memcpy(other, next, 2048);
			memcpy(next, page, 2048);
			memcpy(page, other, 2048);
			assert_refused(&used.sim, JOURNAL_CORRUPT);
			flash_sim_restore(&used.sim, image);
			flash_sim_image_free(image);
		}
		flash_sim_free(&used.sim);
	}
}

/* Cut just before the old head gets the mark of a successor: a newest page without its header is
 * still missed. */
static void test_lost_header_without_the_mark(void **state)
{
	static const uint8_t value[1000] = {1};
	const struct journal_write write = {1, {value, sizeof(value)}};
	static struct used used;
	uint8_t *page;

	(void)state;
	make_used(&used, 2048, 4, 97);
	used.journal.head_used = 2048;
	for (unsigned long n = 6;; n++) { /* behind the copies, of which there are some */
		struct flash_sim_image *image = flash_sim_snapshot(&used.sim);
		struct journal before = used.journal;

		flash_sim_cut(&used.sim, n, FLASH_SIM_UNDONE);
		assert_int_equal(journal_commit(&used.journal, &write, 1), JOURNAL_IO);
		flash_sim_power_on(&used.sim);
		assert_int_equal(journal_open(&used.journal, &used.sim.port), JOURNAL_OK);
		if (used.journal.sequence > before.sequence) {
			flash_sim_image_free(image);
			break;
		}
		flash_sim_restore(&used.sim, image);
		flash_sim_image_free(image);
		used.journal = before;
	}
	assert_int_equal(journal_commit(&used.journal, &write, 1), JOURNAL_OK);
	page = forge_page_at(&used.sim, used.journal.sequence - 1);
	for (size_t i = FORGE_MARK; i < FORGE_FRAMES; i++)
		assert_int_equal(page[i], 0xFF);
	page = forge_page_at(&used.sim, used.journal.sequence);
	for (unsigned bit = 0; bit < FORGE_MARK * 8; bit++) {
		page[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_refused(&used.sim, JOURNAL_CORRUPT);
		page[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(journal_open(&used.journal, &used.sim.port), JOURNAL_OK);
	flash_sim_free(&used.sim);
}

static void test_memory_that_is_not_ours(void **state)
{
	struct flash_sim sim;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	memset(sim.memory, 0, sim.size);
	assert_refused(&sim, JOURNAL_CORRUPT);
	for (size_t i = 0; i < sim.size; i++)
		sim.memory[i] = (uint8_t)flash_sim_chance(&sim, 256);
	assert_refused(&sim, JOURNAL_CORRUPT);
	memset(sim.memory, 0xFF, sim.size);
	memcpy(sim.memory, "something short", 15);
	assert_refused(&sim, JOURNAL_CORRUPT);
	memset(sim.memory, 0xFF, sim.size);
	sim.memory[sim.size - 1] = 0x7F;
	assert_refused(&sim, JOURNAL_CORRUPT);
	sim.memory[sim.size - 1] = 0xFF;
	sim.memory[FORGE_FRAMES + 16] = 0x7F;
	assert_refused(&sim, JOURNAL_CORRUPT);
	flash_sim_free(&sim);
}

static void test_other_version_is_unknown(void **state)
{
	static struct used used;

	(void)state;
	make_used(&used, 2048, 3, 97);
	for (uint16_t page = 0; page < 3; page++) {
		uint8_t *header = used.sim.memory + page * 2048;

		put_be16(header + 4, 2);
		forge_seal_page(header);
		assert_refused(&used.sim, JOURNAL_UNKNOWN);
		put_be16(header + 4, 1);
		forge_seal_page(header);
	}
	flash_sim_free(&used.sim);
}

/* The image of one geometry under a port of another: cut short, grown, in greater or lesser pages.
 */
static void test_other_geometry_is_unknown(void **state)
{
	static const struct {
		uint32_t page_size;
		uint16_t page_count;
	} others[] = {{2048, 15}, {2048, 3}, {2048, 17}, {4096, 8}, {4096, 16}, {32768, 3}};
	static struct used used;

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct flash_sim sim;

		make_used(&used, 2048, 16, 900);
		assert_true(used.journal.sequence > 16);
		flash_sim_init(&sim, others[i].page_size, others[i].page_count);
		memcpy(sim.memory, used.sim.memory,
		       sim.size < used.sim.size ? sim.size : used.sim.size);
		assert_refused(&sim, JOURNAL_UNKNOWN);
		flash_sim_free(&sim);
		flash_sim_free(&used.sim);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_flip_of_a_used_image),
		cmocka_unit_test(test_flips_of_other_images),
		cmocka_unit_test(test_flips_of_a_scrubbed_image),
		cmocka_unit_test(test_flips_of_an_image_cut_while_opening),
		cmocka_unit_test(test_lost_pages),
		cmocka_unit_test(test_lost_header_without_the_mark),
		cmocka_unit_test(test_memory_that_is_not_ours),
		cmocka_unit_test(test_other_version_is_unknown),
		cmocka_unit_test(test_other_geometry_is_unknown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
