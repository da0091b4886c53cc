/*
 * Two messengers that pool everything they got try to find out which of their users are the same
 * person. 1,000 subscribers register at both with sealed numbers; the operator's own handlers
 * answer, and tell of a SIM swap of every one of them. For each subscriber at the one messenger the
 * linker picks whoever at the other looks most alike, by one trait at a time. Guessing gets one of
 * 1,000 right on average; over 10 happens by chance once in ten million.
 *
 * When something was asked is not a trait here: both were asked in orders of their own.
 */
#include "messenger_place.h"

#include "outbox.h"

#include "../../applet/crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SUBSCRIBERS 1000
#define LUCK        10

enum trait {
	TRAIT_NONE,    /* what the test itself planted: the linker must find it */
	TRAIT_ID,      /* the verification's */
	TRAIT_KEY,     /* of the service credential */
	TRAIT_SERIAL,  /* the credential's bytes beside key, name and times */
	TRAIT_STATUS,  /* its index in the status list */
	TRAIT_COUNTER, /* sealed, of the attestation */
	TRAIT_SIGN,    /* the attestation's signature */
	TRAIT_SEALED,  /* the sealed number */
	TRAIT_NOTICE,  /* the notice's id */
	TRAIT_ANSWER,  /* the answer to the report, its time left out */
	TRAITS,
};

#define TRAIT_SIZE 320

struct gathered {
	uint8_t bytes[TRAITS][TRAIT_SIZE];
	size_t len[TRAITS];
	struct messenger_client client;
	char verification[SIMTIE_NOTICE_ID_MAX + 1];
};

static struct gathered *gathered[MESSENGERS];

static void gather(struct gathered *of, enum trait trait, const void *bytes, size_t len)
{
	assert_true(len <= TRAIT_SIZE);
	memcpy(of->bytes[trait], bytes, len);
	of->len[trait] = len;
}

/* ---- What happens ---- */

static void sim_make(struct operator_sim *sim, unsigned who)
{
	uint8_t device_key[32];

	memset(device_key, 0x31, sizeof(device_key));
	put_be32(device_key + 28, who);
	memset(sim->key.chain_code, 0x42, sizeof(sim->key.chain_code));
	put_be32(sim->key.chain_code + 28, who);
	core_card_init(&sim->card);
	core_card_personalise(&sim->card, device_key, sim->key.chain_code);
	assert_true(crypto_p256_public(device_key, sim->key.device_public));
}

static void number_of(unsigned who, char number[static SIMTIE_NUMBER_SIZE])
{
	snprintf(number, SIMTIE_NUMBER_SIZE, "+4915%08u", who);
}

static void attest(struct messenger_side *side, struct operator_sim *sim, unsigned who,
		   struct gathered *of)
{
	uint8_t sealed[SIMTIE_SEALED_NUMBER_MAX], token[SIMTIE_TOKEN_MAX];
	char number[SIMTIE_NUMBER_SIZE], text[BASE64URL_LEN(sizeof(sealed)) + 1];
	struct simtie_claims claims;
	size_t len;

	number_of(who, number);
	assert_string_equal(
		messenger_place_begin(side, "{\"operator\":\"mno.example\"}", &of->client), "201 ");
	assert_int_equal(simtie_number_seal(operator_place_sealing(), side->messenger.audience,
					    of->client.nonce, sizeof(of->client.nonce), number,
					    sealed, &len),
			 0);
	gather(of, TRAIT_SEALED, sealed, len);
	text[base64url_write(bytes_of(sealed, len), text)] = '\0';
	assert_string_equal(messenger_place_attest(side, sim, &of->client, text), "202 PENDING");
	assert_true(base64url_read(of->client.attestation, strlen(of->client.attestation), token,
				   sizeof(token), &len));
	assert_int_equal(simtie_token_parse(token, len, &claims), SIMTIE_ACCEPTED);
	gather(of, TRAIT_COUNTER, claims.sealed_counter, sizeof(claims.sealed_counter));
	gather(of, TRAIT_SIGN, claims.signature, sizeof(claims.signature));
}

/* The operator's answers to question and report. */
static void talk(struct messenger_place *place, struct messenger_side *side, struct gathered *of)
{
	struct simtie_credential credential;
	uint8_t der[SIMTIE_CREDENTIAL_MAX], index[4];
	json_t *answer;
	const char *text;
	char *dumped;
	size_t len;

	assert_int_equal(messenger_place_talk(place, side, &of->client, WIRE_WHOLE, &answer), 200);
	text = json_string_value(json_object_get(answer, "verificationId"));
	snprintf(of->verification, sizeof(of->verification), "%s", text);
	gather(of, TRAIT_ID, text, strlen(text));
	text = json_string_value(json_object_get(answer, "credential"));
	assert_true(base64url_read(text, strlen(text), der, sizeof(der), &len));
	assert_int_equal(simtie_credential_verify(operator_place_issuer(), side->messenger.audience,
						  clock_wall_ms() / 1000, der, len, &credential),
			 0);
	gather(of, TRAIT_KEY, credential.service_public, sizeof(credential.service_public));
	put_be32(index, credential.status_index);
	gather(of, TRAIT_STATUS, index, sizeof(index));
	gather(of, TRAIT_SERIAL, der + 8, 40); /* around the serial number */
	json_decref(answer);
	assert_int_equal(messenger_place_talk(place, side, &of->client, WIRE_WHOLE, &answer), 201);
	json_object_del(answer, "registeredAt");
	dumped = json_dumps(answer, JSON_COMPACT);
	gather(of, TRAIT_ANSWER, dumped, strlen(dumped));
	free(dumped);
	json_decref(answer);
}

