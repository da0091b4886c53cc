#include "fault_transport.h"

static int fault_transmit(void *state, struct deadline deadline, struct bytes command,
			  uint8_t *answer, size_t size, size_t *answer_len)
{
	struct fault *fault = state;
	const struct transport *inner = fault->inner.transport;
	int error;

	if (fault->happened)
		return SIMTIE_ERR_GONE;
	if (fault->exchanges_left > 0) {
		fault->exchanges_left--;
		return inner->transmit(fault->inner.state, deadline, command, answer, size,
				       answer_len);
	}
	fault->happened = true;
	if (fault->cut == FAULT_ANSWER_LOST) {
		error = inner->transmit(fault->inner.state, deadline, command, answer, size,
					answer_len);
		if (error)
			return error;
		*answer_len = 0;
	}
	return SIMTIE_ERR_GONE;
}

static int fault_reset(void *state, struct deadline deadline, struct card_line *line)
{
	struct fault *fault = state;

	return fault->inner.transport->reset(fault->inner.state, deadline, line);
}

static void fault_close(void *state)
{
	struct fault *fault = state;

	fault->inner.transport->close(fault->inner.state);
}

static const struct transport transport_fault = {
	.transmit = fault_transmit,
	.reset = fault_reset,
	.close = fault_close,
};

void fault_wrap(struct fault *fault, struct link *link)
{
	fault->inner = *link;
	*link = (struct link){&transport_fault, fault};
}
