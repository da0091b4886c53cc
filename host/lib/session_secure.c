#include "session_secure.h"

#include <string.h>

#include "client.h"

/* Bytes of a host challenge in the two modes of SCP03. */
#define CHALLENGE_S8  8
#define CHALLENGE_S16 16

/* Answer to INITIALIZE UPDATE, at its longest. */
#define INITIALIZE_ANSWER_MAX                                                                      \
	(SCP03_DIVERSIFICATION_SIZE + 3 + 2 * SCP03_MAC_MAX + SCP03_SEQUENCE_SIZE)

#define VERSION_AND_CHECKS (1 + 3 * SCP03_KCV_SIZE)

/* ---- Within a session ---- */

void session_secure_break(struct simtie_session *session, enum scp03_result why)
{
	scp03_end(&session->secure.scp);
	session->secure.broken = true;
	session->secure.why = why;
}

int session_secure_failed(struct simtie_session *session, enum scp03_result why)
{
	session->secure.why = why;
	switch (why) {
	case SCP03_OK:
		return 0;
	case SCP03_ARGUMENT:
	case SCP03_TOO_LONG:
		return SIMTIE_ERR_ARGUMENT;
	case SCP03_REFUSED:
		return SIMTIE_ERR_CARD;
	case SCP03_ORDER:
	case SCP03_ROOM:
	case SCP03_MALFORMED:
	case SCP03_PROTOCOL:
	case SCP03_VERSION:
	case SCP03_LEVEL:
	case SCP03_CRYPTOGRAM:
	case SCP03_CHALLENGE:
	case SCP03_BAD_MAC:
	case SCP03_BAD_PADDING:
	case SCP03_KEY_CHECK:
	case SCP03_FAILED:
	case SCP03_RECEIPT:
	case SCP03_POINT:
	case SCP03_CERTIFICATE:
	case SCP03_NO_CERTIFICATE:
		break;
	}
	return SIMTIE_ERR_SECURE;
}

/* Whether a command ends a secure channel on logical channel `number`, if the card takes it. */
static bool ends(const struct apdu *apdu, const struct apdu_class *class, uint8_t number)
{
	if (apdu->header[1] == INS_SELECT && class->base == CLA_SELECT)
		return class->channel == number;
	return apdu->header[1] == INS_MANAGE_CHANNEL && class->base == CLA_MANAGE_CHANNEL &&
	       apdu->header[2] == CHANNEL_ACTION_CLOSE && apdu->header[3] == number;
}

/* What the card's operating system answers itself, in clear. */
static bool is_for_the_card(const struct apdu *apdu, const struct apdu_class *class)
{
	return class->base == CLA_SELECT &&
	       (apdu->header[1] == INS_SELECT || apdu->header[1] == INS_MANAGE_CHANNEL ||
		apdu->header[1] == INS_GET_RESPONSE);
}

/* Whether a command begins a secure channel anew. */
static bool begins(const struct apdu *apdu, const struct apdu_class *class)
{
	if (class->base == CLA_INITIALIZE_UPDATE && apdu->header[1] == INS_INITIALIZE_UPDATE)
		return true;
	return class->base == CLA_INTERNAL_AUTHENTICATE_SCP11B &&
	       apdu->header[1] == INS_INTERNAL_AUTHENTICATE_SCP11B &&
	       apdu->header[3] == KEY_ID_SCP11B;
}

int session_secure_route(struct simtie_session *session, const struct apdu *apdu,
			 struct secure_route *route)
{
	const struct apdu_class class = apdu_class(apdu->header[0]);
	const bool open = session->secure.scp.state != SCP03_STATE_NONE;

	*route = (struct secure_route){0};
	if (!open && !session->secure.broken)
		return 0;
	if (begins(apdu, &class)) {
		simtie_secure_close(session); /* a card has one channel at a time */
		return 0;
	}
	route->ends = ends(apdu, &class, session->secure.channel);
	if (class.channel != session->secure.channel || is_for_the_card(apdu, &class))
		return 0;
	if (session->secure.broken)
		return SIMTIE_ERR_SECURE;
	if (class.secure || class.reserved)
		return SIMTIE_ERR_ARGUMENT;
	route->wrapped = session->secure.scp.state == SCP03_STATE_OPEN;
	return 0;
}

void session_secure_after(struct simtie_session *session)
{
	uint8_t sw1 = session->sw >> 8;

	if (session->sw == SW_OK || sw1 == SW_TERMINATED >> 8)
		simtie_secure_close(session);
}

uint32_t session_secure_unasked(const struct simtie_session *session)
{
	const bool mac = session->secure.scp.level & SCP03_LEVEL_R_MAC;

	return mac ? APDU_NE_SHORT : 0;
}

int session_secure_wrap(struct simtie_session *session, struct bytes command, uint8_t *out,
			size_t size, size_t *len)
{
	enum scp03_result result = scp03_wrap(&session->secure.scp, command, out, size, len);

	if (result != SCP03_OK)
		session_secure_break(session, result);
	return session_secure_failed(session, result);
}

int session_secure_unwrap(struct simtie_session *session, uint8_t *answer, size_t *len)
{
	enum scp03_result result = scp03_unwrap(&session->secure.scp, bytes_of(answer, *len),
						session->sw, answer, *len, len);

	if (result != SCP03_OK)
		session_secure_break(session, result);
	else if (session->sw == SW_WRONG_MAC) /* its own check failed: the card has ended it */
		session_secure_break(session, SCP03_ORDER);
	return session_secure_failed(session, result);
}

/* ---- For callers ---- */

bool simtie_secure_is_open(const struct simtie_session *session)
{
	return session->secure.scp.state == SCP03_STATE_OPEN;
}

