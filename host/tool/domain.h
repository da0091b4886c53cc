/*
 * What the issuer security domain of the card in the reader says.
 *
 * Owns nothing. Takes a card without a domain for what it is: no failure.
 */
#ifndef SIMTIE_TOOL_DOMAIN_H
#define SIMTIE_TOOL_DOMAIN_H

#include <jansson.h>

#include "simtie.h"

#define DOMAIN_VALUE_MAX 10

/* One data object, as short as those here are; len 0: the card has none. */
struct domain_value {
	size_t len;
	uint8_t bytes[DOMAIN_VALUE_MAX];
};

struct domain {
	bool there;
	size_t set_count;
	struct simtie_key_set sets[SIMTIE_KEY_SETS_MAX];
	uint8_t protocol, options; /* 03, and the parameter i of SCP03; 0: the card does not say */
	struct domain_value diversification; /* tells this card from others */
	struct domain_value issuer_number;
	struct domain_value image_number;
};

/* Selects the domain and reads. 0, or what ended the session. */
int domain_read(struct simtie_session *session, struct domain *domain);

/* As lines of a result, and as members of one. */
void domain_print(const struct domain *domain);
void domain_json(const struct domain *domain, json_t *object);

/* Whether its key sets look as those of a virtual card that nobody gave others. Whether they are
 * the well-known test keys only an attempt would tell, which some cards count as a failed one. */
bool domain_is_as_made(const struct domain *domain);

#endif
