/*
 * Who a certificate is for: the URIs among its subjectAltNames.
 */
#include "tls.h"

#include "token.h"

#include <openssl/x509v3.h>
#include <time.h>

#define PREFIX "urn:x-simtie:"

static const struct {
	const char *name;
	enum peer_role role;
} roles[] = {
	{"messenger:", PEER_MESSENGER},
	{"operator:", PEER_OPERATOR},
	{"admin:", PEER_ADMIN},
	{"monitor:", PEER_MONITOR},
};

static const struct {
	const char *name;
	enum peer_scope scope;
} scopes[] = {
	{"scope:sim-swap", SCOPE_SIM_SWAP},
	{"scope:events", SCOPE_EVENTS},
	{"scope:records", SCOPE_RECORDS},
	{"scope:metrics", SCOPE_METRICS},
};

static bool begins(struct bytes text, const char *with)
{
	return text.len >= strlen(with) && memcmp(text.ptr, with, strlen(with)) == 0;
}

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* A name as a URI has it: percent-encoded where it must be. An audience, whatever the role: what is
 * stored and answered in JSON. */
static bool read_name(struct bytes text, char name[static LIMIT_AUDIENCE_MAX + 1])
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];

		if (c == '%') {
			if (text.len - i < 3 || digit(text.ptr[i + 1]) < 0 ||
			    digit(text.ptr[i + 2]) < 0)
				return false;
			c = (uint8_t)(digit(text.ptr[i + 1]) << 4 | digit(text.ptr[i + 2]));
			i += 2;
		}
		if (len == LIMIT_AUDIENCE_MAX)
			return false;
		name[len++] = (char)c;
	}
	name[len] = 0;
	return simtie_audience_valid(bytes_of((const uint8_t *)name, len));
}

/* One URI of ours. Scopes that are not known are none. */
static const char *read_uri(struct bytes text, struct peer *peer)
{
	for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
		if (text.len == strlen(scopes[i].name) && begins(text, scopes[i].name))
			peer->scopes |= scopes[i].scope;
	}
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		size_t skip = strlen(roles[i].name);

		if (!begins(text, roles[i].name))
			continue;
		if (peer->role != PEER_NONE)
			return "it has two roles";
		peer->role = roles[i].role;
		if (!read_name(bytes_of(text.ptr + skip, text.len - skip), peer->name))
			return "its name is not UTF-8 of 1 to 64 bytes without control characters";
	}
	return NULL;
}

const char *tls_peer_read(const X509 *certificate, struct peer *peer)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	const char *wrong = NULL;

	memset(peer, 0, sizeof(*peer));
	for (int i = 0; !wrong && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		struct bytes text;

		if (name->type != GEN_URI)
			continue;
		text = bytes_of(ASN1_STRING_get0_data(name->d.uniformResourceIdentifier),
				(size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier));
		if (begins(text, PREFIX))
			wrong = read_uri(
				bytes_of(text.ptr + strlen(PREFIX), text.len - strlen(PREFIX)),
				peer);
	}
	GENERAL_NAMES_free(names);
	return wrong || peer->role != PEER_NONE ? wrong : "it has no role of ours";
}

/* Seconds since 1970; 0 when it cannot be told. */
static int64_t seconds(const ASN1_TIME *time)
{
	struct tm fields;

	return ASN1_TIME_to_tm(time, &fields) == 1 ? (int64_t)timegm(&fields) : 0;
}

bool tls_peer(const SSL *ssl, struct peer *peer, int64_t *until)
{
	const X509 *certificate = SSL_get0_peer_certificate(ssl);
	bool loopback = peer->loopback;

	*until = INT64_MAX;
	if (!certificate)
		return true;
	if (SSL_get_verify_result(ssl) != X509_V_OK || tls_peer_read(certificate, peer))
		return false;
	peer->loopback = loopback;
	*until = seconds(X509_get0_notAfter(certificate));
	return *until > time(NULL);
}
