/*
 * The decision, in five statements at most: subscriber, counter value, highest counter of the
 * service, status index, and whatever the caller writes.
 *
 * A subscriber's yeses run one after another, and not beside an event, by the lock on her row,
 * which the first statement that writes takes. A no takes none: a number that nobody has has no row
 * to wait for, and whoever sent many at once could tell by the waiting which has one. That each
 * counter value counts once does not hang on the lock: the key of attestations alone forbids a
 * second one.
 *
 * Where one transaction at a time may write, elliptic curves in it would have all others wait: see
 * operator_decide_ahead().
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

/* Takes her row, as it is now, to be written. DB_ERR_BUSY: it has changed since it was read. */
static int hold(struct work *work, struct subscriber *subscriber)
{
	struct subscriber now;
	bool found;
	int result = subscriber_find(work->db, work->service->vault, subscriber->number,
				     SUBSCRIBER_LOCK, &now, &found);

	if (result == DB_OK &&
	    (!found || now.state != SUBSCRIBER_ACTIVE || now.card_state != SUBSCRIBER_CARD_GOOD ||
	     memcmp(now.card, subscriber->card, sizeof(now.card)) != 0))
		result = DB_ERR_BUSY;
	if (result == DB_OK)
		*subscriber = now;
	bytes_wipe(&now, sizeof(now));
	return result;
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
	result = hold(work, subscriber);
	if (result != DB_OK)
		return result;
	decision->reason = REASON_NOT_CONFIRMED;
	decision->cloned = true;
	return operator_clone_alarm(work, subscriber);
}

static bool counted_make(const struct vault *vault, const struct decide_request *request,
			 const struct vault_index *subscriber, struct decide_counted *counted)
{
	return subscriber_service(vault, subscriber, request->audience, &counted->service) &&
	       content_digest(request->token, counted->digest);
}

static int count(struct work *work, const struct decide_counted *counted,
		 struct subscriber *subscriber, struct decision *decision)
{
	static const char insert[] =
		"INSERT INTO attestations (hi, lo, card, counter, service, digest, at)"
		" SELECT hi, lo, card, $4, $5, $6, $7 FROM subscribers"
		" WHERE hi = $1 AND lo = $2 AND card = $3 AND state = 1 AND card_state = 1"
		" FOR UPDATE ON CONFLICT DO NOTHING";
	static const char raise[] =
		"INSERT INTO counters (hi, lo, card, service, counter)"
		" VALUES ($1, $2, $3, $4, $5) ON CONFLICT (hi, lo, card, service)"
		" DO UPDATE SET counter = excluded.counter"
		" WHERE counters.counter < excluded.counter";
	const struct db_value hi = db_int(subscriber->index.hi), lo = db_int(subscriber->index.lo);
	const struct db_value card = db_bytes(bytes_of(subscriber->card, SUBSCRIBER_CARD_SIZE));
	const struct db_value counter = db_int(decision->counter);
	const struct db_value service = db_int(counted->service);
	int64_t changed;
	int result = db_run(work->db, insert,
			    DB_VALUES(hi, lo, card, counter, service,
				      db_bytes(bytes_of(counted->digest, sizeof(counted->digest))),
				      db_int(clock_wall_ms())),
			    &changed);

	if (result == DB_OK && changed == 0)
		return counted_before(work, subscriber, counted->digest, decision);
	if (result == DB_OK)
		result = db_run(work->db, raise, DB_VALUES(hi, lo, card, service, counter),
				&changed);
	if (result == DB_OK && changed == 0)
		decision->reason = REASON_OLD_COUNTER;
	return result;
}

static bool may_register(const struct subscriber *subscriber, bool found)
{
	return found && subscriber->state == SUBSCRIBER_ACTIVE &&
	       subscriber->card_state == SUBSCRIBER_CARD_GOOD;
}

static int decide_anew(struct work *work, const struct decide_request *request,
		       struct subscriber *subscriber, struct decision *decision,
		       uint8_t service_public[static SIMTIE_POINT_SIZE])
{
	struct decide_counted counted;
	bool found, may, holds;
	int result = subscriber_find(work->db, work->service->vault, request->number,
				     SUBSCRIBER_READ, subscriber, &found);

	if (result != DB_OK)
		return result;
	may = may_register(subscriber, found);
	if (!token_holds(operator_of(work), request, &subscriber->key, may, service_public,
			 &decision->counter, &holds))
		return DB_ERR_MEMORY;
	if (!holds || !may) {
		decision->reason = REASON_NOT_CONFIRMED;
		return DB_OK;
	}
	if (!counted_make(work->service->vault, request, &subscriber->index, &counted))
		return DB_ERR_MEMORY;
	return count(work, &counted, subscriber, decision);
}

