/*
 * Certificates for development: keys made here, certificates issued under them, PEM files.
 *
 * Owns what is in such a certificate. Refuses to overwrite a file.
 */
#ifndef SIMTIE_SERVICE_CERTS_H
#define SIMTIE_SERVICE_CERTS_H

#include <openssl/x509.h>
#include <stdbool.h>

/* A P-256 key and its certificate. */
struct certs_pair {
	EVP_PKEY *key;
	X509 *certificate;
};

struct certs_request {
	const char *name;     /* the subject's CN */
	const char *alt;      /* subjectAltName as OpenSSL writes it, "DNS:…, URI:…", or NULL */
	const char *usage;    /* keyUsage, "critical, digitalSignature" */
	const char *extended; /* extendedKeyUsage, or NULL */
	bool authority;
	unsigned days;
};

/* Makes a key and has `issuer` sign (NULL: by itself). False: the library failed. */
bool certs_make(const struct certs_pair *issuer, const struct certs_request *request,
		struct certs_pair *pair);
void certs_clear(struct certs_pair *pair);

/* FOLDER/NAME.pem and FOLDER/NAME.key, mode 0600. False: errno says why. */
bool certs_write(const char *folder, const char *name, const struct certs_pair *pair);

/* FOLDER/NAME.pem: a revocation list of `issuer`'s that names nothing. */
bool certs_write_crl(const char *folder, const char *name, const struct certs_pair *issuer,
		     unsigned days);

#endif
