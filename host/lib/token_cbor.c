/* Strict reading of CBOR on top of libcbor's streaming decoder, which allocates nothing. */
#include "token.h"

/* Not <cbor.h>: the card's core has a header of that name. */
#include <cbor/callbacks.h>
#include <cbor/streaming.h>

#define BREAK            0xFF /* RFC 8949 §3.2.1 */
#define INFORMATION_MASK 0x1F
#define INDEFINITE       31

/* libcbor calls one of these for the item that it read. */
static void note_8(void *item, uint8_t value)
{
	((struct simtie_cbor_item *)item)->argument = value;
}

static void note_16(void *item, uint16_t value)
{
	((struct simtie_cbor_item *)item)->argument = value;
}

static void note_32(void *item, uint32_t value)
{
	((struct simtie_cbor_item *)item)->argument = value;
}

static void note_64(void *item, uint64_t value)
{
	((struct simtie_cbor_item *)item)->argument = value;
}

static void note_count(void *item, size_t count)
{
	((struct simtie_cbor_item *)item)->argument = count;
}

static void note_string(void *item, cbor_data data, size_t len)
{
	((struct simtie_cbor_item *)item)->argument = len;
	((struct simtie_cbor_item *)item)->content = bytes_of(data, len);
}

static const struct cbor_callbacks callbacks = {
	.uint8 = note_8,
	.uint16 = note_16,
	.uint32 = note_32,
	.uint64 = note_64,
	.negint8 = note_8,
	.negint16 = note_16,
	.negint32 = note_32,
	.negint64 = note_64,
	.byte_string = note_string,
	.byte_string_start = cbor_null_byte_string_start_callback,
	.string = note_string,
	.string_start = cbor_null_string_start_callback,
	.array_start = note_count,
	.indef_array_start = cbor_null_indef_array_start_callback,
	.map_start = note_count,
	.indef_map_start = cbor_null_indef_map_start_callback,
	.tag = cbor_null_tag_callback, /* see tag_decode() */
	.float2 = cbor_null_float2_callback,
	.float4 = cbor_null_float4_callback,
	.float8 = cbor_null_float8_callback,
	.undefined = cbor_null_undefined_callback,
	.null = cbor_null_null_callback,
	.boolean = cbor_null_boolean_callback,
	.indef_break = cbor_null_indef_break_callback,
};

/* Bytes of the shortest head with this argument. */
static size_t head_size(uint64_t argument)
{
	if (argument < 24)
		return 1;
	if (argument <= UINT8_MAX)
		return 2;
	if (argument <= UINT16_MAX)
		return 3;
	return argument <= UINT32_MAX ? 5 : 9;
}

/*
 * libcbor 0.8 and 0.10 refuse the short tags 6 to 20, COSE_Sign1 among them, as unassigned. A tag's
 * head is that of an unsigned integer but for the major type (RFC 8949 §3), so that it is read as
 * one.
 */
static struct cbor_decoder_result tag_decode(struct bytes in, struct simtie_cbor_item *item)
{
	uint8_t head[9];
	size_t len = in.len < sizeof(head) ? in.len : sizeof(head);

	memcpy(head, in.ptr, len);
	head[0] &= INFORMATION_MASK;
	return cbor_stream_decode(head, len, &callbacks, item);
}

bool simtie_cbor_head(struct bytes *in, struct simtie_cbor_item *item)
{
	struct cbor_decoder_result result;

	*item = (struct simtie_cbor_item){0};
	if (in->len == 0)
		return false;
	item->initial = in->ptr[0];
	item->kind = (enum simtie_cbor_kind)(item->initial >> 5);
	item->indefinite =
		item->kind != CBOR_KIND_SIMPLE && (item->initial & INFORMATION_MASK) == INDEFINITE;
	result = item->kind == CBOR_KIND_TAG
			 ? tag_decode(*in, item)
			 : cbor_stream_decode(in->ptr, in->len, &callbacks, item);
	if (result.status != CBOR_DECODER_FINISHED)
		return false;
	item->shortest = item->kind == CBOR_KIND_SIMPLE ||
			 result.read - item->content.len == head_size(item->argument);
	in->ptr += result.read;
	in->len -= result.read;
	return true;
}

static bool item_walk(struct bytes *in, unsigned depth, bool *deterministic);

/* Whether `in` stands at the break of an indefinite item; takes it then. */
static bool take_break(struct bytes *in)
{
	if (in->len == 0 || in->ptr[0] != BREAK)
		return false;
	in->ptr++;
	in->len--;
	return true;
}

/* The chunks of a string of indefinite length: definite strings of its own kind, then a break. */
static bool chunks_walk(struct bytes *in, enum simtie_cbor_kind kind)
{
	struct simtie_cbor_item chunk;

	while (!take_break(in))
		if (!simtie_cbor_head(in, &chunk) || chunk.kind != kind || chunk.indefinite)
			return false;
	return true;
}

/* Bytewise order of encoded keys (RFC 8949 §4.2.1). No encoded item begins another, so that the
 * shorter length decides. */
static bool keys_descend(struct bytes a, struct bytes b)
{
	return memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len) > 0;
}

/* The members of an array or a map; of a map keys and values count apart. */
static bool members_walk(struct bytes *in, const struct simtie_cbor_item *head, unsigned depth,
			 bool *deterministic)
{
	bool map = head->kind == CBOR_KIND_MAP;
	struct bytes last = {0};

	/* A member has a byte at least. Twice a count that passes cannot overflow. */
	if (head->argument > in->len)
		return false;
	for (uint64_t i = 0; head->indefinite || i < head->argument * (map ? 2 : 1); i++) {
		bool key = map && i % 2 == 0;
		struct bytes item = *in;

		if (head->indefinite && take_break(in))
			return !map || key;
		if (!item_walk(in, depth, deterministic))
			return false;
		item.len -= in->len;
		if (key) {
			if (last.ptr && keys_descend(last, item))
				*deterministic = false;
			last = item;
		}
	}
	return true;
}

static bool item_walk(struct bytes *in, unsigned depth, bool *deterministic)
{
	struct simtie_cbor_item item;

	if (depth == 0 || !simtie_cbor_head(in, &item))
		return false;
	if (item.indefinite || !item.shortest)
		*deterministic = false;
	switch (item.kind) {
	case CBOR_KIND_UINT:
	case CBOR_KIND_NEGINT:
		return true;
	case CBOR_KIND_BYTES:
	case CBOR_KIND_TEXT:
		return !item.indefinite || chunks_walk(in, item.kind);
	case CBOR_KIND_ARRAY:
	case CBOR_KIND_MAP:
		return members_walk(in, &item, depth - 1, deterministic);
	case CBOR_KIND_TAG:
		return item_walk(in, depth - 1, deterministic);
	case CBOR_KIND_SIMPLE:
		return item.initial != BREAK; /* a break where an item should be */
	}
	return false;
}

bool simtie_cbor_item(struct bytes *in, struct bytes *whole, bool *deterministic)
{
	struct bytes start = *in;

	if (!item_walk(in, SIMTIE_CBOR_DEPTH, deterministic))
		return false;
	*whole = bytes_of(start.ptr, start.len - in->len);
	return true;
}
