/* The journal and images made by hand: every sum is right, and what they say is not. */
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

/* A frame with a right CRC and a body that no journal writes. */
static void refuse_body(uint16_t kind, const void *body, uint16_t len)
{
	struct flash_sim sim;
	uint32_t at = FORGE_FRAMES;

	flash_sim_init(&sim, 2048, 3);
	forge_page(&sim, 0, 0);
	if (kind == FORGE_COMMIT)
		at = forge_frame(&sim, 0, at, FORGE_COPY, NULL, 0);
	forge_frame(&sim, 0, at, kind, body, len);
	assert_refused(&sim, JOURNAL_CORRUPT);
	flash_sim_free(&sim);
}

static void test_malformed_records_are_refused(void **state)
{
	static const uint8_t huge[4 + 1284] = {1, 0, 1281 >> 8, 1281 & 255};

	(void)state;
	refuse_body(FORGE_COMMIT, "\x40\0\0\0", 4);         /* no such id */
	refuse_body(FORGE_COMMIT, "\x01\x02\0\0", 4);       /* no such flag */
	refuse_body(FORGE_COMMIT, "\x01\x01\0\x04xxxx", 8); /* removed, with a value */
	refuse_body(FORGE_COMMIT, "\x01\0\0\x05xxxx", 8);   /* longer than the frame */
	refuse_body(FORGE_COMMIT, "\x01\0\xFF\xFFxxxx", 8);
	refuse_body(FORGE_COMMIT, huge, sizeof(huge));
	refuse_body(FORGE_COPY, "\x01\x01\0\0", 4); /* copies of nothing */
}

static void test_misplaced_frames_are_refused(void **state)
{
	struct flash_sim sim;
	uint32_t at;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	forge_page(&sim, 0, 0);
	forge_frame(&sim, 0, FORGE_FRAMES, FORGE_COMMIT, NULL, 0);
	assert_refused(&sim, JOURNAL_CORRUPT);
	forge_page(&sim, 0, 0);
	at = forge_frame(&sim, 0, FORGE_FRAMES, FORGE_COPY, NULL, 0);
	forge_frame(&sim, 0, at, FORGE_COPY, NULL, 0);
	assert_refused(&sim, JOURNAL_CORRUPT);
	/* A page that says nothing but its header, and one that its successor says was empty. */
	forge_page(&sim, 0, 0);
	memset(forge_page_at(&sim, 1), 0x55, 1);
	assert_refused(&sim, JOURNAL_CORRUPT);
	forge_page(&sim, 1, FORGE_FRAMES);
	forge_frame(&sim, 1, FORGE_FRAMES, FORGE_COPY, NULL, 0);
	assert_refused(&sim, JOURNAL_CORRUPT);
	/* A header out of place, in a page that would not count. */
	forge_page(&sim, 0, 0);
	at = forge_frame(&sim, 0, FORGE_FRAMES, FORGE_COPY, NULL, 0);
	forge_page(&sim, 2, at);
	put_be32(forge_page_at(&sim, 2) + 12, 1);
	forge_seal_page(forge_page_at(&sim, 2));
	memset(forge_page_at(&sim, 1), 0xFF, 2048);
	assert_refused(&sim, JOURNAL_CORRUPT);
	/* A number that can have no successor. */
	flash_sim_free(&sim);
	flash_sim_init(&sim, 2048, 4);
	forge_page(&sim, UINT32_MAX, FORGE_FRAMES + 16);
	forge_frame(&sim, UINT32_MAX, FORGE_FRAMES, FORGE_COPY, NULL, 0);
	assert_refused(&sim, JOURNAL_CORRUPT);
	flash_sim_free(&sim);
}

/* What a cut leaves of a commit ends where its header says: a value that is itself a whole frame
 * for this very place is not one, and anything behind the end is not of a cut. */
