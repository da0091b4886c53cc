/*
 * TLS 1.3 for both listeners and for what we call, and who is at the other end.
 *
 * Owns the contexts, made from the configuration's files and made anew on reload, and the reading
 * of names, roles and scopes from a certificate. Refuses older versions, keys that everybody can
 * read, certificates without the extended key usage clientAuth, of two roles, with a name that is
 * none, revoked or out of date; with a revocation list that is itself too old it refuses all.
 */
#ifndef SIMTIE_SERVICE_TLS_H
#define SIMTIE_SERVICE_TLS_H

#include <openssl/ssl.h>

#include "config.h"
#include "request.h"

struct tls;

/* 0, or -1 with a sentence on standard error. */
int tls_open(const struct config *config, struct tls **tls);
void tls_close(struct tls **tls);

/* A connection that was accepted. From loopback a peer may come without a certificate: what it may
 * see then is the routes' matter. NULL: out of memory. */
SSL *tls_accept(const struct tls *tls, enum listener listener, int fd, bool loopback);

/* A connection to `host`, whose certificate must name it. NULL: out of memory. */
SSL *tls_connect(const struct tls *tls, const char *host);

/* Who it is, after the handshake. `until` gets when its certificate ends, seconds since 1970;
 * INT64_MAX without one. False: the certificate has ended since the session began that is resumed.
 */
bool tls_peer(const SSL *ssl, struct peer *peer, int64_t *until);

/* Role, name and scopes of a certificate. NULL; or why it is none of ours, static: in two minds,
 * say, or a name that is no audience (UTF-8 without control characters, 1 to 64 bytes). */
const char *tls_peer_read(const X509 *certificate, struct peer *peer);

#endif
