#include "nfc_line.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* With a port of its own: /dev/ttyUSB0. */
#define DRIVER "pn532_uart:/"

/* How often it is asked, and how long an answer is waited for each time. */
#define ASK_TIMES 4
#define ASK_MS    500

/* A frame (UM0701-02 §6.2.1.1): preamble and start code, LEN and its checksum, direction, code,
 * data, checksum and postamble. The data are the number of the test and the mark. */
#define LEN_AT     3
#define BODY_AT    5
#define MARK_AT    8
#define MARK_SIZE  8
#define SUM_AT     (MARK_AT + MARK_SIZE)
#define FRAME_SIZE (SUM_AT + 2)

#define TO_CHIP       0xD4
#define FROM_CHIP     0xD5
#define DIAGNOSE      0x00
#define DIAGNOSE_DONE 0x01
#define LINE_TEST     0x00

static void build(uint8_t frame[static FRAME_SIZE], uint8_t direction, uint8_t code, int64_t mark)
{
	uint8_t sum = 0;

	memset(frame, 0, FRAME_SIZE);
	frame[2] = 0xFF;
	frame[LEN_AT] = SUM_AT - BODY_AT;
	frame[LEN_AT + 1] = (uint8_t)-frame[LEN_AT];
	frame[BODY_AT] = direction;
	frame[BODY_AT + 1] = code;
	frame[BODY_AT + 2] = LINE_TEST;
	memcpy(frame + MARK_AT, &mark, MARK_SIZE);
	for (size_t i = BODY_AT; i < SUM_AT; i++)
		sum = (uint8_t)(sum + frame[i]);
	frame[SUM_AT] = (uint8_t)-sum;
}

/* What came last on the line, as long as the frame that is waited for. */
struct window {
	uint8_t bytes[FRAME_SIZE];
};

static bool ends_in(struct window *window, const uint8_t *bytes, size_t len,
		    const uint8_t wanted[static FRAME_SIZE])
{
	for (size_t i = 0; i < len; i++) {
		memmove(window->bytes, window->bytes + 1, FRAME_SIZE - 1);
		window->bytes[FRAME_SIZE - 1] = bytes[i];
		if (memcmp(window->bytes, wanted, FRAME_SIZE) == 0)
			return true;
	}
	return false;
}

enum awaited { AWAITED_CAME, AWAITED_LATE, AWAITED_BROKEN };

static enum awaited await(int port, const uint8_t wanted[static FRAME_SIZE],
			  struct deadline deadline)
{
	struct pollfd ready = {.fd = port, .events = POLLIN};
	struct window window = {{0}};
	uint8_t bytes[64];
	ssize_t got;

	while (!deadline_passed(deadline)) {
		if (poll(&ready, 1, (int)deadline_left_ms(deadline)) <= 0)
			continue;
		got = read(port, bytes, sizeof bytes);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			return AWAITED_BROKEN;
		if (got > 0 && ends_in(&window, bytes, (size_t)got, wanted))
			return AWAITED_CAME;
	}
	return AWAITED_LATE;
}

/* Each time with a mark of its own: an answer that came too late is no answer to the next. */
bool nfc_line_regain(const struct nfc_claim *claim, struct deadline deadline)
{
	enum awaited awaited = AWAITED_LATE;
	uint8_t asked[FRAME_SIZE], wanted[FRAME_SIZE];

	if (strncmp(claim->name, DRIVER, strlen(DRIVER)) != 0)
		return true;
	for (int i = 0; i < ASK_TIMES && awaited == AWAITED_LATE; i++) {
		int64_t mark = deadline_now_us();

		build(asked, TO_CHIP, DIAGNOSE, mark);
		build(wanted, FROM_CHIP, DIAGNOSE_DONE, mark);
		if (write(claim->lock, asked, sizeof asked) != sizeof asked)
			return false;
		awaited = await(claim->lock, wanted, deadline_within(deadline, ASK_MS));
	}
	return awaited == AWAITED_CAME;
}
