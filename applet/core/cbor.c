#include "cbor.h"

/* Additional information that says how many bytes of argument follow (RFC 8949 §3). */
enum { ARGUMENT_1 = 24, ARGUMENT_2 = 25, ARGUMENT_4 = 26 };

void cbor_put_head(struct writer *writer, enum cbor_type type, uint32_t argument)
{
	uint8_t head[5];
	size_t len;
	uint8_t info;

	put_be32(head + 1, argument);
	if (argument < ARGUMENT_1) {
		len = 0;
		info = (uint8_t)argument;
	} else if (argument < 0x100) {
		len = 1;
		info = ARGUMENT_1;
	} else if (argument < 0x10000) {
		len = 2;
		info = ARGUMENT_2;
	} else {
		len = 4;
		info = ARGUMENT_4;
	}
	uint8_t *first = head + 4 - len;
	*first = (uint8_t)(type << 5 | info);
	writer_put(writer, bytes_of(first, 1 + len));
}

void cbor_put_int(struct writer *writer, int32_t value)
{
	if (value < 0)
		cbor_put_head(writer, CBOR_NEGATIVE, (uint32_t)(-1 - value));
	else
		cbor_put_head(writer, CBOR_UINT, (uint32_t)value);
}

void cbor_put_string_parts(struct writer *writer, enum cbor_type type, const uint8_t *ptr,
			   size_t len)
{
	cbor_put_head(writer, type, (uint32_t)len);
	writer_put_parts(writer, ptr, len);
}
