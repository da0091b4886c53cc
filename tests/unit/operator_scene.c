#include "operator_scene.h"

#include "operator_registration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct request operator_scene_admin(const char *number, const char *body)
{
	struct request request = operator_place_request("hlr", number, body);

	request.peer.role = PEER_ADMIN;
	return request;
}

const char *operator_scene_run(struct operator_place *place, request_handler *handler,
			       const struct request *request, char *body, size_t size,
			       unsigned *held_back)
{
	struct reply reply;
	const char *word;
	size_t len = 0;

	assert_int_equal(operator_place_run(place, place->db, handler, request, &reply), DB_OK);
	word = operator_place_word(&reply);
	if (held_back)
		*held_back = reply.not_before_ms;
	if (body) {
		if (reply.body)
			len = json_dumpb(reply.body, body, size - 1, JSON_COMPACT);
		assert_in_range(len, 0, size - 1);
		body[len] = '\0';
	}
	reply_clear(&reply);
	return word;
}

const char *operator_scene_event(struct operator_place *place, const char *number, const char *body,
				 char *answer)
{
	const struct request request = operator_scene_admin(number, body);

	return operator_scene_run(place, operator_event_post, &request, answer, 256, NULL);
}

void operator_scene_enrol(struct operator_place *place, struct operator_sim *sim,
			  const char *number, const char *audience, char *id)
{
	struct operator_token token;
	struct request request;

	operator_sim_attest(sim, audience, 0, &token);
	assert_string_equal(operator_place_verify(place, audience, number, &token, id),
			    "200 VERIFIED");
	request = operator_place_request(audience, id, "{\"identificationCode\":\"u-1\"}");
	assert_string_equal(
		operator_scene_run(place, operator_registration_put, &request, NULL, 0, NULL),
		"201 (none)");
}
