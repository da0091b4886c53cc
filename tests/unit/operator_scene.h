/*
 * What tests of events and of what a subscriber sees do alike: ask an operator for tests, and look
 * at the answer.
 */
#ifndef SIMTIE_TESTS_OPERATOR_SCENE_H
#define SIMTIE_TESTS_OPERATOR_SCENE_H

#include "operator_place.h"

/* A request of the operator's own systems about a number. `body` may be NULL. */
struct request operator_scene_admin(const char *number, const char *body);

/* Runs a handler; what its answer says in a word, its body as text (`body` may be NULL), and what
 * it was held back for, ms (`held_back` may be NULL). */
const char *operator_scene_run(struct operator_place *place, request_handler *handler,
			       const struct request *request, char *body, size_t size,
			       unsigned *held_back);

/* An event; the answer's body into `answer`, of 256 bytes, or NULL. */
const char *operator_scene_event(struct operator_place *place, const char *number, const char *body,
				 char *answer);

/* Registers the SIM of a number at a messenger; the verification's id into `id`. */
void operator_scene_enrol(struct operator_place *place, struct operator_sim *sim,
			  const char *number, const char *audience, char *id);

#endif
