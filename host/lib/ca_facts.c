/*
 * What a certificate says, for people: it is read, not verified.
 */
#include "ca_certificate.h"

#include "crypto.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* RFC 4514, in UTF-8; what the terminal would act on is escaped. */
static bool read_name(const X509_NAME *name, char text[static CA_SUBJECT_SIZE])
{
	BIO *out = BIO_new(BIO_s_mem());
	bool ok = out &&
		  X509_NAME_print_ex(out, name, 0,
				     XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0;
	int len = ok ? BIO_read(out, text, CA_SUBJECT_SIZE - 1) : 0;

	text[len > 0 ? len : 0] = '\0';
	BIO_free(out);
	return ok;
}

/* The subject's serialNumber, if it is an ICCID. */
static void read_iccid(const X509_NAME *name, char iccid[static CA_ICCID_SIZE])
{
	if (X509_NAME_get_text_by_NID(name, NID_serialNumber, iccid, CA_ICCID_SIZE) < 0 ||
	    !ca_iccid_valid(iccid))
		iccid[0] = '\0';
}

static bool read_serial(const X509 *certificate, struct ca_facts *facts)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
	int len = ASN1_STRING_length(serial);

	if (len < 1 || len > CA_SERIAL_MAX)
		return false;
	memcpy(facts->serial, ASN1_STRING_get0_data(serial), (size_t)len);
	facts->serial_len = (size_t)len;
	return true;
}

static int read_facts(X509 *certificate, struct ca_facts *facts)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	unsigned len = sizeof(facts->fingerprint);

	if (!read_serial(certificate, facts) ||
	    !ca_certificate_validity(certificate, &facts->not_before, &facts->not_after))
		return CA_ERR_FORMAT;
	read_iccid(subject, facts->iccid);
	facts->authority = X509_check_ca(certificate) > 0;
	if (!read_name(subject, facts->subject) ||
	    !read_name(X509_get_issuer_name(certificate), facts->issuer) ||
	    X509_digest(certificate, EVP_sha256(), facts->fingerprint, &len) != 1)
		return CA_ERR_LIBRARY;
	return CA_OK;
}

/* DER with nothing behind it, or the first certificate in a PEM file. */
static X509 *parse(struct bytes bytes)
{
	const uint8_t *at = bytes.ptr;
	X509 *certificate = d2i_X509(NULL, &at, (long)bytes.len);
	BIO *pem;

	if (certificate && at != bytes.ptr + bytes.len) {
		X509_free(certificate);
		return NULL;
	}
	if (certificate)
		return certificate;
	pem = BIO_new_mem_buf(bytes.ptr, (int)bytes.len);
	certificate = pem ? PEM_read_bio_X509(pem, NULL, NULL, NULL) : NULL;
	BIO_free(pem);
	return certificate;
}

int ca_facts_read(struct bytes bytes, struct ca_facts *facts)
{
	X509 *certificate;
	int result = CA_ERR_FORMAT;

	memset(facts, 0, sizeof(*facts));
	if (bytes.len == 0 || bytes.len > INT32_MAX)
		return CA_ERR_FORMAT;
	ERR_set_mark();
	certificate = parse(bytes);
	if (certificate)
		result = read_facts(certificate, facts);
	X509_free(certificate);
	ERR_pop_to_mark();
	return result;
}
