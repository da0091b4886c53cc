#include "service_der.h"

#define LONG_FORM 0x80 /* of a length: so many bytes of it follow */

struct service_der service_der_open(uint8_t *room, size_t size)
{
	return (struct service_der){room, room + size, room + size, false};
}

void service_der_raw(struct service_der *der, struct bytes bytes)
{
	if (bytes.len > (size_t)(der->at - der->start)) {
		der->full = true;
		return;
	}
	der->at -= bytes.len;
	if (bytes.len)
		memcpy(der->at, bytes.ptr, bytes.len);
}

void service_der_wrap(struct service_der *der, enum service_der_tag tag, const uint8_t *end)
{
	size_t len = (size_t)(end - der->at), head_len = 0;
	uint8_t head[4];

	head[head_len++] = (uint8_t)tag;
	if (len > UINT8_MAX) {
		head[head_len++] = LONG_FORM | 2;
		head[head_len++] = (uint8_t)(len >> 8);
	} else if (len >= LONG_FORM) {
		head[head_len++] = LONG_FORM | 1;
	}
	head[head_len++] = (uint8_t)len;
	der->full |= len > UINT16_MAX;
	service_der_raw(der, bytes_of(head, head_len));
}

void service_der_value(struct service_der *der, enum service_der_tag tag, struct bytes content)
{
	const uint8_t *end = der->at;

	service_der_raw(der, content);
	service_der_wrap(der, tag, end);
}

struct bytes service_der_done(const struct service_der *der)
{
	return bytes_of(der->at, (size_t)(der->end - der->at));
}

bool service_der_take(struct bytes *in, enum service_der_tag tag, struct bytes *content)
{
	size_t len, head_len = 2, least = 0;

	if (in->len < 2 || in->ptr[0] != (uint8_t)tag)
		return false;
	len = in->ptr[1];
	if (len == (LONG_FORM | 1) && in->len >= 3) {
		len = in->ptr[2];
		least = LONG_FORM;
		head_len = 3;
	} else if (len == (LONG_FORM | 2) && in->len >= 4) {
		len = get_be16(in->ptr + 2);
		least = UINT8_MAX + 1;
		head_len = 4;
	} else if (len >= LONG_FORM) {
		return false;
	}
	if (len < least || len > in->len - head_len)
		return false;
	*content = bytes_of(in->ptr + head_len, len);
	in->ptr += head_len + len;
	in->len -= head_len + len;
	return true;
}
