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

void trace_hide_command(struct trace_memory *memory, struct bytes bytes, bool *hidden)
{
	struct mask mask = {bytes.ptr, hidden};
	struct decode_command command;

	memset(hidden, false, bytes.len);
	decode_command(bytes, &command);
	uint8_t ins = command.apdu.header[1];
	decode_secrets(bytes, memory->chained && memory->chain_ins == ins, hide, &mask);
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
	decode_response_secrets(command, data, *begun || more, hide, &mask);
	*begun |= data.len > 0;
}
