/*
 * Numbers are drawn and served in order.
 */
#include "engine_turn.h"

void turn_init(struct turn *turn)
{
	pthread_mutex_init(&turn->mutex, NULL);
	pthread_cond_init(&turn->moved, NULL);
	turn->next = turn->serving = 0;
}

void turn_destroy(struct turn *turn)
{
	pthread_cond_destroy(&turn->moved);
	pthread_mutex_destroy(&turn->mutex);
}

void turn_take(struct turn *turn)
{
	unsigned long mine;

	pthread_mutex_lock(&turn->mutex);
	mine = turn->next++;
	while (turn->serving != mine)
		pthread_cond_wait(&turn->moved, &turn->mutex);
	pthread_mutex_unlock(&turn->mutex);
}

void turn_give(struct turn *turn)
{
	pthread_mutex_lock(&turn->mutex);
	turn->serving++;
	pthread_cond_broadcast(&turn->moved);
	pthread_mutex_unlock(&turn->mutex);
}
