#include "access.h"
#include "objects.h"

uint16_t cmd_store_data(struct applet *applet, struct command *command)
{
	if (!access_personalise(applet, command))
		return SW_NOT_SATISFIED;
	return objects_store(applet, command->data, objects_of_attestation);
}
