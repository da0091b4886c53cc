/*
 * What a subscriber can see of herself, proved by her SIM: her registrations, those that have ended
 * and are kept still among them, and who read them.
 *
 * POST /v1/me/challenges gives a nonce, good for a few minutes at any daemon of this operator,
 * since it carries its own time and a MAC. POST /v1/me/registrations takes an attestation for the
 * audience that is this operator's name, of purpose generic, so that none made for a registration
 * serves here. It counts like any other: once. The reading is itself a line in her audit log.
 */
#include "audit.h"
#include "base64url.h"
#include "operator.h"
#include "operator_decide.h"
#include "operator_registration.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NONCE_RANDOM 16
#define NONCE_TIME   8
#define NONCE_MAC    16
#define NONCE_SIZE   (NONCE_RANDOM + NONCE_TIME + NONCE_MAC)
#define NONCE_MS     300000
#define READS_MAX    200 /* lines of the audit log in one answer, newest first */

/* ---- The challenge ---- */

static bool nonce_mac(const struct vault *vault, const uint8_t *nonce, uint8_t mac[static 32])
{
	return vault_mac(vault, "me challenge", bytes_of(nonce, NONCE_RANDOM + NONCE_TIME), mac);
}

static bool nonce_make(const struct vault *vault, uint8_t nonce[static NONCE_SIZE])
{
	const uint64_t now = (uint64_t)clock_wall_ms();
	uint8_t mac[32];

	if (getrandom(nonce, NONCE_RANDOM, 0) != NONCE_RANDOM)
		return false;
	for (int i = 0; i < NONCE_TIME; i++)
		nonce[NONCE_RANDOM + i] = (uint8_t)(now >> (56 - 8 * i));
	if (!nonce_mac(vault, nonce, mac))
		return false;
	memcpy(nonce + NONCE_RANDOM + NONCE_TIME, mac, NONCE_MAC);
	return true;
}

/* Whether it is one of ours, and not too old. */
static bool nonce_good(const struct vault *vault, struct bytes nonce)
{
	uint8_t mac[32];
	uint64_t made = 0;
	int64_t age;

	if (nonce.len != NONCE_SIZE || !nonce_mac(vault, nonce.ptr, mac) ||
	    !bytes_equal_secret(nonce.ptr + NONCE_RANDOM + NONCE_TIME, mac, NONCE_MAC))
		return false;
	for (int i = 0; i < NONCE_TIME; i++)
		made = made << 8 | nonce.ptr[NONCE_RANDOM + i];
	age = clock_wall_ms() - (int64_t)made;
	return age > -NONCE_MS && age < NONCE_MS;
}

int operator_me_challenge(struct work *work, const struct request *request, struct reply *reply)
{
	const struct operator_state *op = work->service->state;
	uint8_t nonce[NONCE_SIZE];
	char text[BASE64URL_LEN(NONCE_SIZE) + 1];

	(void)request; /* there is nothing to say in it */
	if (!nonce_make(work->service->vault, nonce))
		return DB_ERR_MEMORY;
	text[base64url_write(bytes_of(nonce, sizeof(nonce)), text)] = '\0';
	return reply_json(reply, 201,
			  json_pack("{s:s,s:s,s:s,s:i}", "audience", op->name, "nonce", text,
				    "purpose", "generic", "expiresIn", NONCE_MS / 1000));
}

/* ---- What is recorded ---- */

static json_t *registration_json(const struct registration *registration)
{
	json_t *json = operator_registration_json(registration);
	char id[VAULT_ID_TEXT_SIZE];

	vault_id_text(registration->id, id);
	if (json && (json_object_set_new(json, "verificationId", json_string(id)) ||
		     json_object_set_new(json, "counter", json_integer(registration->counter)))) {
		json_decref(json);
		json = NULL;
	}
	return json;
}

static int add_registrations(struct work *work, const struct vault_index *index, json_t *array,
			     bool *complete)
{
	struct registration *list = NULL;
	size_t count = 0;
	int result = operator_registration_recorded(work, index, &list, &count, complete);

	for (size_t i = 0; i < count && result == DB_OK; i++)
		if (json_array_append_new(array, registration_json(&list[i])))
			result = DB_ERR_MEMORY;
	if (list)
		bytes_wipe(list, count * sizeof(*list));
	free(list);
	return result;
}

