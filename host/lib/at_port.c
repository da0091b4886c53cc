#include "at_port.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* How often a port that another program has is tried again. */
#define RETRY_MS 20

static const struct {
	unsigned bits;
	speed_t code;
} speeds[] = {
	{9600, B9600},       {19200, B19200},     {38400, B38400},     {57600, B57600},
	{115200, B115200},   {230400, B230400},   {460800, B460800},   {921600, B921600},
	{1000000, B1000000}, {2000000, B2000000}, {3000000, B3000000}, {4000000, B4000000},
};

static bool find_speed(unsigned bits, speed_t *code)
{
	for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++)
		if (speeds[i].bits == bits) {
			*code = speeds[i].code;
			return true;
		}
	return false;
}

/* ---- Opening ---- */

/* What a failed open() means. */
static int explain_open(const char *path, char *detail)
{
	switch (errno) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
	case ENOTDIR:
		snprintf(detail, SIMTIE_DETAIL_MAX,
			 "there is no port %s; `simtie doctor` shows which there are", path);
		return SIMTIE_ERR_NO_READER;
	case EACCES:
	case EPERM:
		snprintf(detail, SIMTIE_DETAIL_MAX,
			 "this user may not open %s; join the group that owns it (sudo adduser "
			 "NAME dialout) and log in again",
			 path);
		return SIMTIE_ERR_ACCESS;
	}
	snprintf(detail, SIMTIE_DETAIL_MAX, "%s cannot be opened (%s); plug the modem in again",
		 path, strerror(errno));
	return SIMTIE_ERR_TRANSPORT;
}

