#include "frame.h"

/* Moves what was not taken to the start, and wipes what was. */
static void drop_taken(struct frame_in *in)
{
	size_t rest = in->used - in->taken;

	if (in->taken == 0)
		return;
	memmove(in->buffer, in->buffer + in->taken, rest);
	bytes_wipe(in->buffer + rest, in->taken);
	in->used = rest;
	in->taken = 0;
}

uint8_t *frame_room(struct frame_in *in, size_t *room)
{
	drop_taken(in);
	*room = sizeof(in->buffer) - in->used;
	return in->buffer + in->used;
}

void frame_received(struct frame_in *in, size_t len)
{
	in->used += len;
}

bool frame_take(struct frame_in *in, struct bytes *body)
{
	size_t len;

	drop_taken(in);
	if (in->used < 2)
		return false;
	len = get_be16(in->buffer);
	if (in->used < 2 + len)
		return false;
	*body = bytes_of(in->buffer + 2, len);
	in->taken = 2 + len;
	return true;
}

void frame_forget(struct frame_in *in)
{
	in->taken = in->used;
	drop_taken(in);
}

void frame_put(struct frame_out *out, struct bytes first, struct bytes second)
{
	put_be16(out->buffer, (uint16_t)(first.len + second.len));
	if (first.len > 0)
		memcpy(out->buffer + 2, first.ptr, first.len);
	if (second.len > 0)
		memcpy(out->buffer + 2 + first.len, second.ptr, second.len);
	out->used = 2 + first.len + second.len;
	out->sent = 0;
}

struct bytes frame_unsent(const struct frame_out *out)
{
	return bytes_of(out->buffer + out->sent, out->used - out->sent);
}

void frame_sent(struct frame_out *out, size_t len)
{
	out->sent += len;
	if (out->sent == out->used) {
		bytes_wipe(out->buffer, out->used);
		out->used = out->sent = 0;
	}
}