static void add_read(void *context, int64_t at, const struct audit_line *line)
{
	char text[CLOCK_TEXT_SIZE];

	clock_text(at, text);
	json_array_append_new(context,
			      json_pack("{s:s,s:s?,s:s?,s:s*}", "at", text, "actor", line->actor,
					"action", line->action, "reason", line->reason));
}

/* Writes the line of this reading first, so that it is among what she sees. */
static int show(struct work *work, const struct vault_index *index, struct reply *reply)
{
	const struct audit_line line = {
		.actor = "subscriber",
		.action = "read registrations",
		.subscriber = index,
	};
	json_t *registrations = json_array(), *reads = json_array();
	bool complete;
	int result = registrations && reads ? DB_OK : DB_ERR_MEMORY;

	if (result == DB_OK)
		result = audit_write(work->db, work->service->vault, work->chain, &line);
	if (result == DB_OK)
		result = add_registrations(work, index, registrations, &complete);
	if (result == DB_OK)
		result = audit_read(work->db, work->service->vault, index, READS_MAX, add_read,
				    reads);
	if (result == DB_OK)
		return reply_json(reply, 200,
				  json_pack("{s:o,s:b,s:o}", "registrations", registrations,
					    "complete", complete, "auditLog", reads));
	json_decref(registrations);
	json_decref(reads);
	return result;
}

/* ---- The request ---- */

/* Who is not who she says learns no more than a messenger would. */
static int refuse(const struct operator_state *op, struct reply *reply)
{
	reply_error(reply, 403, "PERMISSION_DENIED",
		    "This attestation does not prove that the number is yours, or was used before. "
		    "Ask for a new challenge.");
	reply->not_before_ms = (unsigned)op->refusal_ms;
	return DB_OK;
}

static int prove(struct work *work, const struct decide_request *asked, struct reply *reply)
{
	const struct operator_state *op = work->service->state;
	struct subscriber subscriber;
	struct decision decision = {.reason = REASON_NONE};
	uint8_t service_public[SIMTIE_POINT_SIZE];
	int result;

	if (operator_decide_token(op, asked) != SIMTIE_ACCEPTED ||
	    !nonce_good(work->service->vault, asked->nonce))
		return refuse(op, reply);
	result = operator_decide_card(work, asked, NULL, &subscriber, &decision, service_public);
	if (result == DB_OK)
		result = decision.reason == REASON_NONE ? show(work, &subscriber.index, reply)
							: refuse(op, reply);
	if (decision.cloned)
		reply->wake[0] = "outbox";
	bytes_wipe(&subscriber, sizeof(subscriber));
	return result;
}

int operator_me_registrations(struct work *work, const struct request *request, struct reply *reply)
{
	const struct operator_state *op = work->service->state;
	struct field_bytes nonce = {.len = 0}, token = {.len = 0};
	const char *number = NULL;
	const struct field fields[] = {
		{.name = "phoneNumber", .kind = FIELD_PHONE, .target = &number, .required = true},
		{.name = "nonce",
		 .kind = FIELD_BASE64,
		 .target = &nonce,
		 .required = true,
		 .min = SIMTIE_NONCE_MIN,
		 .max = SIMTIE_NONCE_MAX},
		{.name = "attestation",
		 .kind = FIELD_BASE64,
		 .target = &token,
		 .required = true,
		 .min = 1,
		 .max = SIMTIE_TOKEN_MAX},
	};
	json_t *root;
	int result;

	if (!request_fields(request, fields, sizeof(fields) / sizeof(fields[0]), &root, reply))
		return DB_OK;
	result = prove(work,
		       &(const struct decide_request){
			       .audience = op->name,
			       .number = number,
			       .nonce = bytes_of(nonce.bytes, nonce.len),
			       .token = bytes_of(token.bytes, token.len),
			       .purpose = PURPOSE_GENERIC,
		       },
		       reply);
	json_decref(root);
	return result;
}
