/*
 * The decision, in five statements at most: subscriber, counter value, highest counter of the
 * service, status index, and whatever the caller writes.
 *
 * A subscriber's decisions run one after another, by the lock on her row. That each counter value
 * counts once does not hang on it: the key of attestations alone forbids a second one.
 */
#include "operator_decide.h"

#include "operator_cache.h"
#include "token.h"

#include <string.h>

#define DAY_S 86400

static struct simtie_policy policy_of(const struct operator_state *op,
				      const struct decide_request *request)
{
	return (struct simtie_policy){
		.audience = request->audience,
		.nonce = request->nonce.ptr,
		.nonce_len = request->nonce.len,
		.purpose = request->purpose,
		.allow_virtual = op->allow_virtual,
	};
}

enum simtie_refusal operator_decide_token(const struct operator_state *op,
					  const struct decide_request *request)
{
	const struct simtie_policy policy = policy_of(op, request);
	struct simtie_claims claims;

	return simtie_token_check(&policy, request->token, &claims);
}

/* Verifies under the card's key. False: the library failed. */
static bool token_holds(struct operator_state *op, const struct decide_request *request,
			const struct simtie_card_key *key, bool may,
			uint8_t service_public[static SIMTIE_POINT_SIZE], uint32_t *counter,
			bool *holds)
{
	const struct simtie_crypto *crypto = simtie_crypto_openssl();
	const struct simtie_policy policy = policy_of(op, request);
	uint8_t name[OPERATOR_CACHE_NAME_SIZE], spare[SIMTIE_POINT_SIZE];
	struct simtie_claims claims;
	uint32_t unused;
	enum simtie_refusal refusal;
	bool cached;

	*holds = false;
	if (!operator_cache_name(key, request->audience, name))
		return false;
	cached = operator_cache_get(op->cache, name, service_public);
	if (!cached && !simtie_service_key(crypto, key, request->audience, service_public))
		return false;
	refusal = simtie_token_verify(
		crypto, &(const struct simtie_verify_key){key, service_public}, &policy,
		request->token.ptr, request->token.len, &claims, counter);
	if (refusal == SIMTIE_INTERNAL_ERROR)
		return false;
	*holds = refusal == SIMTIE_ACCEPTED;
	if (*holds && may) {
		if (!cached)
			operator_cache_put(op->cache, name, service_public);
		return true;
	}
	/* Every no costs one derivation and one counter opened, whatever it is for. */
	if (cached)
		simtie_service_key(crypto, key, request->audience, spare);
	if (!*holds)
		simtie_counter_open(crypto, key, &claims, &unused);
	return true;
}

/* What is counted: the token but for its signature, which stands at its end (the token is known to
 * be deterministic). From one ECDSA signature another over the same bytes can be made by anyone;
 * that must not pass for a clone. */
static bool content_digest(struct bytes token, uint8_t digest[static SIMTIE_DIGEST_SIZE])
{
	return token.len > SIMTIE_SIGNATURE_SIZE &&
	       simtie_crypto_openssl()->sha256(
		       bytes_of(token.ptr, token.len - SIMTIE_SIGNATURE_SIZE), digest);
}

/* A counter value that was there before: the same token once more, or another under it. */
static int counted_before(struct work *work, struct subscriber *subscriber,
			  const uint8_t digest[static SIMTIE_DIGEST_SIZE],
			  struct decision *decision)
{
	static const char look[] = "SELECT digest FROM attestations"
				   " WHERE hi = $1 AND lo = $2 AND card = $3 AND counter = $4";
	bool same;
	int result = db_query(work->db, look,
			      DB_VALUES(db_int(subscriber->index.hi), db_int(subscriber->index.lo),
					db_bytes(bytes_of(subscriber->card, SUBSCRIBER_CARD_SIZE)),
					db_int(decision->counter)));

	if (result == DB_OK)
		result = db_next(work->db);
	if (result != DB_ROW)
		return result == DB_OK ? DB_ERR_BUSY : result;
	same = bytes_equal(db_column_bytes(work->db, 0), bytes_of(digest, SIMTIE_DIGEST_SIZE));
	db_end(work->db);
	if (same) {
		decision->reason = REASON_TOKEN_USED;
		return DB_OK;
	}
	decision->reason = REASON_NOT_CONFIRMED;
	decision->cloned = true;
	return operator_clone_alarm(work, subscriber);
}

