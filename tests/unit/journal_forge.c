#include "journal_forge.h"

#include <string.h>

/* Bit by bit, as the standard defines it. */
static uint32_t crc_of(const uint8_t *bytes, size_t len)
{
	uint32_t crc = 0xFFFFFFFF;

	for (size_t i = 0; i < len * 8; i++) {
		crc ^= bytes[i / 8] >> i % 8 & 1;
		crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
	}
	return ~crc;
}

uint8_t *forge_page_at(struct flash_sim *sim, uint32_t sequence)
{
	return sim->memory + sequence % sim->port.page_count * sim->port.page_size;
}

void forge_page(struct flash_sim *sim, uint32_t sequence, uint32_t previous_end)
{
	uint8_t *page = forge_page_at(sim, sequence);

	memset(page, 0xFF, sim->port.page_size);
	memcpy(page, "sTJL", 4);
	put_be16(page + 4, 1);
	put_be16(page + 6, sim->port.page_count);
	put_be32(page + 8, sim->port.page_size);
	put_be32(page + 12, sequence);
	put_be32(page + 16, previous_end);
	forge_seal_page(page);
}

void forge_seal_page(uint8_t *page)
{
	put_be32(page + 20, crc_of(page, 20));
}

uint32_t forge_frame_size(const uint8_t *frame)
{
	return (8u + get_be16(frame + 2) + 4u + 7u) / 8u * 8u;
}

void forge_seal_frame(struct flash_sim *sim, uint32_t sequence, uint32_t offset)
{
	uint8_t *frame = forge_page_at(sim, sequence) + offset;
	size_t size = forge_frame_size(frame);
	uint8_t covered[PORT_PAGE_SIZE_MAX];

	put_be32(covered, sequence);
	put_be32(covered + 4, offset);
	memcpy(covered + 8, frame, size - 4);
	put_be32(frame + size - 4, crc_of(covered, size + 4));
}

uint32_t forge_frame(struct flash_sim *sim, uint32_t sequence, uint32_t offset, uint16_t kind,
		     const void *body, uint16_t len)
{
	uint8_t *frame = forge_page_at(sim, sequence) + offset;

	put_be16(frame, kind);
	put_be16(frame + 2, len);
	put_be16(frame + 4, (uint16_t)~kind);
	put_be16(frame + 6, (uint16_t)~len);
	memset(frame + 8, 0, forge_frame_size(frame) - 8);
	if (len > 0)
		memcpy(frame + 8, body, len);
	forge_seal_frame(sim, sequence, offset);
	return offset + forge_frame_size(frame);
}

void forge_done(struct flash_sim *sim)
{
	for (size_t i = 0; i < sim->size; i++) {
		if (sim->memory[i] != 0xFF)
			sim->programmed[i / PORT_PROGRAM_UNIT] = true;
	}
}