/* One try. SIMTIE_ERR_BUSY: another program has it. */
static int try_open(struct at_port *port, const char *path, char *detail)
{
	/* Without O_NONBLOCK open() waits for a carrier that a SIM has no use for. */
	port->fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (port->fd < 0)
		return errno == EBUSY ? SIMTIE_ERR_BUSY : explain_open(path, detail);
	/* TIOCEXCL keeps all but root off, the lock those who ask for it, root too. */
	if (flock(port->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	close(port->fd);
	port->fd = -1;
	return SIMTIE_ERR_BUSY;
}

static int take(struct at_port *port, const char *path, struct deadline deadline, char *detail)
{
	const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
	int error = try_open(port, path, detail);

	while (error == SIMTIE_ERR_BUSY && !deadline_passed(deadline)) {
		nanosleep(&pause, NULL);
		error = try_open(port, path, detail);
	}
	if (error == SIMTIE_ERR_BUSY)
		snprintf(detail, SIMTIE_DETAIL_MAX,
			 "another program holds %s, ModemManager perhaps; end it (sudo systemctl "
			 "stop ModemManager), or take another port of the modem",
			 path);
	return error;
}

static bool set_up(struct at_port *port, speed_t speed)
{
	struct termios raw = port->before;

	cfmakeraw(&raw);
	raw.c_cflag |= CLOCAL | CREAD;
	raw.c_cflag &= ~(tcflag_t)(CRTSCTS | CSTOPB | HUPCL);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	return cfsetispeed(&raw, speed) == 0 && cfsetospeed(&raw, speed) == 0 &&
	       tcsetattr(port->fd, TCSANOW, &raw) == 0 && tcflush(port->fd, TCIOFLUSH) == 0;
}

int at_port_open(struct at_port *port, const char *path, unsigned speed, struct deadline deadline,
		 char *detail)
{
	speed_t code;
	int error;

	port->fd = -1;
	if (!find_speed(speed, &code)) {
		snprintf(detail, SIMTIE_DETAIL_MAX,
			 "%u bits a second is no speed of a serial port; 115200 fits most modems",
			 speed);
		return SIMTIE_ERR_ARGUMENT;
	}
	error = take(port, path, deadline, detail);
	if (error)
		return error;
	if (tcgetattr(port->fd, &port->before) != 0) {
		snprintf(detail, SIMTIE_DETAIL_MAX,
			 "%s is no serial port; `simtie doctor` shows which there are", path);
		error = SIMTIE_ERR_NO_READER;
	} else if (ioctl(port->fd, TIOCEXCL) != 0 || !set_up(port, code)) {
		snprintf(detail, SIMTIE_DETAIL_MAX,
			 "%s cannot be set up (%s); plug the modem in again", path,
			 strerror(errno));
		error = SIMTIE_ERR_TRANSPORT;
	}
	if (error) {
		close(port->fd);
		port->fd = -1;
	}
	return error;
}

void at_port_close(struct at_port *port)
{
	if (port->fd < 0)
		return;
	/* close() would wait for what a stuck modem does not take. */
	tcflush(port->fd, TCIOFLUSH);
	tcsetattr(port->fd, TCSANOW, &port->before);
	ioctl(port->fd, TIOCNXCL);
	close(port->fd);
	port->fd = -1;
	at_port_forget(port);
}

/* ---- Text ---- */

/* Waits until the port can be read or written. */
static int await(const struct at_port *port, short events, struct deadline deadline)
{
	struct pollfd wanted = {.fd = port->fd, .events = events};
	int ready;

	do {
		ready = poll(&wanted, 1, (int)deadline_left_ms(deadline));
	} while (ready < 0 && errno == EINTR);
	if (ready == 0)
		return SIMTIE_ERR_TIMEOUT;
	return ready > 0 && (wanted.revents & events) ? 0 : SIMTIE_ERR_GONE;
}

static bool is_passing(int fault)
{
	return fault == EAGAIN || fault == EINTR;
}

int at_port_write(struct at_port *port, struct deadline deadline, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t sent = write(port->fd, text, len);
		int error = 0;

		if (sent > 0) {
			text += sent;
			len -= (size_t)sent;
		} else if (sent < 0 && !is_passing(errno)) {
			return SIMTIE_ERR_GONE;
		} else {
			error = await(port, POLLOUT, deadline);
		}
		if (error)
			return error;
	}
	return 0;
}

/* Makes room at the end of the buffer by dropping lines that were given out. */
static bool make_room(struct at_port *port)
{
	if (port->used < sizeof port->in)
		return true;
	memmove(port->in, port->in + port->next, port->used - port->next);
	port->used -= port->next;
	port->next = 0;
	return port->used < sizeof port->in;
}

/* Takes in what has come, at least one byte; most often a whole answer at once. */
static int fill(struct at_port *port, struct deadline deadline)
{
	int error;

	if (!make_room(port)) {
		at_port_forget(port);
		return SIMTIE_ERR_PROTOCOL;
	}
	do {
		ssize_t got;

		error = await(port, POLLIN, deadline);
		if (error)
			return error;
		got = read(port->fd, port->in + port->used, sizeof port->in - port->used);
		if (got == 0 || (got < 0 && !is_passing(errno)))
			return SIMTIE_ERR_GONE;
		if (got > 0) {
			port->used += (size_t)got;
			if (port->used > port->dirty)
				port->dirty = port->used;
			return 0;
		}
	} while (!deadline_passed(deadline));
	return SIMTIE_ERR_TIMEOUT;
}

static bool is_end(char c)
{
	return c == '\r' || c == '\n';
}

int at_port_line(struct at_port *port, struct deadline deadline, struct at_line *line)
{
	size_t seen = 0; /* bytes after `next` that hold no end of a line */

	for (;;) {
		int error;

		while (seen == 0 && port->next < port->used && is_end(port->in[port->next]))
			port->next++;
		while (port->next + seen < port->used && !is_end(port->in[port->next + seen]))
			seen++;
		if (port->next + seen < port->used) {
			*line = (struct at_line){port->in + port->next, seen};
			port->next += seen + 1;
			return 0;
		}
		error = fill(port, deadline);
		if (error)
			return error;
	}
}

void at_port_wipe(struct at_port *port)
{
	size_t rest = port->used - port->next;

	memmove(port->in, port->in + port->next, rest);
	if (port->dirty > rest)
		bytes_wipe(port->in + rest, port->dirty - rest);
	port->dirty = rest;
	port->used = rest;
	port->next = 0;
}

void at_port_forget(struct at_port *port)
{
	port->next = port->used;
	at_port_wipe(port);
}
