/*
 * The service credential's inside, for its two files: writing and reading.
 *
 * Owns the order of the parts. Functions that write go from the end to the front (service_der.h).
 */
#ifndef SIMTIE_SERVICE_CREDENTIAL_H
#define SIMTIE_SERVICE_CREDENTIAL_H

#include "service_der.h"
#include "service_internal.h"

#define SERVICE_SERIAL_SIZE    16
#define SERVICE_REFERENCE_MARK '#' /* parts a status list's URI from the index in it */

/* What is not the same in every credential. */
struct service_credential_fields {
	uint8_t serial[SERVICE_SERIAL_SIZE];
	struct bytes issuer_name; /* DER, borrowed */
	uint8_t issuer_key[SERVICE_KEY_ID_SIZE];
	struct simtie_credential of;
};

/* The TBSCertificate (RFC 5280 §4.1). False: no room, or the library failed. */
bool service_credential_tbs(struct service_der *der,
			    const struct service_credential_fields *fields);

/* The whole, with a signature (in DER) over `tbs`. False: no room. */
bool service_credential_whole(struct service_der *der, struct bytes tbs, struct bytes signature);

/* ERR_ARGUMENT: a field is out of its range; ERR_LIBRARY. */
int service_credential_check(const struct simtie_credential *of);

#endif
