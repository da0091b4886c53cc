/*
 * Who may write next: threads in the order in which they came.
 *
 * SQLite lets one connection write at a time and has the others poll for it. A turn wakes the next
 * one instead, and nobody waits for ever.
 */
#ifndef SIMTIE_SERVICE_ENGINE_TURN_H
#define SIMTIE_SERVICE_ENGINE_TURN_H

#include <pthread.h>

struct turn {
	pthread_mutex_t mutex;
	pthread_cond_t moved;
	unsigned long next, serving;
};

void turn_init(struct turn *turn);
void turn_destroy(struct turn *turn);

void turn_take(struct turn *turn);
void turn_give(struct turn *turn);

#endif
