#include "card_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "registry.h"

/*
 * A card of a tray that is done goes at pcscd's first look at it after STAY_MS, not before: the
 * reset that ended its session asks for the card too, and a reader that lost its card then holds up
 * pcscd's list of all readers. The reader is empty for CHANGE_MS, less than the 400 ms to the next
 * look: a card that came back at once would be taken for the old one.
 */
#define STAY_MS   100
#define CHANGE_MS 100

/* Frames of one byte are vpcd's own, not the reader's. */
enum vpcd_control {
	VPCD_OFF = 0,
	VPCD_ON = 1,
	VPCD_RESET = 2,
	VPCD_ATR = 4,
};

/* A card that comes while some program takes the one before for still there can go unseen by pcscd
 * for good: it looks, and gives no power. After so many looks the card goes, and comes once more.
 */
#define LOOKS_MAX 4
#define AGAIN_MS  500

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

void card_say(const char *text)
{
	fprintf(stderr, "simtie-card: %s\n", text);
}

static void say_where(const struct card *card, const char *before, const char *after)
{
	const char *host = card->options->host;
	bool v6 = strchr(host, ':') != NULL;

	fprintf(stderr, "simtie-card: %s %s%s%s:%s%s\n", before, v6 ? "[" : "", host, v6 ? "]" : "",
		card->options->port, after);
}

/* ---- The applet ---- */

static bool insert(struct card *card)
{
	const char *name = card->current.state[0] ? card->current.state : "the card";
	const char *anew = "begin anew with --reset";

	switch (applet_open(&card->applet, &card->posix.port)) {
	case JOURNAL_OK:
		applet_reset(&card->applet, card->options->atr.protocol);
		return true;
	case JOURNAL_UNKNOWN:
		fprintf(stderr,
			"simtie-card: %s: of another version of the card; use that, or %s\n", name,
			anew);
		return false;
	case JOURNAL_IO:
		card_say(card->posix.error.text);
		return false;
	case JOURNAL_CORRUPT:
	case JOURNAL_ABSENT:
	case JOURNAL_FULL:
	case JOURNAL_UNUSABLE:
	case JOURNAL_TOO_SMALL:
		break;
	}
	fprintf(stderr,
		"simtie-card: %s: the card's records are damaged; bring back a copy, or %s\n", name,
		anew);
	return false;
}

static bool open_memory(struct card *card)
{
	const struct card_options *options = card->options;
	enum posix_result result;

	if (card->current.state[0] == '\0') {
		if (!options->tray)
			card_say("no --state: the card is gone when this program ends");
		result = posix_port_memory(&card->posix, options->seed);
	} else {
		result = posix_port_file(&card->posix, card->current.state, options->seed,
					 options->reset ? POSIX_FACTORY : POSIX_KEEP);
	}
	if (result != POSIX_OK)
		card_say(card->posix.error.text);
	if (result == POSIX_DAMAGED || result == POSIX_VERSION)
		card_say("--reset makes a new card of this file; the old one is then lost");
	card->posix.port.issuer = &card->issuer.port;
	return result == POSIX_OK;
}

/* ---- Which card ---- */

/* A card of a tray is done once its issuer has locked it, or ended its life. */
static bool is_done(const struct card *card)
{
	return card->options->tray &&
	       (card->applet.lifecycle == LIFECYCLE_TERMINATED ||
		registry_lifecycle(&card->applet, APPLICATION_DOMAIN) == CARD_STATE_SECURED);
}

/* Makes the issuer that of the current card. Its keys may be derived from the card's name. */
static bool take_issuer(struct card *card)
{
	issuer_copy(&card->issuer, card->options->issuer);
	if (issuer_of_card(&card->issuer, card->current.iccid))
		return true;
	card_say("the crypto library failed");
	return false;
}

static bool open_card(struct card *card)
{
	return take_issuer(card) && open_memory(card) && insert(card);
}

/* The only card. */
static enum next fill_once(struct card *card)
{
	const struct card_options *options = card->options;

	snprintf(card->current.iccid, sizeof(card->current.iccid), "%s", options->iccid);
	snprintf(card->current.state, sizeof(card->current.state), "%s",
		 options->state ? options->state : "");
	return open_card(card) ? GO_ON : BREAK_OFF;
}

/* The next card of the tray that is not done yet. END: there is none. */
static enum next fill_from_tray(struct card *card)
{
	card->done = false;
	card->stays = 0;
	while (tray_take(card->options->tray, &card->current)) {
		posix_port_close(&card->posix);
		if (!open_card(card))
			return BREAK_OFF;
		if (!is_done(card)) {
			fprintf(stderr, "simtie-card: %s goes in\n", card->current.iccid);
			return GO_ON;
		}
	}
	card_say("the tray is done");
	return END;
}

/* Takes the card out for so long. */
static void leave(struct card *card, int64_t ms)
{
	link_leave(&card->link, ms);
	card->looks = 0;
	card->powered = false;
}

static enum next change_card(struct card *card)
{
	enum next next = fill_from_tray(card);

	leave(card, CHANGE_MS);
	return next;
}

static bool exchange_card(struct card *card)
{
	if (posix_port_factory(&card->posix) != POSIX_OK) {
		card_say(card->posix.error.text);
		return false;
	}
	link_restart(&card->link);
	card_say("card taken out, a factory-fresh one goes in");
	return insert(card);
}

/* ---- Frames ---- */

/* Says what went by. Never data: it may be a PIN. */
static void note_exchange(struct bytes command, struct answer answer)
{
	const uint8_t *p = command.ptr;

	if (command.len < 4)
		fprintf(stderr, "simtie-card: %zu bytes, no command", command.len);
	else
		fprintf(stderr, "simtie-card: %02X %02X %02X %02X, %zu bytes", p[0], p[1], p[2],
			p[3], command.len);
	fprintf(stderr, " > %04X, %zu bytes\n", answer.sw, answer.data.len);
}