static int count(struct work *work, const struct decide_request *request,
		 struct subscriber *subscriber, struct decision *decision)
{
	static const char insert[] =
		"INSERT INTO attestations (hi, lo, card, counter, service, digest, at)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
	static const char raise[] =
		"INSERT INTO counters (hi, lo, card, service, counter)"
		" VALUES ($1, $2, $3, $4, $5) ON CONFLICT (hi, lo, card, service)"
		" DO UPDATE SET counter = excluded.counter"
		" WHERE counters.counter < excluded.counter";
	const struct db_value hi = db_int(subscriber->index.hi), lo = db_int(subscriber->index.lo);
	const struct db_value card = db_bytes(bytes_of(subscriber->card, SUBSCRIBER_CARD_SIZE));
	const struct db_value counter = db_int(decision->counter);
	uint8_t digest[SIMTIE_DIGEST_SIZE];
	int64_t service, changed;
	int result;

	if (!subscriber_service(work->service->vault, &subscriber->index, request->audience,
				&service) ||
	    !content_digest(request->token, digest))
		return DB_ERR_MEMORY;
	result = db_run(work->db, insert,
			DB_VALUES(hi, lo, card, counter, db_int(service),
				  db_bytes(bytes_of(digest, sizeof(digest))),
				  db_int(clock_wall_ms())),
			&changed);
	if (result == DB_OK && changed == 0)
		return counted_before(work, subscriber, digest, decision);
	if (result == DB_OK)
		result = db_run(work->db, raise, DB_VALUES(hi, lo, card, db_int(service), counter),
				&changed);
	if (result == DB_OK && changed == 0)
		decision->reason = REASON_OLD_COUNTER;
	return result;
}

int operator_decide_card(struct work *work, const struct decide_request *request,
			 struct subscriber *subscriber, struct decision *decision,
			 uint8_t service_public[static SIMTIE_POINT_SIZE])
{
	bool found, may, holds;
	int result = subscriber_find(work->db, work->service->vault, request->number,
				     SUBSCRIBER_LOCK, subscriber, &found);

	memset(decision, 0, sizeof(*decision));
	if (result != DB_OK)
		return result;
	may = found && subscriber->state == SUBSCRIBER_ACTIVE &&
	      subscriber->card_state == SUBSCRIBER_CARD_GOOD;
	if (!token_holds(operator_of(work), request, &subscriber->key, may, service_public,
			 &decision->counter, &holds))
		return DB_ERR_MEMORY;
	if (holds && may)
		return count(work, request, subscriber, decision);
	decision->reason = REASON_NOT_CONFIRMED;
	return DB_OK;
}

static int credential_issue(struct work *work, const struct decide_request *request,
			    const uint8_t service_public[static SIMTIE_POINT_SIZE],
			    struct decision *decision)
{
	const struct operator_state *op = operator_of(work);
	struct simtie_credential credential = {.not_before = clock_wall_ms() / 1000};
	int result = operator_status_draw(work, &decision->status_list, &decision->status_index);

	if (result != DB_OK)
		return result;
	credential.not_after = credential.not_before + op->credential_days * DAY_S;
	memcpy(credential.audience, request->audience, strlen(request->audience) + 1);
	memcpy(credential.service_public, service_public, sizeof(credential.service_public));
	credential.status_index = (uint32_t)decision->status_index;
	if (!operator_status_uri(op, decision->status_list, credential.status_uri) ||
	    simtie_credential_issue(op->issuer, &credential, decision->credential,
				    &decision->credential_len))
		return DB_ERR_MEMORY;
	return DB_OK;
}

int operator_decide(struct work *work, const struct decide_request *request,
		    struct decision *decision)
{
	const enum simtie_refusal refusal = operator_decide_token(operator_of(work), request);
	uint8_t service_public[SIMTIE_POINT_SIZE];
	struct subscriber subscriber;
	int result;

	memset(decision, 0, sizeof(*decision));
	decision->state = VERIFICATION_NOT_VERIFIED;
	if (refusal != SIMTIE_ACCEPTED) {
		decision->reason = REASON_TOKEN_REFUSED;
		decision->refusal = refusal;
		return DB_OK;
	}
	result = operator_decide_card(work, request, &subscriber, decision, service_public);
	bytes_wipe(&subscriber, sizeof(subscriber));
	decision->state = VERIFICATION_NOT_VERIFIED;
	if (result != DB_OK || decision->reason != REASON_NONE) {
		decision->counter = 0;
		return result;
	}
	decision->state = VERIFICATION_VERIFIED;
	return credential_issue(work, request, service_public, decision);
}
