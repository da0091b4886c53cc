/* Writing CBOR with libcbor's encoders, which write the shortest heads there are. */
#include "token.h"

/* Not <cbor.h>: the card's core has a header of that name. */
#include <cbor/encoding.h>

/* An encoder says 0 when its item does not fit. */
static void put(struct simtie_cbor_output *out, size_t written)
{
	out->full |= written == 0;
	out->at += written;
	out->left -= written;
}

void simtie_cbor_put_int(struct simtie_cbor_output *out, int64_t value)
{
	if (value < 0)
		put(out, cbor_encode_negint((uint64_t)(-1 - value), out->at, out->left));
	else
		put(out, cbor_encode_uint((uint64_t)value, out->at, out->left));
}

void simtie_cbor_put_tag(struct simtie_cbor_output *out, uint64_t tag)
{
	put(out, cbor_encode_tag(tag, out->at, out->left));
}

void simtie_cbor_put_null(struct simtie_cbor_output *out)
{
	put(out, cbor_encode_null(out->at, out->left));
}

void simtie_cbor_put_array(struct simtie_cbor_output *out, size_t count)
{
	put(out, cbor_encode_array_start(count, out->at, out->left));
}

void simtie_cbor_put_map(struct simtie_cbor_output *out, size_t count)
{
	put(out, cbor_encode_map_start(count, out->at, out->left));
}

void simtie_cbor_put_raw(struct simtie_cbor_output *out, struct bytes raw)
{
	if (raw.len > out->left) {
		out->full = true;
		return;
	}
	if (raw.len)
		memcpy(out->at, raw.ptr, raw.len);
	out->at += raw.len;
	out->left -= raw.len;
}

void simtie_cbor_put_bytes(struct simtie_cbor_output *out, const uint8_t *ptr, size_t len)
{
	put(out, cbor_encode_bytestring_start(len, out->at, out->left));
	simtie_cbor_put_raw(out, bytes_of(ptr, len));
}

void simtie_cbor_put_text(struct simtie_cbor_output *out, const char *text)
{
	size_t len = strlen(text);

	put(out, cbor_encode_string_start(len, out->at, out->left));
	simtie_cbor_put_raw(out, bytes_of((const uint8_t *)text, len));
}