static void test_torn_frames_are_believed_in_their_length(void **state)
{
	struct flash_sim sim;
	struct journal journal;
	static const uint8_t body[32];
	uint8_t inner[24];
	uint32_t at, end;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	forge_page(&sim, 0, 0);
	at = forge_frame(&sim, 0, FORGE_FRAMES, FORGE_COPY, NULL, 0);
	forge_frame(&sim, 0, at + 16, FORGE_COMMIT, "\x01\0\0\x04xxxx", 8);
	memcpy(inner, forge_page_at(&sim, 0) + at + 16, sizeof(inner));
	memset(forge_page_at(&sim, 0) + at, 0, 16);
	end = forge_frame(&sim, 0, at, FORGE_COMMIT, body, sizeof(body));
	memcpy(forge_page_at(&sim, 0) + at + 16, inner, sizeof(inner));
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	assert_int_equal(journal.at[1], 0);
	forge_page_at(&sim, 0)[end + 8] = 0x7F;
	assert_refused(&sim, JOURNAL_CORRUPT);
	forge_page_at(&sim, 0)[end + 8] = 0xFF;
	/* The same behind the copies of a page that was being opened. */
	forge_page(&sim, 1, at);
	end = forge_frame(&sim, 1, FORGE_FRAMES, FORGE_COPY, "\x01\0\0\x04xxxx", 8);
	forge_page_at(&sim, 1)[end - 1] ^= 1;
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	forge_page_at(&sim, 1)[end + 8] = 0x7F;
	assert_refused(&sim, JOURNAL_CORRUPT);
	flash_sim_free(&sim);
}

/* A length that is none, or leads out of the last page. flash_sim ends the test if it is followed.
 */
static void test_lengths_that_are_none(void **state)
{
	struct flash_sim sim;
	struct journal journal;
	uint32_t at;
	uint8_t *page;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	for (uint32_t sequence = 1; sequence < 3; sequence++) {
		forge_page(&sim, sequence, FORGE_FRAMES + 16);
		at = forge_frame(&sim, sequence, FORGE_FRAMES, FORGE_COPY, NULL, 0);
	}
	page = forge_page_at(&sim, 2);
	forge_frame(&sim, 2, at, FORGE_COMMIT, "\x01\0\0\0\0\0", 6);
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	assert_int_equal(journal.at[1], 0);
	put_be32(page + at, (uint32_t)FORGE_COMMIT << 16 | 32000);
	put_be32(page + at + 4, ~get_be32(page + at));
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	assert_int_equal(journal.head_used, 2048);
	put_be32(page + FORGE_FRAMES, (uint32_t)FORGE_COPY << 16 | 32000);
	put_be32(page + FORGE_FRAMES + 4, ~get_be32(page + FORGE_FRAMES));
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_CORRUPT);
	flash_sim_free(&sim);
}

/* The last number that a page can have is the end of the journal, and not its beginning. */
static void test_out_of_numbers(void **state)
{
	static const uint8_t value[1000];
	const struct journal_write write = {1, {value, sizeof(value)}};
	struct flash_sim sim;
	struct journal journal;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	for (uint32_t sequence = UINT32_MAX - 2; sequence < UINT32_MAX; sequence++) {
		forge_page(&sim, sequence, FORGE_FRAMES + 16);
		forge_frame(&sim, sequence, FORGE_FRAMES, FORGE_COPY, NULL, 0);
	}
	forge_done(&sim);
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_OK);
	assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_FULL);
	assert_int_equal(journal_scrub(&journal), JOURNAL_FULL);
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	flash_sim_free(&sim);
}

/* An image that holds more than any journal lets in: read, and refused room, but not damaged. */
static void test_overfull_image(void **state)
{
	static uint8_t body[2000];
	struct journal_write write = {63, {body, 1}};
	struct flash_sim sim;
	struct journal journal;
	uint8_t value[4];
	size_t len;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	for (uint32_t sequence = 0; sequence < 2; sequence++) {
		for (uint32_t i = 0; i < 20; i++) {
			body[i * 100] = (uint8_t)(sequence * 20 + i);
			put_be16(body + i * 100 + 2, 96);
		}
		forge_page(&sim, sequence, sequence == 0 ? 0 : FORGE_FRAMES + 2016);
		forge_frame(&sim, sequence, FORGE_FRAMES, FORGE_COPY, body, 2000);
	}
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_FULL);
	/* Removals are let in as soon as they bring it within bounds, and here find no room. */
	for (uint8_t id = 0; id < 20; id++) {
		struct journal_write removals[20];

		for (uint8_t i = 0; i <= id; i++)
			removals[i] = (struct journal_write){i, {NULL, 0}};
		assert_int_equal(journal_commit(&journal, removals, id + 1u), JOURNAL_FULL);
	}
	assert_int_equal(journal_read(&journal, 39, value, sizeof(value), &len), JOURNAL_TOO_SMALL);
	assert_int_equal(len, 96);
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	flash_sim_free(&sim);
}

