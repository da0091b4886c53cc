/*
 * vpcd's framing, bytes in and frames out: two bytes of length, big-endian, then so many bytes.
 *
 * Owns the bytes that have come in and are not used up, however the network cut or joined them, and
 * those that go out and have not left yet. Knows no sockets. Refuses nothing: every length that can
 * be written has room. What was used up is wiped: it may have been a PIN.
 */
#ifndef SIMTIE_VPCD_FRAME_H
#define SIMTIE_VPCD_FRAME_H

#include "../../core/bytes.h"

#define FRAME_BODY_MAX 65535
#define FRAME_MAX      (2 + FRAME_BODY_MAX)

struct frame_in {
	uint8_t buffer[FRAME_MAX];
	size_t used;
	size_t taken; /* bytes at the start that frame_take() has given out */
};

struct frame_out {
	uint8_t buffer[FRAME_MAX];
	size_t used;
	size_t sent;
};

/* Where received bytes go, *room of them at most; never 0 while no whole frame is there. Ends the
 * life of the body taken last. */
uint8_t *frame_room(struct frame_in *in, size_t *room);

/* Says that len bytes were put there. */
void frame_received(struct frame_in *in, size_t len);

/* Takes the next whole frame. Its body lives until the next call here or to frame_room(). False: no
 * whole frame has come in yet. */
bool frame_take(struct frame_in *in, struct bytes *body);

/* Forgets all that came in. */
void frame_forget(struct frame_in *in);

/* Begins a frame of two parts (together at most FRAME_BODY_MAX bytes) in the place of the one
 * before. */
void frame_put(struct frame_out *out, struct bytes first, struct bytes second);

/* What is still to be sent. */
struct bytes frame_unsent(const struct frame_out *out);

/* Says that len bytes of it have left. */
void frame_sent(struct frame_out *out, size_t len);

#endif
