/*
 * The contexts.
 */
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SESSION_S 3600 /* how long a session may be resumed */

struct tls {
	SSL_CTX *peers, *public, *client;
};

static int wrong(const char *path, const char *what)
{
	fprintf(stderr, "simtied: %s: %s\n", path, what);
	ERR_clear_error();
	return -1;
}

/* Keys with a passphrase are refused, not asked for. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)context;
	return -1;
}

static int use_certificate(SSL_CTX *context, const char *certificate, const char *key)
{
	struct stat status;

	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
		return wrong(certificate, "is no certificate in PEM that can be read");
	if (stat(key, &status))
		return wrong(key, strerror(errno));
	if (status.st_mode & S_IRWXO)
		return wrong(key, "everybody can read this key: chmod o= it");
	if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
		return wrong(key, "is not this certificate's key in PEM, without a passphrase");
	return 0;
}

/* A list that is too old refuses everybody; whoever starts or reloads is to know why. */
static void check_age(const char *path, const X509_CRL *crl)
{
	const ASN1_TIME *until = X509_CRL_get0_nextUpdate(crl);

	if (until && X509_cmp_current_time(until) < 0)
		fprintf(stderr, "simtied: %s: is out of date: whoever it is for is refused\n",
			path);
}

static int use_crl(SSL_CTX *context, const char *path)
{
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	FILE *file = fopen(path, "r");
	unsigned count = 0;
	X509_CRL *crl;

	if (!file)
		return wrong(path, strerror(errno));
	while ((crl = PEM_read_X509_CRL(file, NULL, NULL, NULL))) {
		count += X509_STORE_add_crl(store, crl) == 1;
		check_age(path, crl);
		X509_CRL_free(crl);
	}
	fclose(file);
	ERR_clear_error();
	if (count == 0)
		return wrong(path, "holds no revocation list in PEM");
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return 0;
}

/* Says which certificate it is by its serial number: its names are what may be wrong with it. */
static void say_refused(const X509 *certificate, const char *why)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
	char *serial = number ? BN_bn2hex(number) : NULL;

	fprintf(stderr, "simtied: a client's certificate, serial number %s, is refused: %s\n",
		serial ? serial : "unknown", why);
	OPENSSL_free(serial);
	BN_free(number);
}

/* The chain holds; is it a client's of ours? */
static int check_client(int good, X509_STORE_CTX *chain)
{
	X509 *certificate = X509_STORE_CTX_get_current_cert(chain);
	struct peer peer;
	const char *wrong;

	if (!good || X509_STORE_CTX_get_error_depth(chain) > 0)
		return good;
	wrong = tls_peer_read(certificate, &peer);
	if (!(X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE) ||
	    !(X509_get_extended_key_usage(certificate) & XKU_SSL_CLIENT))
		wrong = "it lacks the extended key usage clientAuth";
	if (!wrong)
		return 1;
	say_refused(certificate, wrong);
	X509_STORE_CTX_set_error(chain, X509_V_ERR_INVALID_PURPOSE);
	return 0;
}

static SSL_CTX *context_new(const SSL_METHOD *method)
{
	SSL_CTX *context = SSL_CTX_new(method);

	if (!context)
		return NULL;
	SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	return context;
}

/* Session tickets are sealed with keys that die with the context: a reload ends all sessions. */
static SSL_CTX *server_new(const char *certificate, const char *key)
{
	SSL_CTX *context = context_new(TLS_server_method());

	if (!context)
		return NULL;
	SSL_CTX_set_num_tickets(context, 1);
	SSL_CTX_set_timeout(context, SESSION_S);
	SSL_CTX_set_session_id_context(context, (const unsigned char *)"simtied", 7);
	SSL_CTX_set_read_ahead(context, 1);
	if (use_certificate(context, certificate, key)) {
		SSL_CTX_free(context);
		return NULL;
	}
	return context;
}

static int open_peers(const struct config *config, struct tls *tls)
{
	STACK_OF(X509_NAME) * names;

	tls->peers = server_new(config->tls.certificate, config->tls.key);
	if (!tls->peers)
		return -1;
	names = SSL_load_client_CA_file(config->tls.client_ca);
	if (!names || SSL_CTX_load_verify_file(tls->peers, config->tls.client_ca) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return wrong(config->tls.client_ca, "holds no certificate in PEM that can be read");
	}
	SSL_CTX_set_client_CA_list(tls->peers, names);
	return config->tls.client_crl ? use_crl(tls->peers, config->tls.client_crl) : 0;
}

static int open_client(const struct config *config, struct tls *tls)
{
	const char *ca = config->tls.server_ca ? config->tls.server_ca : config->tls.client_ca;
	const char *crl = config->tls.server_crl;

	tls->client = context_new(TLS_client_method());
	if (!tls->client || use_certificate(tls->client, config->tls.certificate, config->tls.key))
		return -1;
	if (SSL_CTX_load_verify_file(tls->client, ca) != 1)
		return wrong(ca, "holds no certificate in PEM that can be read");
	SSL_CTX_set_verify(tls->client, SSL_VERIFY_PEER, NULL);
	if (!crl && !config->tls.server_ca) /* one authority, one list */
		crl = config->tls.client_crl;
	return crl ? use_crl(tls->client, crl) : 0;
}

int tls_open(const struct config *config, struct tls **out)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	bool own = config->tls.public_certificate != NULL;
	int error = -1;

	*out = NULL;
	if (!tls)
		return -1;
	error = open_peers(config, tls);
	if (!error)
		error = open_client(config, tls);
	if (!error && config->has_public) {
		tls->public =
			server_new(own ? config->tls.public_certificate : config->tls.certificate,
				   own ? config->tls.public_key : config->tls.key);
		error = tls->public ? 0 : -1;
	}
	if (error)
		tls_close(&tls);
	*out = tls;
	return error;
}

void tls_close(struct tls **tls)
{
	if (!*tls)
		return;
	SSL_CTX_free((*tls)->peers);
	SSL_CTX_free((*tls)->public);
	SSL_CTX_free((*tls)->client);
	free(*tls);
	*tls = NULL;
}

SSL *tls_accept(const struct tls *tls, enum listener listener, int fd, bool loopback)
{
	SSL *ssl = SSL_new(listener == LISTEN_PEERS ? tls->peers : tls->public);

	if (!ssl)
		return NULL;
	if (listener == LISTEN_PEERS)
		SSL_set_verify(ssl,
			       loopback ? SSL_VERIFY_PEER
					: SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			       check_client);
	if (SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_accept_state(ssl);
	return ssl;
}

SSL *tls_connect(const struct tls *tls, const char *host)
{
	SSL *ssl = SSL_new(tls->client);
	unsigned char address[sizeof(struct in6_addr)];
	bool numeric =
		inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;

	if (!ssl)
		return NULL;
	if (numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) != 1
		    : SSL_set_tlsext_host_name(ssl, host) != 1 || SSL_set1_host(ssl, host) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	return ssl;
}