/* Memory that changes under a mounted journal is not copied on as if it were sound. */
static void test_memory_changed_while_mounted(void **state)
{
	static const uint8_t value[600] = {1};
	struct journal_write write = {1, {value, sizeof(value)}};
	struct flash_sim sim;
	struct journal journal;
	uint8_t out[sizeof(value)];
	uint8_t *header;
	size_t len;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	for (write.id = 1; write.id < 3; write.id++)
		assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_OK);
	header = sim.memory + journal.at[1] * 4;
	header[0] = 3;
	assert_int_equal(journal_read(&journal, 1, out, sizeof(out), &len), JOURNAL_IO);
	header[0] = 1;
	header[1] = 1;
	assert_int_equal(journal_read(&journal, 1, out, sizeof(out), &len), JOURNAL_IO);
	header[1] = 0;
	put_be16(header + 2, 0xFFFF);
	assert_int_equal(journal_read(&journal, 1, out, sizeof(out), &len), JOURNAL_IO);
	assert_int_equal(journal_scrub(&journal), JOURNAL_IO);
	put_be16(header + 2, 1280);
	header = sim.memory + journal.at[2] * 4;
	put_be16(header + 2, 1280);
	assert_int_equal(journal_scrub(&journal), JOURNAL_IO);
	flash_sim_free(&sim);
}

/*
 * A used image with bytes altered at random and right CRCs under them: whatever the frames then
 * say, the mount ends, reads nothing outside the memory (flash_sim sees to that) and writes
 * nothing.
 */
static void test_random_bodies(void **state)
{
	static const struct model_shape shape = {12, 3, 60, 200};
	static struct model_commit commit;
	struct flash_sim sim;
	struct journal used, journal;
	struct flash_sim_image *image;
	unsigned long mounted = 0, refused = 0;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	assert_int_equal(journal_open(&used, &sim.port), JOURNAL_OK);
	while (used.sequence < 4 || used.head_end < 1500) {
		model_draw(&commit, &sim, &shape);
		assert_int_equal(journal_commit(&used, commit.writes, commit.count), JOURNAL_OK);
	}
	image = flash_sim_snapshot(&sim);
	for (unsigned i = 0; i < 10000; i++) {
		uint32_t sequence = used.sequence - flash_sim_chance(&sim, 2);
		uint8_t *page = forge_page_at(&sim, sequence);
		enum journal_result result;

		flash_sim_restore(&sim, image);
		for (uint32_t at = FORGE_FRAMES; at < 1400; at += forge_frame_size(page + at)) {
			uint32_t body = get_be16(page + at + 2);
			uint32_t byte = at + 8 + flash_sim_chance(&sim, body < 12 ? body : 12);

			if (body == 0 || flash_sim_chance(&sim, 16) != 0)
				continue;
			page[byte] = (uint8_t)flash_sim_chance(&sim, 256);
			forge_seal_frame(&sim, sequence, at);
		}
		flash_sim_reset_counts(&sim);
		result = journal_open(&journal, &sim.port);
		assert_int_equal(sim.counts.operations, 0);
		if (result != JOURNAL_OK)
			assert_int_equal(result, JOURNAL_CORRUPT);
		*(result == JOURNAL_OK ? &mounted : &refused) += 1;
	}
	print_message("# random bodies: %lu mounted, %lu refused\n", mounted, refused);
	assert_true(mounted > 100 && refused > 100);
	flash_sim_image_free(image);
	flash_sim_free(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_malformed_records_are_refused),
		cmocka_unit_test(test_misplaced_frames_are_refused),
		cmocka_unit_test(test_torn_frames_are_believed_in_their_length),
		cmocka_unit_test(test_lengths_that_are_none),
		cmocka_unit_test(test_out_of_numbers),
		cmocka_unit_test(test_overfull_image),
		cmocka_unit_test(test_memory_changed_while_mounted),
		cmocka_unit_test(test_random_bodies),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
