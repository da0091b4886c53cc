/*
 * The revocation list (RFC 5280 §5), made from the index.
 *
 * Owns its form. Refuses to leave out what was ever revoked, expired or not.
 */
#ifndef SIMTIE_HOST_CA_CRL_H
#define SIMTIE_HOST_CA_CRL_H

#include <openssl/x509.h>

#include "ca_index.h"

#define CA_CRL_NAME  "crl.pem"
#define CA_CRL_DRAFT "crl.pem.new" /* of a writer that died, perhaps; the next makes it anew */

/* Revocations that are not in the index yet. */
struct ca_revocations {
	const struct ca_entry *entries;
	size_t count;
};

/*
 * Publishes the next list: signs it with what the index has and what is `more`, enters it and
 * `more` in the index, and puts it in the place of crl.pem. A failure before it is in the index
 * changes nothing; after that the revocations stand and ca_crl_behind() is true. CA_ERR_FILE,
 * CA_ERR_DAMAGED, CA_ERR_LIBRARY. The index must be locked for writing.
 */
int ca_crl_publish(int directory, X509 *root, EVP_PKEY *key, struct ca_index *index,
		   struct ca_revocations more, unsigned days);

/* Whether crl.pem is not the list that the index names last. CA_ERR_FILE, other than for want of
 * the file. */
int ca_crl_behind(int directory, const struct ca_index *index, bool *behind);

#endif
