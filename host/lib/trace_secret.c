#include <string.h>

#include "trace.h"

void trace_memory_start(struct trace_memory *memory)
{
	memset(memory, 0, sizeof *memory);
	for (size_t i = 0; i < TRACE_CHANNELS; i++)
		decode_command(bytes_of(NULL, 0), &memory->channels[i].command);
}

/* Bytes with a mark for each. */
struct mask {
	const uint8_t *bytes;
	bool *hidden;
};

static void hide(void *context, struct bytes secret)
{
	const struct mask *mask = context;

	memset(mask->hidden + (secret.ptr - mask->bytes), true, secret.len);
}

/* Whether objects end in the middle of one: then nothing tells where a secret begins. */
static bool is_broken(enum command_id command, bool response, struct bytes data)
{
	struct decode_object object;
	struct decode_walk walk;
	enum decode_step step;

	decode_walk(&walk, command, response, data);
	do
		step = decode_next(&walk, &object);
	while (step == DECODE_OBJECT);
	return step == DECODE_BROKEN;
}

/*
 * ISO/IEC 7816-4 §11.6 keeps the instructions on PINs and passwords in one block, with the odd ones
 * in it for BER-TLV data. Other cards know more of them than simtie, and in other classes.
 */
static bool is_verification(uint8_t ins)
{
	return ins >= INS_VERIFY_PIN && ins <= (INS_RESET_RETRY_COUNTER | 1);
}

void trace_hide_command(struct trace_memory *memory, struct bytes bytes, bool *hidden)
{
	struct mask mask = {bytes.ptr, hidden};
	struct decode_command command;
	bool part;

	memset(hidden, false, bytes.len);
	decode_command(bytes, &command);
	uint8_t ins = command.apdu.header[1];
	part = memory->chained && memory->chain_ins == ins;
	if (is_verification(ins) && command.apdu.data.len > 0)
		hide(&mask, command.apdu.data);
	else
		decode_secrets(bytes, part || is_broken(command.command, false, command.apdu.data),
			       hide, &mask);
	memory->chained = command.class.chained;
	memory->chain_ins = ins;
	memory->channel = command.class.channel;
	if (command.command == COMMAND_GET_RESPONSE)
		return;
	memory->channels[memory->channel].command = command;
	memory->channels[memory->channel].begun = false;
}

/* A response is read as objects only where all of it is here; pieces of one could pass for what
 * they are not. */
void trace_hide_answer(struct trace_memory *memory, struct bytes answer, bool *hidden)
{
	const struct decode_command *command = &memory->channels[memory->channel].command;
	bool *begun = &memory->channels[memory->channel].begun;
	struct mask mask = {answer.ptr, hidden};
	struct bytes data = answer;
	bool more = true;

	memset(hidden, false, answer.len);
	if (answer.len >= 2) {
		data.len -= 2;
		more = (get_be16(answer.ptr + data.len) & 0xFF00) == SW_BYTES_AVAILABLE;
	}
	decode_response_secrets(command, data,
				*begun || more || is_broken(command->command, true, data), hide,
				&mask);
	*begun |= data.len > 0;
}
