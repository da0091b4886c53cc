/*
 * simtie-load: loads an operator with verifications that are all different and all true.
 *
 *   simtie-load records COUNT SEED
 *   simtie-load bodies AUDIENCE SIMS SEED FIRST COUNT
 *   simtie-load run HOST PORT CERT KEY CA AUDIENCE SIMS SEED FIRST COUNT CONNECTIONS RATE
 *
 * `records` prints the records of COUNT SIMs with their numbers, a line each. `bodies` prints what
 * `run` would send, a line each, for clients that do more with it.
 * `run` sends COUNT verifications over SIMS SIMs by turns, their counters from FIRST on, and prints
 * one line of JSON: how many a second, the times' quantiles in microseconds, what was answered.
 * RATE 0 is as fast as it goes. CERT, KEY, CA are PEM files.
 */
#include "base64url.h"
#include "clients.h"
#include "tokens.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define RUN_SECONDS 600

static void put_hex(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
}

static int records(uint32_t count, const char *seed)
{
	for (uint32_t i = 0; i < count; i++) {
		struct load_sim sim;
		char number[LOAD_TEXT_SIZE], iccid[LOAD_TEXT_SIZE];

		load_sim_make(&sim, seed, i, NULL);
		load_sim_number(i, number);
		load_sim_iccid(i, iccid);
		fputs("{\"format\":\"simtie-card-record/1\",\"devicePublicKey\":\"", stdout);
		put_hex(sim.key.device_public, SIMTIE_POINT_SIZE);
		fputs("\",\"chainCode\":\"", stdout);
		put_hex(sim.key.chain_code, SIMTIE_CHAIN_CODE_SIZE);
		printf("\",\"appletVersion\":\"1.0.0\",\"createdAt\":\"2026-01-01T00:00:00Z\","
		       "\"iccid\":\"%s\",\"phoneNumber\":\"%s\"}\n",
		       iccid, number);
	}
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* What a run is asked for, in the order of its arguments. */
struct plan {
	struct load_settings settings;
	const char *audience, *seed;
	uint32_t sims, first;
	size_t count;
};

#define BODY_SIZE 2200

static int body_text(const char *audience, const struct load_sim *sim, uint32_t index,
		     uint32_t counter, char body[static BODY_SIZE])
{
	uint8_t nonce[16], token[SIMTIE_TOKEN_MAX];
	char number[LOAD_TEXT_SIZE], nonce_text[32], token_text[2048];
	size_t token_len;

	load_sim_number(index, number);
	load_sim_attest(sim, audience, counter, nonce, token, &token_len);
	nonce_text[base64url_write(bytes_of(nonce, sizeof(nonce)), nonce_text)] = '\0';
	token_text[base64url_write(bytes_of(token, token_len), token_text)] = '\0';
	return snprintf(body, BODY_SIZE,
			"{\"phoneNumber\":\"%s\",\"nonce\":\"%s\",\"attestation\":\"%s\"}", number,
			nonce_text, token_text);
}

/* What is sent over the SIMs by turns, the first of all, then the second … */
static int bodies(const char *audience, uint32_t sims, const char *seed, uint32_t first,
		  size_t count)
{
	struct load_sim *all = calloc(sims, sizeof(*all));
	const bool made = all != NULL;
	char body[BODY_SIZE];

	for (uint32_t i = 0; all && i < sims; i++)
		load_sim_make(&all[i], seed, i, audience);
	for (size_t i = 0; all && i < count; i++) {
		uint32_t index = (uint32_t)(i % sims);

		body_text(audience, &all[index], index, first + (uint32_t)(i / sims), body);
		puts(body);
	}
	for (uint32_t i = 0; all && i < sims; i++)
		EVP_PKEY_free(all[i].service);
	free(all);
	return made && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static char *request_text(const struct plan *plan, const struct load_sim *sim, uint32_t index,
			  uint32_t counter, size_t *len)
{
	char body[BODY_SIZE], *text;
	const int body_len = body_text(plan->audience, sim, index, counter, body);

	*len = (size_t)asprintf(&text,
				"POST /v1/verifications HTTP/1.1\r\nHost: %s\r\n"
				"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
				plan->settings.host, body_len, body);
	return text;
}

static struct load_request *make_requests(const struct plan *plan)
{
	struct load_request *requests = calloc(plan->count, sizeof(*requests));

	for (uint32_t sim_index = 0; requests && sim_index < plan->sims; sim_index++) {
		struct load_sim sim;
		uint32_t counter = plan->first;

		load_sim_make(&sim, plan->seed, sim_index, plan->audience);
		for (size_t i = sim_index; i < plan->count; i += plan->sims)
			requests[i].text =
				request_text(plan, &sim, sim_index, counter++, &requests[i].len);
		EVP_PKEY_free(sim.service);
	}
	return requests;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int report(const struct load_request *requests, size_t count, int64_t took_ns)
{
	int64_t *times = calloc(count, sizeof(*times));
	json_t *outcomes = json_object();
	size_t answered = 0;
	const double seconds = (double)took_ns / 1e9;

	for (size_t i = 0; i < count; i++) {
		char key[80];

		snprintf(key, sizeof(key), "%u %s%s%s", requests[i].status, requests[i].word,
			 requests[i].reason[0] ? " " : "", requests[i].reason);
		json_object_set_new(
			outcomes, key,
			json_integer(json_integer_value(json_object_get(outcomes, key)) + 1));
		if (requests[i].took_ns >= 0)
			times[answered++] = requests[i].took_ns / 1000;
	}
	qsort(times, answered, sizeof(*times), compare);
	json_dumpf(json_pack("{s:f,s:I,s:I,s:I,s:I,s:o}", "perSecond", (double)answered / seconds,
			     "answered", (json_int_t)answered, "p50",
			     (json_int_t)(answered ? times[answered / 2] : 0), "p99",
			     (json_int_t)(answered ? times[answered * 99 / 100] : 0), "max",
			     (json_int_t)(answered ? times[answered - 1] : 0), "outcomes",
			     outcomes),
		   stdout, JSON_COMPACT);
	putchar('\n');
	free(times);
	return answered == count ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(char **argv)
{
	const struct plan plan = {
		.settings = {.host = argv[0],
			     .port = argv[1],
			     .certificate = argv[2],
			     .key = argv[3],
			     .ca = argv[4],
			     .connections = (unsigned)strtoul(argv[10], NULL, 10),
			     .rate = strtod(argv[11], NULL),
			     .timeout_s = RUN_SECONDS},
		.audience = argv[5],
		.sims = (uint32_t)strtoul(argv[6], NULL, 10),
		.seed = argv[7],
		.first = (uint32_t)strtoul(argv[8], NULL, 10),
		.count = strtoul(argv[9], NULL, 10),
	};
	struct load_request *requests = make_requests(&plan);
	int64_t took = requests ? load_run(&plan.settings, requests, plan.count) : -1;
	int code = took >= 0 ? report(requests, plan.count, took) : EXIT_FAILURE;

	for (size_t i = 0; requests && i < plan.count; i++)
		free(requests[i].text);
	free(requests);
	return code;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "records") == 0)
		return records((uint32_t)strtoul(argv[2], NULL, 10), argv[3]);
	if (argc == 7 && strcmp(argv[1], "bodies") == 0)
		return bodies(argv[2], (uint32_t)strtoul(argv[3], NULL, 10), argv[4],
			      (uint32_t)strtoul(argv[5], NULL, 10), strtoul(argv[6], NULL, 10));
	if (argc == 14 && strcmp(argv[1], "run") == 0)
		return run(argv + 2);
	fputs("Usage: simtie-load records COUNT SEED\n"
	      "       simtie-load bodies AUDIENCE SIMS SEED FIRST COUNT\n"
	      "       simtie-load run HOST PORT CERT KEY CA AUDIENCE SIMS SEED FIRST COUNT "
	      "CONNECTIONS RATE\n",
	      stderr);
	return 2;
}
