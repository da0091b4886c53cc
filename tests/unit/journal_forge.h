/*
 * Images of a journal made by hand, from journal.md alone: the layout once more, independently of
 * the code under test.
 *
 * Works straight on the memory of a flash_sim, past its rules. Refuses nothing: what the tests make
 * with it is mostly wrong on purpose.
 */
#ifndef SIMTIE_TESTS_JOURNAL_FORGE_H
#define SIMTIE_TESTS_JOURNAL_FORGE_H

#include "bytes.h"
#include "flash_sim.h"

#define FORGE_MARK   24 /* where a page bears the mark of a successor */
#define FORGE_FRAMES 32 /* where its frames begin */
#define FORGE_COPY   0x4350
#define FORGE_COMMIT 0x434D

/* The page that belongs to a sequence number. */
uint8_t *forge_page_at(struct flash_sim *sim, uint32_t sequence);

/* A blank page with a right header. */
void forge_page(struct flash_sim *sim, uint32_t sequence, uint32_t previous_end);

/* Puts the right CRC under a page header that was altered. */
void forge_seal_page(uint8_t *page);

/* Makes a whole frame with this body; the offset after it. */
uint32_t forge_frame(struct flash_sim *sim, uint32_t sequence, uint32_t offset, uint16_t kind,
		     const void *body, uint16_t len);

/* Bytes of the frame that stands here, and its right CRC put under it after it was altered. */
uint32_t forge_frame_size(const uint8_t *frame);
void forge_seal_frame(struct flash_sim *sim, uint32_t sequence, uint32_t offset);

/* Lets the simulated flash take what was forged for programmed. */
void forge_done(struct flash_sim *sim);

#endif
