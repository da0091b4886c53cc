#include "liar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "contract.h"
#include "known_keys.h"

static int liar_transmit(void *state, struct deadline deadline, struct bytes command,
			 uint8_t *answer, size_t size, size_t *answer_len)
{
	struct liar *liar = state;
	const bool now = ++liar->exchanges == liar->at;
	uint8_t sent[300];
	int error;

	assert_true(command.len <= sizeof sent);
	memcpy(sent, command.ptr, command.len);
	liar->cla = sent[0];
	liar->ins = sent[1];
	if (now && liar->in_command)
		sent[command.len - liar->byte] ^= 1;
	error = liar->inner.transport->transmit(
		liar->inner.state, deadline, bytes_of(sent, command.len), answer, size, answer_len);
	if (!error && now && liar->lost)
		return SIMTIE_ERR_TRANSPORT;
	if (!error && now && liar->wrong_le) {
		put_be16(answer, SW_WRONG_LE | 0x12);
		*answer_len = 2;
		return 0;
	}
	if (!error && now && !liar->in_command && liar->byte > 0 && *answer_len >= liar->byte)
		answer[*answer_len - liar->byte] ^= 1;
	return error;
}

static int liar_reset(void *state, struct deadline deadline, struct card_line *line)
{
	struct liar *liar = state;

	return liar->inner.transport->reset(liar->inner.state, deadline, line);
}

static void liar_close(void *state)
{
	struct liar *liar = state;

	liar->inner.transport->close(liar->inner.state);
}

static const struct transport transport_liar = {
	.transmit = liar_transmit,
	.reset = liar_reset,
	.close = liar_close,
};

struct simtie_session *liar_open_card(struct liar *liar, enum simtie_protocol protocol,
				      const struct simtie_options *options)
{
	char detail[SIMTIE_DETAIL_MAX];
	struct card_request request = {.protocol = protocol,
				       .deadline = deadline_after(SIMTIE_TIMEOUT_MS),
				       .detail = detail};
	struct simtie_session *session;
	struct card_line line;
	struct link link;

	*liar = (struct liar){0};
	assert_int_equal(transport_open("loop:", &request, &link, &line), 0);
	liar->inner = link;
	link = (struct link){&transport_liar, liar};
	assert_int_equal(session_on(link, &line, options, &session), 0);
	assert_int_equal(simtie_select(session, NULL), 0);
	return session;
}

void liar_secure(struct simtie_session *session, uint8_t level)
{
	assert_int_equal(simtie_secure_open(session, &known_keys, level), 0);
	assert_true(simtie_secure_is_open(session));
}
