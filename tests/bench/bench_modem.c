/*
 * What the way through a modem costs, against the bare simulator. The argument is the port of a
 * simtie-modem that has +CGLA, with a factory-fresh SIM in it.
 *
 * "exchange": a command through libsimtie, against its AT command written to the port and read
 * until OK. "attestation": PIN, log, counter and signature in one command through the modem,
 * against the same on the card without any modem. All by turns in one run; the median of the
 * ratios counts.
 */
#include "simtie.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS       15
#define EXCHANGES    400
#define ATTESTATIONS 40

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench_modem: %s\n", what);
	exit(EXIT_FAILURE);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- The bare simulator ---- */

static int open_port(const char *path)
{
	struct termios raw;
	int fd = open(path, O_RDWR | O_NOCTTY);

	need(fd >= 0 && tcgetattr(fd, &raw) == 0, "the port cannot be opened");
	cfmakeraw(&raw);
	need(tcsetattr(fd, TCSANOW, &raw) == 0, "the port cannot be set up");
	return fd;
}

/* Sends a command and reads until its OK. */
static void chat(int fd, const char *command)
{
	char answer[1024];
	size_t used = 0;

	need(write(fd, command, strlen(command)) == (ssize_t)strlen(command), "write");
	while (used < 6 || memcmp(answer + used - 6, "\r\nOK\r\n", 6) != 0) {
		ssize_t got = read(fd, answer + used, sizeof answer - used);

		need(got > 0, "the modem does not say OK");
		used += (size_t)got;
	}
}

static double bare(const char *path)
{
	int fd = open_port(path);
	double start;

	chat(fd, "ATE0V1\r");
	chat(fd, "AT+CCHO=\"F053494D54494501\"\r");
	start = now();
	for (int i = 0; i < EXCHANGES; i++)
		chat(fd, "AT+CGLA=1,10,\"00CABF2212\"\r");
	start = now() - start;
	chat(fd, "AT+CCHC=1\r");
	close(fd);
	return start;
}

/* ---- The library ---- */

static struct simtie_session *open_card(const char *reader)
{
	const struct simtie_options options = {.reader = reader};
	struct simtie_session *session;

	need(simtie_open(&options, &session) == 0, "no session");
	need(simtie_select(session, NULL) == 0, "no applet");
	return session;
}

static double through(const char *reader)
{
	static const uint8_t command[] = {0x00, 0xCA, 0xBF, 0x22, 0x12};
	struct simtie_session *session = open_card(reader);
	uint8_t answer[256];
	double start = now();
	size_t len;

	for (int i = 0; i < EXCHANGES; i++)
		need(simtie_transmit(session, command, sizeof command, answer, sizeof answer,
				     &len) == 0 &&
			     len == 0x12,
		     "no answer");
	start = now() - start;
	simtie_close(&session);
	return start;
}

static void personalise(struct simtie_session *session)
{
	const struct simtie_objects objects = {.pin = "1234", .puk = "12345678"};
	struct simtie_keys keys = {.len = 16};
	struct simtie_card_key key;

	for (uint8_t i = 0; i < 16; i++)
		keys.enc[i] = keys.mac[i] = keys.dek[i] = 0x40 + i;
	need(simtie_secure_open(session, &keys, SIMTIE_SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC) == 0 &&
		     simtie_generate(session, &key) == 0 && simtie_store(session, &objects) == 0 &&
		     simtie_set_lifecycle(session, SIMTIE_LIFECYCLE_PERSONALISED) == 0,
	     "the card could not be personalised");
	need(simtie_reset(session) == 0 && simtie_select(session, NULL) == 0, "reset");
}

static double attest(struct simtie_session *session)
{
	static const uint8_t nonce[32];
	const struct simtie_challenge challenge = {
		.audience = "chat.example", .nonce = nonce, .nonce_len = sizeof nonce};
	uint8_t token[SIMTIE_TOKEN_MAX];
	double start = now();
	unsigned tries;
	size_t len;

	for (int i = 0; i < ATTESTATIONS; i++)
		need(simtie_attest(session, &challenge, "1234", false, token, &len, &tries) == 0,
		     "no attestation");
	return now() - start;
}

/* ---- Ratios ---- */

static int rising(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void print(const char *what, double ratio[static ROUNDS])
{
	qsort(ratio, ROUNDS, sizeof *ratio, rising);
	printf("%-12s %.2f (%.2f to %.2f)\n", what, ratio[ROUNDS / 2], ratio[0], ratio[ROUNDS - 1]);
}

int main(int argc, char **argv)
{
	double exchange[ROUNDS], attestation[ROUNDS];
	struct simtie_session *loop, *modem;
	char reader[SIMTIE_READER_NAME_MAX];

	need(argc == 2, "usage: bench_modem PORT");
	snprintf(reader, sizeof reader, "at:%s", argv[1]);
	for (int i = 0; i < ROUNDS; i++) {
		double base = bare(argv[1]);

		exchange[i] = through(reader) / base;
	}
	loop = open_card("loop:");
	personalise(loop);
	modem = open_card(reader);
	personalise(modem);
	for (int i = 0; i < ROUNDS; i++) {
		double base = attest(loop);

		attestation[i] = attest(modem) / base;
	}
	simtie_close(&modem);
	simtie_close(&loop);
	print("exchange", exchange);
	print("attestation", attestation);
	return EXIT_SUCCESS;
}