int operator_decide_card(struct work *work, const struct decide_request *request,
			 const struct decide_ahead *ahead, struct subscriber *subscriber,
			 struct decision *decision,
			 uint8_t service_public[static SIMTIE_POINT_SIZE])
{
	bool same = false;
	int result = DB_OK;

	memset(decision, 0, sizeof(*decision));
	memset(subscriber, 0, sizeof(*subscriber));
	if (ahead)
		result = subscriber_see_again(work->db, &ahead->seen, &same);
	if (result != DB_OK)
		return result;
	if (!same)
		return decide_anew(work, request, subscriber, decision, service_public);
	*subscriber = ahead->subscriber;
	decision->counter = ahead->counter;
	memcpy(service_public, ahead->service_public, SIMTIE_POINT_SIZE);
	if (!ahead->holds || !may_register(subscriber, ahead->seen.found)) {
		decision->reason = REASON_NOT_CONFIRMED;
		return DB_OK;
	}
	return count(work, &ahead->counted, subscriber, decision);
}

/* ---- The credential ---- */

/* Over the index that `decision` has. */
static bool credential_sign(const struct operator_state *op, const struct decide_request *request,
			    const uint8_t service_public[static SIMTIE_POINT_SIZE],
			    struct decision *decision)
{
	struct simtie_credential credential = {.not_before = clock_wall_ms() / 1000};

	credential.not_after = credential.not_before + op->credential_days * DAY_S;
	memcpy(credential.audience, request->audience, strlen(request->audience) + 1);
	memcpy(credential.service_public, service_public, sizeof(credential.service_public));
	credential.status_index = (uint32_t)decision->status_index;
	return operator_status_uri(op, decision->status_list, credential.status_uri) &&
	       simtie_credential_issue(op->issuer, &credential, decision->credential,
				       &decision->credential_len) == 0;
}

/* Takes the one that was signed ahead, if it is for this key and its index is free still. */
static int credential_take(struct work *work, const struct decide_ahead *ahead,
			   const uint8_t service_public[static SIMTIE_POINT_SIZE],
			   struct decision *decision, bool *taken)
{
	const struct decision *signed_ahead = &ahead->credential;
	int result;

	*taken = false;
	if (signed_ahead->credential_len == 0 ||
	    memcmp(ahead->service_public, service_public, SIMTIE_POINT_SIZE) != 0)
		return DB_OK;
	result = operator_status_take(work, signed_ahead->status_list, signed_ahead->status_index,
				      taken);
	if (result == DB_OK && *taken) {
		decision->status_list = signed_ahead->status_list;
		decision->status_index = signed_ahead->status_index;
		decision->credential_len = signed_ahead->credential_len;
		memcpy(decision->credential, signed_ahead->credential,
		       signed_ahead->credential_len);
	}
	return result;
}

static int credential_issue(struct work *work, const struct decide_request *request,
			    const struct decide_ahead *ahead,
			    const uint8_t service_public[static SIMTIE_POINT_SIZE],
			    struct decision *decision)
{
	bool taken = false;
	int result = DB_OK;

	if (ahead)
		result = credential_take(work, ahead, service_public, decision, &taken);
	if (result != DB_OK || taken)
		return result;
	result = operator_status_draw(work, &decision->status_list, &decision->status_index);
	if (result == DB_OK &&
	    !credential_sign(operator_of(work), request, service_public, decision))
		result = DB_ERR_MEMORY;
	return result;
}

/* ---- Ahead ---- */

bool operator_decide_ahead(struct work *work, const struct decide_request *request,
			   struct decide_ahead *ahead)
{
	const struct vault *vault = work->service->vault;
	struct decision *credential = &ahead->credential;
	bool may;

	memset(ahead, 0, sizeof(*ahead));
	if (subscriber_see(work->db, vault, request->number, &ahead->subscriber, &ahead->seen) !=
		    DB_OK ||
	    operator_status_look(work, &credential->status_list, &credential->status_index) !=
		    DB_OK)
		return false;
	/* Whoever settles the store's log waits for those who read in it. */
	db_rollback(work->db);
	may = may_register(&ahead->subscriber, ahead->seen.found);
	if (!token_holds(operator_of(work), request, &ahead->subscriber.key, may,
			 ahead->service_public, &ahead->counter, &ahead->holds))
		return false;
	if (!ahead->holds || !may)
		return true;
	if (!counted_make(vault, request, &ahead->subscriber.index, &ahead->counted))
		return false;
	if (credential->status_list == 0 ||
	    !credential_sign(operator_of(work), request, ahead->service_public, credential))
		credential->credential_len = 0;
	return true;
}

/* ---- All of it ---- */

int operator_decide(struct work *work, const struct decide_request *request,
		    const struct decide_ahead *ahead, struct decision *decision)
{
	const enum simtie_refusal refusal =
		ahead ? SIMTIE_ACCEPTED : operator_decide_token(operator_of(work), request);
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
	result = operator_decide_card(work, request, ahead, &subscriber, decision, service_public);
	memcpy(decision->card, subscriber.card, sizeof(decision->card));
	bytes_wipe(&subscriber, sizeof(subscriber));
	decision->state = VERIFICATION_NOT_VERIFIED;
	if (result != DB_OK || decision->reason != REASON_NONE) {
		decision->counter = 0;
		memset(decision->card, 0, sizeof(decision->card));
		return result;
	}
	decision->state = VERIFICATION_VERIFIED;
	return credential_issue(work, request, ahead, service_public, decision);
}
