/*
 * An opened authority's inside, for the files that work on it.
 */
#ifndef SIMTIE_HOST_CA_OBJECT_H
#define SIMTIE_HOST_CA_OBJECT_H

#include <openssl/x509.h>
#include <pthread.h>

#include "ca_crl.h"
#include "ca_index.h"

struct ca {
	pthread_mutex_t mutex; /* over the rest: the index's lock keeps out other processes alone */
	int directory;
	X509 *root;
	EVP_PKEY *key;
	time_t root_from, root_until;
	struct ca_index index;
};

/* Takes the mutex, then the index's lock; gives both back. ca_object_leave() returns `result`.
 * Between them OpenSSL may leave errors in its queue. */
int ca_object_enter(struct ca *ca);
int ca_object_leave(struct ca *ca, int result);

/* ca_crl_publish() with what is in `ca`; and the same when crl.pem is behind the index, whose
 * writer died between the two. */
int ca_object_publish(struct ca *ca, struct ca_revocations more, unsigned days);
int ca_object_mend(struct ca *ca);

#endif
