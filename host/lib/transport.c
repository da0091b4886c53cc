#include "transport.h"

#include <string.h>

/* The first whose prefix fits counts; PC/SC's is empty and fits everything. */
static const struct transport *const transports[] = {
	&transport_loop,
	&transport_at,
	&transport_nfc,
	&transport_pcsc,
};

int transport_open(const char *reader, struct card_request *request, struct link *link,
		   struct card_line *line)
{
	const struct transport *const *transport = transports;

	if (!reader)
		reader = "";
	while (strncmp(reader, (*transport)->prefix, strlen((*transport)->prefix)) != 0)
		transport++;
	request->name = reader + strlen((*transport)->prefix);
	link->transport = *transport;
	link->state = NULL;
	return link->transport->open(request, &link->state, line);
}
