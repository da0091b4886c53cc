#include "modem_sim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "modem_card.h"
#include "modem_commands.h"

/* ---- Lines ---- */

static void take_line(struct modem *modem, const char *line)
{
	static const char before[] = "\r\n+CREG: 1,\"01A2\",\"0003C4F5\"\r\n\r\nRING\r\n";
	static const char after[] = "\r\n^RSSI: 17\r\n";
	struct modem_text text = {0};

	if (modem->echo) {
		modem_put(modem, line, strlen(line));
		modem_put(modem, "\r", 1);
	}
	if (modem->options.chatty)
		modem_put(modem, before, strlen(before));
	modem_obey(modem, line, &text);
	if (modem->master < 0)
		return;
	if (modem->options.sleepy > 0) {
		modem->options.sleepy--;
		modem->pending++;
		return;
	}
	for (; modem->pending > 0; modem->pending--)
		modem_put(modem, "\r\nOK\r\n", 6);
	modem_put(modem, text.bytes, text.len);
	if (modem->options.chatty && text.len > 0)
		modem_put(modem, after, strlen(after));
}

static void take(struct modem *modem, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len && modem->master >= 0; i++) {
		if (bytes[i] == '\n')
			continue;
		if (bytes[i] == '\r') {
			modem->in[modem->used] = '\0';
			modem->used = 0;
			if (modem->in[0])
				take_line(modem, modem->in);
		} else if (modem->used < sizeof modem->in - 1) {
			modem->in[modem->used++] = bytes[i];
		}
	}
}

/* Whether a signal came. ppoll() that finds input waiting returns without looking; what was asked
 * for before that input was written shall be done before it is read. */
static bool signalled(const sigset_t *wanted)
{
	const struct timespec at_once = {0, 0};

	return ppoll(NULL, 0, &at_once, wanted) < 0 && errno == EINTR;
}

void modem_serve(struct modem *modem, const sigset_t *wanted, void (*fresh)(struct modem *modem))
{
	char bytes[MODEM_LINE_MAX];

	while (modem->master >= 0) {
		struct pollfd watched[] = {{.fd = modem->master, .events = POLLIN},
					   {.fd = modem->wake[0], .events = POLLIN}};

		if (ppoll(watched, 2, NULL, wanted) < 0) {
			if (errno == EINTR && fresh)
				fresh(modem);
			continue;
		}
		if (fresh && signalled(wanted))
			fresh(modem);
		if (watched[1].revents)
			return;
		ssize_t got = read(modem->master, bytes, sizeof bytes);

		if (got > 0)
			take(modem, bytes, (size_t)got);
	}
}

static void *serve(void *argument)
{
	modem_serve(argument, NULL, NULL);
	return NULL;
}

bool modem_start(struct modem *modem)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	modem->running = pthread_create(&modem->thread, NULL, serve, modem) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return modem->running;
}

void modem_stop(struct modem *modem)
{
	if (!modem->running)
		return;
	if (write(modem->wake[1], "", 1) != 1)
		abort();
	pthread_join(modem->thread, NULL);
	modem->running = false;
}

/* ---- The port ---- */

bool modem_open(struct modem *modem, const struct modem_options *options, struct applet *applet)
{
	struct termios raw;
	uint8_t channel;

	*modem = (struct modem){.options = *options, .applet = applet, .echo = true};
	modem->slave = -1;
	modem->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (modem->master < 0 || grantpt(modem->master) != 0 || unlockpt(modem->master) != 0 ||
	    ptsname_r(modem->master, modem->path, sizeof modem->path) != 0 ||
	    pipe2(modem->wake, O_CLOEXEC) != 0)
		return false;
	/* Open on this side too, so that the port outlives each of its users. */
	modem->slave = open(modem->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (modem->slave < 0 || tcgetattr(modem->slave, &raw) != 0)
		return false;
	cfmakeraw(&raw);
	if (tcsetattr(modem->slave, TCSANOW, &raw) != 0)
		return false;
	for (unsigned i = 0; i < options->phone; i++)
		if (modem_card_manage(modem, CHANNEL_ACTION_OPEN, 0, &channel) != SW_OK)
			return false;
	return true;
}

void modem_close(struct modem *modem)
{
	modem_stop(modem);
	if (modem->slave >= 0)
		close(modem->slave);
	if (modem->master >= 0)
		close(modem->master);
	close(modem->wake[0]);
	close(modem->wake[1]);
}
