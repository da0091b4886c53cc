/*
 * Who a certificate is for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "certs.h"
#include "tls.h"

static bool read_alt(const char *alt, struct peer *peer)
{
	const struct certs_request request = {
		.name = "x",
		.alt = alt,
		.usage = "digitalSignature",
		.extended = "clientAuth",
		.days = 1,
	};
	struct certs_pair pair;
	bool read;

	assert_true(certs_make(NULL, &request, &pair));
	read = tls_peer_read(pair.certificate, peer) == NULL;
	certs_clear(&pair);
	return read;
}

static void roles_names_and_scopes_are_read(void **state)
{
	struct peer peer;

	(void)state;
	assert_true(read_alt("DNS:localhost, URI:urn:x-simtie:messenger:chat.example, "
			     "URI:urn:x-simtie:scope:sim-swap, URI:https://other.example/",
			     &peer));
	assert_int_equal(peer.role, PEER_MESSENGER);
	assert_string_equal(peer.name, "chat.example");
	assert_int_equal(peer.scopes, SCOPE_SIM_SWAP);
	assert_true(read_alt("URI:urn:x-simtie:scope:events, URI:urn:x-simtie:admin:a, "
			     "URI:urn:x-simtie:scope:records, URI:urn:x-simtie:scope:metrics",
			     &peer));
	assert_int_equal(peer.role, PEER_ADMIN);
	assert_int_equal(peer.scopes, SCOPE_EVENTS | SCOPE_RECORDS | SCOPE_METRICS);
	assert_true(read_alt("URI:urn:x-simtie:operator:mno", &peer));
	assert_int_equal(peer.role, PEER_OPERATOR);
	assert_true(read_alt("URI:urn:x-simtie:monitor:m", &peer));
	assert_int_equal(peer.role, PEER_MONITOR);
	assert_int_equal(peer.scopes, 0);
}

static void names_may_be_percent_encoded(void **state)
{
	struct peer peer;

	(void)state;
	assert_true(read_alt("URI:urn:x-simtie:messenger:caf%C3%A9%2Dx", &peer));
	assert_string_equal(peer.name, "caf\xc3\xa9-x");
}

static void what_is_none_or_two_is_refused(void **state)
{
	static const char *const wrong[] = {
		"DNS:urn:x-simtie:messenger:a",
		"URI:urn:x-simtie:messenger:a, URI:urn:x-simtie:admin:b",
		"URI:urn:x-simtie:messenger:a, URI:urn:x-simtie:messenger:b",
		"URI:urn:x-simtie:messenger:",
		"URI:urn:x-simtie:messenger:a%00b",
		"URI:urn:x-simtie:messenger:a%0ab",
		"URI:urn:x-simtie:messenger:a%4",
		/* What is no UTF-8, and C1. */
		"URI:urn:x-simtie:messenger:a%ff",
		"URI:urn:x-simtie:messenger:a%c3",
		"URI:urn:x-simtie:messenger:%c0%80",
		"URI:urn:x-simtie:messenger:a%ed%a0%80",
		"URI:urn:x-simtie:messenger:a%c2%85b",
		"URI:urn:x-simtie:admin:a%ff",
		"URI:urn:x-simtie:operator:a%f8%88%80%80%80",
		"URI:urn:x-simtie:boss:a",
		"URI:urn:x-simtie:scope:events",
		"URI:URN:x-simtie:messenger:a",
		"URI:urn:x-simtie:messenger:"
		"0123456789012345678901234567890123456789012345678901234567890123x",
	};
	struct peer peer;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(read_alt(wrong[i], &peer));
}

static void scopes_are_whole_words(void **state)
{
	struct peer peer;

	(void)state;
	assert_true(read_alt("URI:urn:x-simtie:admin:a, URI:urn:x-simtie:scope:eventsx, "
			     "URI:urn:x-simtie:scope:event, URI:urn:x-simtie:scope:",
			     &peer));
	assert_int_equal(peer.scopes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roles_names_and_scopes_are_read),
		cmocka_unit_test(names_may_be_percent_encoded),
		cmocka_unit_test(what_is_none_or_two_is_refused),
		cmocka_unit_test(scopes_are_whole_words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