const char *simtie_secure_text(const struct simtie_session *session)
{
	return scp03_text(session->secure.why);
}

void simtie_secure_close(struct simtie_session *session)
{
	scp03_end(&session->secure.scp);
	session->secure.broken = false;
}

static int initialize(struct simtie_session *session, uint8_t version, size_t challenge_len)
{
	struct scp03 *scp = &session->secure.scp;
	uint8_t challenge[SCP03_MAC_MAX], command[SCP03_INITIALIZE_MAX];
	uint8_t answer[INITIALIZE_ANSWER_MAX];
	enum scp03_result result = scp03_draw(challenge, challenge_len);
	size_t len, answer_len;
	int error;

	session->secure.channel = session->channel;
	if (result == SCP03_OK)
		result = scp03_begin(scp, session->channel, version,
				     bytes_of(challenge, challenge_len), command, &len);
	if (result != SCP03_OK)
		return session_secure_failed(session, result);
	error = simtie_transmit_clear(session, command, len, answer, sizeof answer, &answer_len);
	if (error == SIMTIE_ERR_MEMORY)
		return session_secure_failed(session, SCP03_MALFORMED);
	if (error)
		return error;
	return session_secure_failed(
		session, scp03_answered(scp, bytes_of(answer, answer_len), session->sw));
}

int simtie_secure_begin(struct simtie_session *session, uint8_t version,
			struct simtie_secure_card *card)
{
	struct scp03 *scp = &session->secure.scp;
	int error;

	if (!scp03_version_valid(version))
		return SIMTIE_ERR_ARGUMENT;
	simtie_secure_close(session);
	error = initialize(session, version, CHALLENGE_S8);
	if (error == SIMTIE_ERR_CARD && session->sw == SW_WRONG_LENGTH)
		error = initialize(session, version, CHALLENGE_S16);
	if (error) {
		scp03_end(scp);
		return error;
	}
	if (!card)
		return 0;
	memcpy(card->diversification, scp->card.diversification, sizeof card->diversification);
	card->version = scp->card.version;
	card->options = scp->card.i;
	return 0;
}

static bool take_keys(const struct simtie_keys *keys, struct scp03_keys *taken)
{
	*taken = (struct scp03_keys){.version = keys->version, .len = keys->len};
	memcpy(taken->enc, keys->enc, sizeof taken->enc);
	memcpy(taken->mac, keys->mac, sizeof taken->mac);
	memcpy(taken->dek, keys->dek, sizeof taken->dek);
	return scp03_keys_valid(taken);
}

static int authenticate(struct simtie_session *session, const struct scp03_keys *keys,
			uint8_t level)
{
	struct scp03 *scp = &session->secure.scp;
	uint8_t command[SCP03_AUTHENTICATE_MAX], none;
	size_t len, none_len;
	enum scp03_result result =
		scp03_authenticate(scp, keys, bytes_of(NULL, 0), level, command, &len);
	int error;

	if (result != SCP03_OK)
		return session_secure_failed(session, result);
	error = simtie_transmit_clear(session, command, len, &none, 0, &none_len);
	if (error == SIMTIE_ERR_MEMORY)
		return session_secure_failed(session, SCP03_MALFORMED);
	if (error)
		return error;
	return session_secure_failed(session,
				     scp03_authenticated(scp, bytes_of(NULL, 0), session->sw));
}

int simtie_secure_finish(struct simtie_session *session, const struct simtie_keys *keys,
			 uint8_t level)
{
	struct scp03_keys taken;
	int error = SIMTIE_ERR_ARGUMENT;

	if (take_keys(keys, &taken))
		error = authenticate(session, &taken, level);
	if (error)
		scp03_end(&session->secure.scp);
	bytes_wipe(&taken, sizeof taken);
	return error;
}

int simtie_secure_open(struct simtie_session *session, const struct simtie_keys *keys,
		       uint8_t level)
{
	int error = simtie_secure_begin(session, keys->version, NULL);

	return error ? error : simtie_secure_finish(session, keys, level);
}

static int put_keys(struct simtie_session *session, const struct scp03_keys *current,
		    const struct scp03_keys *fresh, uint8_t replaced)
{
	uint8_t command[SCP03_PUT_KEY_MAX], answer[VERSION_AND_CHECKS];
	size_t len, answer_len;
	enum scp03_result result =
		scp03_put_key(session->channel, current, fresh, replaced, command, &len);
	int error;

	if (result != SCP03_OK)
		return session_secure_failed(session, result);
	error = simtie_transmit(session, command, len, answer, sizeof answer, &answer_len);
	bytes_wipe(command, sizeof command);
	if (error == SIMTIE_ERR_MEMORY)
		return session_secure_failed(session, SCP03_MALFORMED);
	if (!error && session->sw != SW_OK)
		return SIMTIE_ERR_CARD;
	if (error)
		return error;
	return session_secure_failed(session,
				     scp03_put_key_answered(fresh, bytes_of(answer, answer_len)));
}

int simtie_put_keys(struct simtie_session *session, const struct simtie_keys *current,
		    const struct simtie_keys *fresh, uint8_t replaced)
{
	struct scp03_keys old, new;
	int error = SIMTIE_ERR_ARGUMENT;

	if (!simtie_secure_is_open(session) || session->secure.channel != session->channel)
		return session_secure_failed(session, SCP03_ORDER);
	if (take_keys(current, &old) && take_keys(fresh, &new))
		error = put_keys(session, &old, &new, replaced);
	bytes_wipe(&old, sizeof old);
	bytes_wipe(&new, sizeof new);
	return error;
}
