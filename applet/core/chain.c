#include "chain.h"

void chain_drop(struct applet *applet)
{
	size_t kept = applet->store.used;

	/* All of it: unwrapped data stands past chain_used. */
	bytes_wipe(applet->chain + kept, sizeof applet->chain - kept);
	applet->chain_used = kept;
	applet->chaining = false;
}

void chain_forget_blocks(struct applet *applet)
{
	bytes_wipe(applet->chain, applet->store.used);
	applet->store = (struct store){0};
}

struct bytes chain_data(const struct applet *applet)
{
	return bytes_of(applet->chain + applet->store.used,
			applet->chain_used - applet->store.used);
}

uint8_t chain_channel(const struct applet *applet)
{
	return applet->chain_header[0] & 0x03;
}

bool chain_broken(const struct applet *applet, const struct command *command)
{
	return applet->chaining &&
	       memcmp(applet->chain_header, command->header, sizeof command->header) != 0;
}

bool chain_add(struct applet *applet, const struct command *command)
{
	if (command->data.len > sizeof applet->chain - applet->chain_used)
		return false;
	memcpy(applet->chain_header, command->header, sizeof command->header);
	if (command->data.len) /* may stand there already, unwrapped */
		memmove(applet->chain + applet->chain_used, command->data.ptr, command->data.len);
	applet->chain_used += command->data.len;
	applet->chaining = true;
	return true;
}
