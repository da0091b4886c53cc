/*
 * The clone alarm: two different contents under one counter value, both signed by one card, cannot
 * come from one card. The card is suspended until the subscriber gets another; every credential
 * that was issued over it is revoked, and every messenger that trusts it is told.
 */
#include "operator_decide.h"

#include "audit.h"
#include "operator_registration.h"
#include "outbox.h"

#include <stdlib.h>

int operator_clone_alarm(struct work *work, struct subscriber *subscriber)
{
	const struct vault *vault = work->service->vault;
	const struct audit_line line = {
		.actor = "operator",
		.action = "clone alarm: card suspended",
		.subscriber = &subscriber->index,
	};
	struct registration *list = NULL;
	size_t count = 0;
	int result;

	subscriber->card_state = SUBSCRIBER_CARD_SUSPENDED;
	result = subscriber_write(work->db, vault, subscriber);
	if (result == DB_OK)
		result = audit_write(work->db, vault, work->chain, &line);
	if (result == DB_OK)
		result = operator_status_revoke_all(work, &subscriber->index);
	if (result == DB_OK)
		result = operator_registration_standing(work, &subscriber->index, &list, &count);
	for (size_t i = 0; result == DB_OK && i < count; i++)
		result = outbox_put(work->db, vault, subscriber->index.hi, list[i].audience,
				    list[i].id, SIMTIE_EVENT_SUSPENDED);
	if (list)
		bytes_wipe(list, count * sizeof(*list));
	free(list);
	return result;
}