static void swap_sim(struct messenger_place *place, unsigned who)
{
	struct request request = operator_place_request("", "", "{\"event\":\"SIM_SWAPPED\"}");
	struct reply reply;

	request.peer.role = PEER_ADMIN;
	number_of(who, request.segment[0]);
	assert_int_equal(operator_place_run(place->mno, place->mno->db, operator_event_post,
					    &request, &reply),
			 DB_OK);
	assert_int_equal(reply.status, 200);
	assert_int_equal(json_integer_value(json_object_get(reply.body, "notices")), MESSENGERS);
	reply_clear(&reply);
}

/* A notice, as its messenger gets it. */
static void hear(void *context, const struct outbox_entry *entry)
{
	char id[VAULT_ID_TEXT_SIZE], registration[VAULT_ID_TEXT_SIZE];
	const int side = strcmp(entry->audience, "chat.example") ? 1 : 0;
	unsigned *heard = context;

	vault_id_text(entry->id, id);
	vault_id_text(entry->registration, registration);
	for (unsigned who = 0; who < SUBSCRIBERS; who++) {
		if (strcmp(gathered[side][who].verification, registration) != 0)
			continue;
		gather(&gathered[side][who], TRAIT_NOTICE, id, strlen(id));
		++*heard;
	}
}

static void shuffle(unsigned order[static SUBSCRIBERS], unsigned seed)
{
	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		order[i] = i;
	for (unsigned i = SUBSCRIBERS - 1; i > 0; i--) {
		unsigned j, other;

		seed = seed * 1103515245u + 12345u;
		j = (seed >> 12) % (i + 1);
		other = order[i];
		order[i] = order[j];
		order[j] = other;
	}
}

/* ---- The linker ---- */

static unsigned distance(const struct gathered *a, const struct gathered *b, enum trait trait)
{
	unsigned sum = 0;

	if (trait == TRAIT_STATUS) { /* a number: how far apart */
		const uint32_t x = get_be32(a->bytes[trait]), y = get_be32(b->bytes[trait]);

		return x < y ? y - x : x - y;
	}
	for (size_t i = 0; i < a->len[trait] && i < b->len[trait]; i++)
		sum += (unsigned)__builtin_popcount(a->bytes[trait][i] ^ b->bytes[trait][i]);
	return sum;
}

static unsigned linked(enum trait trait)
{
	unsigned hits = 0;

	for (unsigned i = 0; i < SUBSCRIBERS; i++) {
		unsigned best = 0;

		for (unsigned j = 1; j < SUBSCRIBERS; j++)
			if (distance(&gathered[0][i], &gathered[1][j], trait) <
			    distance(&gathered[0][i], &gathered[1][best], trait))
				best = j;
		hits += best == i;
	}
	return hits;
}

static void test_nobody_is_linked(void **state)
{
	struct messenger_place *place = messenger_place(state);
	static unsigned orders[MESSENGERS][SUBSCRIBERS];
	unsigned heard = 0;

	/* Nothing here is about power cuts. */
	assert_int_equal(db_script(place->mno->db, "PRAGMA synchronous = OFF"), DB_OK);
	for (int side = 0; side < MESSENGERS; side++)
		assert_int_equal(db_script(place->side[side].db, "PRAGMA synchronous = OFF"),
				 DB_OK);
	for (unsigned who = 0; who < SUBSCRIBERS; who++) {
		char number[SIMTIE_NUMBER_SIZE];
		struct operator_sim sim;

		sim_make(&sim, who);
		number_of(who, number);
		operator_place_subscriber(place->mno, number, &sim);
		for (int side = 0; side < MESSENGERS; side++) {
			attest(&place->side[side], &sim, who, &gathered[side][who]);
			gather(&gathered[side][who], TRAIT_NONE, number, strlen(number));
		}
		operator_sim_free(&sim);
	}
	for (int side = 0; side < MESSENGERS; side++) {
		shuffle(orders[side], (unsigned)side + 1);
		for (unsigned i = 0; i < SUBSCRIBERS; i++)
			talk(place, &place->side[side], &gathered[side][orders[side][i]]);
	}
	for (unsigned who = 0; who < SUBSCRIBERS; who++)
		swap_sim(place, who);
	assert_int_equal(outbox_list(place->mno->db, place->mno->service.vault, hear, &heard),
			 DB_OK);
	assert_int_equal(heard, MESSENGERS * SUBSCRIBERS);

	assert_int_equal(linked(TRAIT_NONE), SUBSCRIBERS);
	for (enum trait trait = TRAIT_NONE + 1; trait < TRAITS; trait++) {
		assert_true(gathered[0][0].len[trait] > 0);
		print_message("# trait %d: %u of %d\n", trait, linked(trait), SUBSCRIBERS);
		assert_true(linked(trait) <= LUCK);
	}
}

static int make(void **state)
{
	for (int i = 0; i < MESSENGERS; i++)
		gathered[i] = calloc(SUBSCRIBERS, sizeof(*gathered[i]));
	return operator_place_keys_make(state);
}

static int unmake(void **state)
{
	for (int i = 0; i < MESSENGERS; i++)
		free(gathered[i]);
	return operator_place_keys_free(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nobody_is_linked, messenger_place_sqlite,
						messenger_place_tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("messengers that collude", tests, make, unmake);
}
