#include "chain.h"

void chain_drop(struct applet *applet)
{
	bytes_wipe(applet->chain, applet->chain_used);
	applet->chain_used = 0;
	applet->chaining = false;
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
	if (command->data.len)
		memcpy(applet->chain + applet->chain_used, command->data.ptr, command->data.len);
	applet->chain_used += command->data.len;
	applet->chaining = true;
	return true;
}
