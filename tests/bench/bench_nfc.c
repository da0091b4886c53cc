/*
 * What an exchange by radio costs through the library, through libnfc alone in one thread, and by
 * the same frames written to the same device by hand: bench_nfc PORT, with a PN532 at PORT (the
 * simulated one: tests/lib/pn532.py) and a card on it. By turns in one run, so that what slows the
 * machine slows all. Each exchange is timed by itself and the fastest tenth of each kind compared:
 * what they cost while nobody else wants the processor.
 *
 * bench_nfc PORT KIND COUNT makes exchanges of one kind, for a tool that watches the process.
 */
#include "simtie.h"

#include <fcntl.h>
#include <nfc/nfc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS    9
#define PER_ROUND 200
#define TIMES     (ROUNDS * PER_ROUND)
#define BOUND_MS  5000

#define ACK_SIZE  6
#define HEAD_SIZE 5 /* preamble, start code, LEN, LCS */
#define TAIL_SIZE 2 /* DCS, postamble */

static const uint8_t challenge[] = {0x00, 0x84, 0x00, 0x00, 0x20};

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench_nfc: %s\n", what);
	exit(EXIT_FAILURE);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- By hand ---- */

static void take(int port, uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = read(port, bytes, len);

		need(n > 0, "the port fails");
		bytes += n;
		len -= (size_t)n;
	}
}

/* One command of the chip's and its answer, behind D5 and the code. */
static size_t command(int port, const uint8_t *body, size_t len, uint8_t answer[static 256])
{
	uint8_t frame[300] = {0x00, 0x00, 0xFF, (uint8_t)(len + 1), (uint8_t) - (len + 1), 0xD4};
	uint8_t sum = (uint8_t)-0xD4, tail[TAIL_SIZE];
	size_t used = HEAD_SIZE + 1;

	memcpy(frame + used, body, len);
	used += len;
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum - body[i]);
	frame[used++] = sum;
	frame[used++] = 0;
	need(write(port, frame, used) == (ssize_t)used, "the port fails");
	take(port, frame, ACK_SIZE);
	take(port, frame, HEAD_SIZE);
	need(frame[3] >= 2, "a frame without an answer");
	take(port, answer, frame[3]);
	take(port, tail, sizeof tail);
	memmove(answer, answer + 2, frame[3] - 2u);
	return frame[3] - 2u;
}

static int open_bare(const char *path)
{
	static const uint8_t wake[16] = {0x55, 0x55}, sam[] = {0x14, 0x01}, rats[] = {0x12, 0x14},
			     on[] = {0x32, 0x01, 0x01}, list[] = {0x4A, 0x01, 0x00};
	int port = open(path, O_RDWR | O_NOCTTY);
	struct termios settings;
	uint8_t answer[256];

	need(port >= 0 && tcgetattr(port, &settings) == 0, "cannot open the port");
	cfmakeraw(&settings);
	tcsetattr(port, TCSANOW, &settings);
	need(write(port, wake, sizeof wake) == sizeof wake, "the port fails");
	command(port, sam, sizeof sam, answer);
	command(port, rats, sizeof rats, answer);
	command(port, on, sizeof on, answer);
	need(command(port, list, sizeof list, answer) > 1 && answer[0] == 1, "no card");
	return port;
}

static void close_bare(int port)
{
	static const uint8_t release[] = {0x52, 0x00}, sleep[] = {0x16, 0xF0};
	uint8_t answer[256];

	command(port, release, sizeof release, answer);
	command(port, sleep, sizeof sleep, answer);
	close(port);
}

static void bare(const char *path, int count, double *times)
{
	uint8_t body[2 + sizeof challenge] = {0x40, 0x01}, answer[256];
	int port = open_bare(path);

	memcpy(body + 2, challenge, sizeof challenge);
	for (int i = 0; i < count; i++) {
		double start = now();

		need(command(port, body, sizeof body, answer) > 2 && answer[0] == 0,
		     "the card does not answer");
		times[i] = now() - start;
	}
	close_bare(port);
}