/* Whether a command makes a card work hard: a signature, or a key pair. */
static bool is_slow(struct bytes command)
{
	return command.len > 1 && (command.ptr[1] == INS_INTERNAL_AUTHENTICATE ||
				   command.ptr[1] == INS_GENERATE_KEY_PAIR);
}

struct answer card_carry_out(struct card *card, struct bytes body)
{
	struct answer answer = applet_transmit(&card->applet, body);

	if (is_slow(body) && card->options->sign_ms > 0)
		poll(NULL, 0, (int)card->options->sign_ms); /* as hardware: deaf meanwhile */
	if (card->options->verbose)
		note_exchange(body, answer);
	if (card->posix.error.result != POSIX_OK) {
		card_say(card->posix.error.text);
		card->posix.error.result = POSIX_OK;
	}
	return answer;
}

static void command(struct card *card, struct bytes body)
{
	struct answer answer = card_carry_out(card, body);
	uint8_t sw[2];

	put_be16(sw, answer.sw);
	link_answer(&card->link, answer.data, bytes_of(sw, sizeof(sw)));
}

/* The applet forgets the same at power off, power on and reset. */
static void power(struct card *card, const char *what)
{
	applet_reset(&card->applet, card->options->atr.protocol);
	if (card->stays == 0 && is_done(card))
		card->stays = now() + STAY_MS;
	if (card->options->verbose)
		card_say(what);
}

/* What vpcd asks of the card itself. Any other frame, of whatever length, is a command and gets the
 * applet's answer: vpcd waits for one, and its reader would hang without. */
static void frame(struct card *card, struct bytes body)
{
	const struct atr *atr = &card->options->atr;

	switch (body.len == 1 ? body.ptr[0] : -1) {
	case VPCD_OFF:
		power(card, "power off");
		return;
	case VPCD_ON:
		card->powered = true;
		power(card, "power on");
		return;
	case VPCD_RESET:
		power(card, "reset");
		return;
	case VPCD_ATR:
		card->done = card->stays != 0 && now() >= card->stays;
		if (card->done)
			return;
		if (card->options->tray && !card->powered && ++card->looks > LOOKS_MAX) {
			leave(card, AGAIN_MS);
			return;
		}
		link_answer(&card->link, bytes_of(atr->bytes, atr->len), bytes_of(NULL, 0));
		return;
	default:
		command(card, body);
	}
}

/* ---- Serving ---- */

static void link_happened(struct card *card, enum link_event event)
{
	switch (event) {
	case LINK_QUIET:
		break;
	case LINK_WAITING:
		say_where(card, "no reader at", " yet, trying on");
		break;
	case LINK_HEARD:
		say_where(card, "card in reader at", "");
		break;
	case LINK_UNHEARD:
		say_where(card, "the reader at",
			  " does not ask for this card; is another one in it?");
		break;
	case LINK_LOST:
		applet_reset(&card->applet, card->options->atr.protocol);
		say_where(card, "reader lost at", ", trying on");
		break;
	}
}

enum next card_signal_came(struct card *card)
{
	struct signalfd_siginfo info;

	if (read(card->signals, &info, sizeof(info)) != sizeof(info))
		return GO_ON;
	if (info.ssi_signo != SIGUSR1)
		return END;
	return exchange_card(card) ? GO_ON : BREAK_OFF;
}

static enum next serve_once(struct card *card)
{
	struct pollfd wanted[2] = {{.fd = card->signals, .events = POLLIN}};
	struct bytes body;
	int timeout;

	link_wants(&card->link, &wanted[1], &timeout);
	if (poll(wanted, 2, timeout) < 0 && errno != EINTR) {
		perror("simtie-card: poll");
		return BREAK_OFF;
	}
	if (wanted[0].revents)
		return card_signal_came(card);
	link_happened(card, link_step(&card->link, &wanted[1]));
	while (!card->done && link_take(&card->link, &body))
		frame(card, body);
	return card->done ? change_card(card) : GO_ON;
}

/* ---- Beginning and end ---- */

static bool open_link(struct card *card)
{
	int error = link_open(&card->link, card->options->host, card->options->port);

	if (error)
		fprintf(stderr, "simtie-card: %s: no such host (%s); see --host\n",
			card->options->host, gai_strerror(error));
	return error == 0;
}

/* Signals are taken from a descriptor from here on, so that none comes at a bad moment. */
static int take_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN); /* nobody reads stderr any more: no reason to end */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void close_card(struct card *card)
{
	link_close(&card->link);
	if (card->claim.device)
		claim_close(&card->claim);
	posix_port_close(&card->posix);
	issuer_wipe(&card->issuer);
	bytes_wipe(&card->applet, sizeof(card->applet));
	if (card->signals >= 0)
		close(card->signals);
}

bool card_serve(const struct card_options *options)
{
	struct card card = {.options = options, .link.fd = -1, .signals = -1};
	enum next next = BREAK_OFF;

	/* Before signals are held back: this may take as long as a name server does. */
	if (!options->nfc && !open_link(&card))
		return false;
	card.signals = take_signals();
	if (card.signals < 0)
		perror("simtie-card: signalfd");
	else if (!options->nfc || card_air_open(&card))
		next = options->tray ? fill_from_tray(&card) : fill_once(&card);
	while (next == GO_ON)
		next = options->nfc ? card_air_serve(&card) : serve_once(&card);
	close_card(&card);
	return next == END;
}
