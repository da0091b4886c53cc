/*
 * A registration's row: what is sealed in it, which ones stand, and which are recorded still.
 *
 * Owns the form of the sealed part, and the form in which a registration is shown. Refuses to read
 * more than one subscriber's, or one of who had her number before.
 */
#ifndef SIMTIE_SERVICE_OPERATOR_REGISTRATION_H
#define SIMTIE_SERVICE_OPERATOR_REGISTRATION_H

#include "operator.h"

#define REGISTRATION_CODE_MAX   64  /* bytes of UTF-8 */
#define REGISTRATION_SEALED_MAX 640 /* bytes */

struct registration {
	uint8_t id[VAULT_ID_SIZE]; /* the verification's */
	char audience[SIMTIE_AUDIENCE_MAX + 1];
	char code[REGISTRATION_CODE_MAX + 1];
	int64_t registered_at; /* wall ms */
	uint32_t counter;
	/* Not sealed; of those that were found for a subscriber: */
	enum registration_state state;
	int64_t ended_at; /* wall ms; 0: it stands */
};

/* Seals it: bytes for the column `sealed`, at most REGISTRATION_SEALED_MAX. */
int operator_registration_seal(const struct vault *vault, const struct registration *registration,
			       uint8_t sealed[static REGISTRATION_SEALED_MAX], size_t *len,
			       uint32_t *key_id);

/* Opens one. DB_ERR_DAMAGED; DB_ERR_MEMORY. The caller's to wipe. */
int operator_registration_open(const struct vault *vault, const uint8_t id[static VAULT_ID_SIZE],
			       uint32_t key_id, struct bytes sealed,
			       struct registration *registration);

/* Those of a subscriber that stand; *list is malloc()ed, NULL when there is none. An error of db.h.
 */
int operator_registration_standing(struct work *work, const struct vault_index *subscriber,
				   struct registration **list, size_t *count);

/* All that is recorded of her, what stands first, then what ended last; but not more than
 * REGISTRATIONS_SHOWN_MAX: *complete. As above. */
#define REGISTRATIONS_SHOWN_MAX 1000
int operator_registration_recorded(struct work *work, const struct vault_index *subscriber,
				   struct registration **list, size_t *count, bool *complete);

/* {service, identificationCode, registeredAt, and of one that has ended endedAt, endedBy}. NULL:
 * out of memory. */
json_t *operator_registration_json(const struct registration *registration);

#endif