/* ---- Through libnfc alone ---- */

static void libnfc(const char *path, int count, double *times)
{
	const nfc_modulation type_a = {NMT_ISO14443A, NBR_106};
	nfc_connstring name;
	nfc_context *context;
	nfc_device *device;
	nfc_target card;
	uint8_t answer[263];

	setenv("LIBNFC_LOG_LEVEL", "0", 0);
	nfc_init(&context);
	need(context != NULL, "no libnfc");
	snprintf(name, sizeof name, "pn532_uart:%s", path);
	device = nfc_open(context, name);
	need(device && nfc_initiator_init(device) == 0, "no device");
	nfc_device_set_property_bool(device, NP_INFINITE_SELECT, false);
	need(nfc_initiator_select_passive_target(device, type_a, NULL, 0, &card) == 1, "no card");
	for (int i = 0; i < count; i++) {
		double start = now();

		need(nfc_initiator_transceive_bytes(device, challenge, sizeof challenge, answer,
						    sizeof answer, BOUND_MS) > 0,
		     "the card does not answer");
		times[i] = now() - start;
	}
	nfc_close(device);
	nfc_exit(context);
}

/* ---- Through the library ---- */

static void library(const char *path, int count, double *times)
{
	char reader[256];
	const struct simtie_options options = {.reader = reader};
	struct simtie_session *session;
	uint8_t answer[256];
	size_t len;

	snprintf(reader, sizeof reader, "nfc:pn532_uart:%s", path);
	need(simtie_open(&options, &session) == 0, "no session");
	for (int i = 0; i < count; i++) {
		double start = now();

		need(simtie_transmit_raw(session, challenge, sizeof challenge, answer,
					 sizeof answer, &len) == 0,
		     "the card does not answer");
		times[i] = now() - start;
	}
	simtie_close(&session);
}

/* ---- Compared ---- */

enum kind { BARE, LIBNFC, LIBRARY, KINDS };

static const struct {
	const char *name;
	void (*exchange)(const char *path, int count, double *times);
} kinds[KINDS] = {{"bare", bare}, {"libnfc", libnfc}, {"library", library}};

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The mean of the fastest tenth. */
static double fastest(double times[static TIMES])
{
	double sum = 0;

	qsort(times, TIMES, sizeof times[0], compare);
	for (int i = 0; i < TIMES / 10; i++)
		sum += times[i];
	return sum / (TIMES / 10);
}

static double times[KINDS][TIMES];

static void one_kind(const char *path, const char *name, const char *count)
{
	int wanted = atoi(count);

	need(wanted > 0 && wanted <= TIMES, "so many exchanges are not made");
	for (int kind = 0; kind < KINDS; kind++)
		if (strcmp(kinds[kind].name, name) == 0)
			kinds[kind].exchange(path, wanted, times[kind]);
}

static void all_kinds(const char *path)
{
	double each[KINDS];

	for (int i = 0; i < ROUNDS; i++)
		for (int kind = 0; kind < KINDS; kind++)
			kinds[kind].exchange(path, PER_ROUND, times[kind] + i * PER_ROUND);
	for (int kind = 0; kind < KINDS; kind++)
		each[kind] = fastest(times[kind]);
	printf("libnfc alone against bare frames: %.3f\n", each[LIBNFC] / each[BARE]);
	printf("the library against libnfc alone: %.3f\n", each[LIBRARY] / each[LIBNFC]);
	printf("the library against bare frames: %.3f\n", each[LIBRARY] / each[BARE]);
}

int main(int argc, char **argv)
{
	need(argc == 2 || argc == 4, "bench_nfc PORT [bare|libnfc|library COUNT]");
	if (argc == 4)
		one_kind(argv[1], argv[2], argv[3]);
	else
		all_kinds(argv[1]);
	return EXIT_SUCCESS;
}
