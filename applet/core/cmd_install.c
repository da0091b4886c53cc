#include "access.h"
#include "registry.h"

/* Takes the AID out of 00 00, length and AID, 00 00 00. False: it is not of that form. */
static bool parse(struct bytes data, struct bytes *aid)
{
	size_t len = data.ptr[2];

	if (data.len != len + 6 || len == 0)
		return false;
	*aid = bytes_of(data.ptr + 3, len);
	return data.ptr[0] == 0 && data.ptr[1] == 0 && data.ptr[3 + len] == 0 &&
	       data.ptr[4 + len] == 0 && data.ptr[5 + len] == 0;
}

uint16_t cmd_install(struct applet *applet, struct command *command)
{
	struct bytes aid;

	if (!access_issuer(applet, command))
		return SW_NOT_SATISFIED;
	if (!parse(command->data, &aid))
		return SW_WRONG_DATA;
	if (!bytes_equal(aid, registry[APPLICATION_ATTESTATION].aid))
		return SW_DATA_NOT_FOUND;
	applet->store.for_attestation = true;
	return SW_OK;
}
