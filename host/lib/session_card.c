/*
 * A secure channel in which the card proves itself and the host proves nothing: SCP11b.
 */
#include <string.h>

#include "client.h"
#include "scp11.h"
#include "session_secure.h"

#define CERTIFICATE_ANSWER_MAX (2 + 3 + LIMIT_CERTIFICATE_MAX)

static int get_certificate(struct simtie_session *session,
			   uint8_t answer[static CERTIFICATE_ANSWER_MAX], struct bytes *certificate)
{
	return client_get_data(session, TAG_CHANNEL_CERTIFICATE, answer, CERTIFICATE_ANSWER_MAX,
			       certificate);
}

/* The card's point: pinned, or out of its certificate. */
static int find_point(struct simtie_session *session, const struct simtie_card_trust *trust,
		      uint8_t point[static LIMIT_POINT_SIZE])
{
	uint8_t answer[CERTIFICATE_ANSWER_MAX];
	struct bytes certificate;
	int error;

	if (trust->point) {
		memcpy(point, trust->point, LIMIT_POINT_SIZE);
		return 0;
	}
	error = get_certificate(session, answer, &certificate);
	if (error == SIMTIE_ERR_CARD && session->sw == SW_NOT_SATISFIED)
		/* A channel that the card still had open: it has ended it with this command. */
		error = get_certificate(session, answer, &certificate);
	if (error == SIMTIE_ERR_CARD && session->sw == SW_DATA_NOT_FOUND)
		return session_secure_failed(session, SCP03_NO_CERTIFICATE);
	if (error)
		return error;
	return session_secure_failed(
		session,
		scp11_certificate(certificate, bytes_of(trust->root, trust->root_len), point));
}

static int agree(struct simtie_session *session, const uint8_t point[static LIMIT_POINT_SIZE])
{
	struct scp11 scp11;
	uint8_t ephemeral[SCP11_SCALAR_SIZE], command[SCP11_COMMAND_MAX];
	uint8_t answer[SCP11_ANSWER_MAX];
	size_t len, answer_len;
	enum scp03_result result = scp11_draw(ephemeral);
	int error;

	if (result == SCP03_OK)
		result = scp11_begin(&scp11, session->channel, ephemeral, command, &len);
	bytes_wipe(ephemeral, sizeof ephemeral);
	if (result != SCP03_OK)
		return session_secure_failed(session, result);
	error = simtie_transmit_clear(session, command, len, answer, sizeof answer, &answer_len);
	if (error == SIMTIE_ERR_MEMORY)
		result = SCP03_MALFORMED;
	else if (!error)
		result = scp11_answered(&scp11, point, bytes_of(answer, answer_len), session->sw,
					&session->secure.scp);
	bytes_wipe(&scp11, sizeof scp11);
	if (error && error != SIMTIE_ERR_MEMORY)
		return error;
	return session_secure_failed(session, result);
}

int simtie_secure_open_card(struct simtie_session *session, const struct simtie_card_trust *trust,
			    bool *verified)
{
	static const struct simtie_card_trust nobody = {0};
	uint8_t point[LIMIT_POINT_SIZE];
	int error;

	if (!trust)
		trust = &nobody;
	*verified = false;
	simtie_secure_close(session);
	error = find_point(session, trust, point);
	session->secure.channel = session->channel;
	if (!error)
		error = agree(session, point);
	if (!error)
		*verified = trust->point || trust->root_len > 0;
	return error;
}
