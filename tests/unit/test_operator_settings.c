/*
 * The operator's settings and keys, from a configuration as it stands in a file: what is missing is
 * named, what is read anew takes the old one's place, and no private key is ever served.
 */
#include "operator.h"

#include "service_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* The file, but for the lines of the group that begin with `without`, and with `more`. */
static void configure(const char *without, const char *more)
{
	static const char *const names[] = {"issuer", "signer", "sealing"};
	char text[4096];
	int len = 0;

	len += snprintf(text + len, sizeof(text) - (size_t)len, "operator = {\n");
	if (strcmp(without, "name") != 0)
		len += snprintf(text + len, sizeof(text) - (size_t)len,
				"name = \"mno.example\";\n");
	if (strcmp(without, "base_url") != 0)
		len += snprintf(text + len, sizeof(text) - (size_t)len,
				"base_url = \"https://mno.example\";\n");
	for (int i = 0; i < 3; i++) {
		if (strcmp(without, names[i]) != 0)
			len += snprintf(text + len, sizeof(text) - (size_t)len,
					"%s_certificate = \"%s/%s.pem\";\n", names[i],
					service_place_path("."), names[i]);
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%s_key = \"%s/%s.key\";\n",
				names[i], service_place_path("."), names[i]);
	}
	len += snprintf(text + len, sizeof(text) - (size_t)len, "%s};\n", more);
	service_place_write("operator.conf", text, (size_t)len);
}

/* The group alone: what the role reads. */
static struct config *config_of_file(void)
{
	struct config *config = calloc(1, sizeof(*config));

	config_init(&config->file);
	config->path = "operator.conf";
	if (config_read_file(&config->file, service_place_path("operator.conf")) != CONFIG_TRUE)
		fail_msg("%s", config_error_text(&config->file));
	config->role = config_lookup(&config->file, "operator");
	assert_non_null(config->role);
	return config;
}

static void config_free(struct config **config)
{
	config_destroy(&(*config)->file);
	free(*config);
	*config = NULL;
}

static int opens(const char *without, const char *more)
{
	struct service service = {.role = &role_operator};
	void *state;
	int result;

	configure(without, more);
	service.config = config_of_file();
	result = role_operator.open(&service, &state);
	if (result == 0)
		role_operator.close(state);
	config_free(&service.config);
	return result;
}

static void test_what_it_needs(void **state)
{
	(void)state;
	assert_int_equal(opens("", ""), 0);
	assert_int_equal(opens("name", ""), -1);
	assert_int_equal(opens("base_url", ""), -1);
	assert_int_equal(opens("issuer", ""), -1);
	assert_int_equal(opens("signer", ""), -1);
	assert_int_equal(opens("sealing", ""), -1);
	assert_int_equal(opens("", "status_list_size = 100;\n"), -1);
	assert_int_equal(opens("", "status_list_size = 128;\n"), 0);
	assert_int_equal(opens("", "deadline_s = 0;\n"), -1);
	assert_int_equal(opens("", "clone_days = 29;\n"), -1); /* under verification_days */
	assert_int_equal(opens("", "clone_days = 30;\n"), 0);
	assert_int_equal(opens("", "backlog_batch = 1001;\n"), -1);
	assert_int_equal(opens("", "messengers = ( { notify = \"https://x\"; } );\n"), -1);
	assert_int_equal(opens("", "messengers = ( { audience = \"chat.example\"; } );\n"), 0);
}

/* Whoever has the issuer's key makes credentials. */
static void test_keys_are_not_for_everybody(void **state)
{
	static const char *const keys[] = {"issuer.key", "signer.key", "sealing.key"};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		assert_int_equal(chmod(service_place_path(keys[i]), 0604), 0);
		assert_int_equal(opens("", ""), -1);
		assert_int_equal(chmod(service_place_path(keys[i]), 0640), 0);
		assert_int_equal(opens("", ""), 0);
	}
}

static void test_settings_arrive(void **state)
{
	struct service service = {.role = &role_operator};
	struct operator_state *op;
	void *made;

	(void)state;
	configure("", "deadline_s = 60; refusal_ms = 7; allow_virtual = true;\n"
		      "messengers = ( { audience = \"a\"; }, { audience = \"b\"; notify = "
		      "\"https://b\"; } "
		      ");\n");
	service.config = config_of_file();
	assert_int_equal(role_operator.open(&service, &made), 0);
	op = made;
	assert_int_equal(op->deadline_s, 60);
	assert_int_equal(op->refusal_ms, 7);
	assert_true(op->allow_virtual);
	assert_int_equal(op->retention_days, 180);
	assert_int_equal(op->messenger_count, 2);
	assert_null(op->messengers[0].notify);
	assert_string_equal(op->messengers[1].notify, "https://b");
	role_operator.close(made);
	/* By default no virtual card registers. */
	configure("", "");
	config_free(&service.config);
	service.config = config_of_file();
	assert_int_equal(role_operator.open(&service, &made), 0);
	op = made;
	assert_false(op->allow_virtual);
	role_operator.close(made);
	config_free(&service.config);
}

static char *sealing_served(struct service *service)
{
	struct work work = {.service = service};
	struct request request = {.body = {NULL, 0}};
	struct reply reply = {.status = 0};

	assert_int_equal(operator_sealing_get(&work, &request, &reply), DB_OK);
	assert_int_equal(reply.status, 200);
	return reply.text;
}

/* The certificate's file also holds the key. */
static void join_sealing(void)
{
	char command[512];

	snprintf(command, sizeof(command), "cat %s >> %s", service_place_path("sealing.key"),
		 service_place_path("sealing.pem"));
	assert_int_equal(system(command), 0);
}

static void test_reload(void **state)
{
	struct service service = {.role = &role_operator};
	struct simtie_service_key *before;
	struct operator_state *op;
	char *first, *second;

	(void)state;
	join_sealing();
	configure("", "");
	service.config = config_of_file();
	assert_int_equal(role_operator.open(&service, &service.state), 0);
	op = service.state;
	first = sealing_served(&service);
	assert_non_null(strstr(first, "BEGIN CERTIFICATE"));
	assert_null(strstr(first, "PRIVATE KEY"));
	before = op->sealing;
	/* A file that does not fit changes nothing. */
	service_place_issue("sealing", -60, 86400);
	unlink(service_place_path("signer.key"));
	assert_int_equal(role_operator.reload(&service, op), -1);
	assert_ptr_equal(op->sealing, before);
	second = sealing_served(&service);
	assert_string_equal(first, second);
	free(second);
	service_place_issue("signer", -60, 86400);
	assert_int_equal(role_operator.reload(&service, op), 0);
	assert_ptr_not_equal(op->sealing, before);
	second = sealing_served(&service);
	assert_string_not_equal(first, second);
	free(first);
	free(second);
	role_operator.close(op);
	config_free(&service.config);
}

static int make(void **state)
{
	if (service_place_make(state))
		return -1;
	service_place_issue("issuer", -60, 86400);
	service_place_issue("signer", -60, 86400);
	service_place_issue("sealing", -60, 86400);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_it_needs),
		cmocka_unit_test(test_keys_are_not_for_everybody),
		cmocka_unit_test(test_settings_arrive),
		cmocka_unit_test(test_reload),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make, service_place_remove);
}
