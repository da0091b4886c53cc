#include "ber.h"

#define LENGTH_SIZE_MAX 3

static bool take(struct bytes *in, uint8_t *byte)
{
	if (in->len == 0)
		return false;
	*byte = *in->ptr;
	*in = bytes_of(in->ptr + 1, in->len - 1);
	return true;
}

static bool take_tag(struct bytes *in, uint16_t *tag)
{
	uint8_t first, second;

	if (!take(in, &first))
		return false;
	*tag = first;
	if ((first & 0x1F) != 0x1F)
		return true;
	if (!take(in, &second) || second & 0x80)
		return false;
	*tag = (uint16_t)(first << 8 | second);
	return true;
}

static bool take_length(struct bytes *in, size_t *len)
{
	uint8_t first, byte;

	if (!take(in, &first))
		return false;
	*len = first;
	if (first < 0x80)
		return true;
	if (first != 0x81 && first != 0x82)
		return false;
	*len = 0;
	for (unsigned i = 0x80; i < first; i++) {
		if (!take(in, &byte))
			return false;
		*len = *len << 8 | byte;
	}
	return true;
}

bool ber_next(struct bytes *in, struct ber *object)
{
	struct bytes rest = *in;
	size_t len;

	if (!take_tag(&rest, &object->tag) || !take_length(&rest, &len) || len > rest.len)
		return false;
	object->value = bytes_of(rest.ptr, len);
	*in = bytes_of(rest.ptr + len, rest.len - len);
	return true;
}

void writer_put_parts(struct writer *writer, const uint8_t *ptr, size_t len)
{
	if (writer->overflowed || len > writer->size - writer->used) {
		writer->overflowed = true;
		return;
	}
	if (len)
		memcpy(writer->out + writer->used, ptr, len);
	writer->used += len;
}

static void put_tag(struct writer *writer, uint16_t tag)
{
	uint8_t coded[2];

	put_be16(coded, tag);
	writer_put(writer, tag > 0xFF ? bytes_of(coded, 2) : bytes_of(coded + 1, 1));
}

static size_t code_length(size_t len, uint8_t coded[static LENGTH_SIZE_MAX])
{
	if (len < 0x80) {
		coded[0] = (uint8_t)len;
		return 1;
	}
	if (len < 0x100) {
		coded[0] = 0x81;
		coded[1] = (uint8_t)len;
		return 2;
	}
	coded[0] = 0x82;
	put_be16(coded + 1, (uint16_t)len);
	return 3;
}

void ber_put_parts(struct writer *writer, uint16_t tag, const uint8_t *ptr, size_t len)
{
	size_t mark = ber_open(writer, tag);

	writer_put_parts(writer, ptr, len);
	ber_close(writer, mark);
}

void ber_put_u8(struct writer *writer, uint16_t tag, uint8_t value)
{
	ber_put(writer, tag, bytes_of(&value, 1));
}

void ber_put_be16(struct writer *writer, uint16_t tag, uint16_t value)
{
	uint8_t coded[2];

	put_be16(coded, value);
	ber_put(writer, tag, bytes_of(coded, sizeof coded));
}

void ber_put_be32(struct writer *writer, uint16_t tag, uint32_t value)
{
	uint8_t coded[4];

	put_be32(coded, value);
	ber_put(writer, tag, bytes_of(coded, sizeof coded));
}

size_t ber_open(struct writer *writer, uint16_t tag)
{
	put_tag(writer, tag);
	return writer->used;
}

void ber_close(struct writer *writer, size_t mark)
{
	uint8_t coded[LENGTH_SIZE_MAX];
	size_t len = writer->used - mark;
	size_t coded_len = code_length(len, coded);

	if (writer->overflowed || coded_len > writer->size - writer->used) {
		writer->overflowed = true;
		return;
	}
	memmove(writer->out + mark + coded_len, writer->out + mark, len);
	memcpy(writer->out + mark, coded, coded_len);
	writer->used += coded_len;
}
