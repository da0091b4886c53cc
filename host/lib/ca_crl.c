#include "ca_crl.h"

#include "ca_certificate.h"
#include "ca_file.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

static bool set_entry(X509_REVOKED *revoked, const struct ca_entry *entry)
{
	BIGNUM *number = BN_bin2bn(entry->serial, CA_SERIAL_SIZE, NULL);
	ASN1_INTEGER *serial = number ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
	ASN1_TIME *when = ASN1_TIME_set(NULL, entry->revoked_at);
	ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
	bool ok = serial && when && reason && X509_REVOKED_set_serialNumber(revoked, serial) &&
		  X509_REVOKED_set_revocationDate(revoked, when) &&
		  ASN1_ENUMERATED_set(reason, entry->reason);

	/* No reason is said by no extension (RFC 5280 §5.3.1). */
	if (ok && entry->reason != CA_UNSPECIFIED)
		ok = X509_REVOKED_add1_ext_i2d(revoked, NID_crl_reason, reason, 0, 0) == 1;
	ASN1_ENUMERATED_free(reason);
	ASN1_TIME_free(when);
	ASN1_INTEGER_free(serial);
	BN_free(number);
	return ok;
}

static int add_entry(X509_CRL *crl, const struct ca_entry *entry)
{
	X509_REVOKED *revoked = X509_REVOKED_new();

	if (revoked && set_entry(revoked, entry) && X509_CRL_add0_revoked(crl, revoked))
		return CA_OK;
	X509_REVOKED_free(revoked);
	return CA_ERR_LIBRARY;
}

static int add_line(void *context, const struct ca_line *line)
{
	return line->kind == CA_LINE_REVOKED ? add_entry(context, &line->entry) : CA_OK;
}

static bool set_head(X509_CRL *crl, X509 *root, const struct ca_line *line)
{
	ASN1_TIME *this_update = ASN1_TIME_set(NULL, line->this_update);
	ASN1_TIME *next_update = ASN1_TIME_set(NULL, line->next_update);
	AUTHORITY_KEYID *authority = ca_certificate_authority(root);
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	bool ok = this_update && next_update && authority && number &&
		  X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
		  X509_CRL_set_issuer_name(crl, X509_get_subject_name(root)) &&
		  X509_CRL_set1_lastUpdate(crl, this_update) &&
		  X509_CRL_set1_nextUpdate(crl, next_update) &&
		  ASN1_INTEGER_set_uint64(number, line->number) &&
		  X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, authority, 0, 0) == 1 &&
		  X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1;

	ASN1_INTEGER_free(number);
	AUTHORITY_KEYID_free(authority);
	ASN1_TIME_free(next_update);
	ASN1_TIME_free(this_update);
	return ok;
}

/* Makes and signs the list with the number and the times of `line`, in PEM. */
static int sign(X509 *root, EVP_PKEY *key, const struct ca_index *index, struct ca_revocations more,
		const struct ca_line *line, BIO *pem)
{
	X509_CRL *crl = X509_CRL_new();
	int result = crl && set_head(crl, root, line) ? CA_OK : CA_ERR_LIBRARY;

	if (result == CA_OK)
		result = ca_index_visit(index, add_line, crl);
	for (size_t i = 0; result == CA_OK && i < more.count; i++)
		result = add_entry(crl, &more.entries[i]);
	if (result == CA_OK && !(X509_CRL_sort(crl) && X509_CRL_sign(crl, key, CA_DIGEST) > 0 &&
				 PEM_write_bio_X509_CRL(pem, crl) == 1))
		result = CA_ERR_LIBRARY;
	X509_CRL_free(crl);
	return result;
}

/* Enters the revocations, and then the list that makes them count. */
static int enter(struct ca_index *index, struct ca_revocations more, const struct ca_line *crl)
{
	int error = CA_OK;

	for (size_t i = 0; error == CA_OK && i < more.count; i++) {
		const struct ca_line line = {.kind = CA_LINE_REVOKED, .entry = more.entries[i]};

		error = ca_index_append(index, &line);
	}
	return error ? error : ca_index_append(index, crl);
}

int ca_crl_publish(int directory, X509 *root, EVP_PKEY *key, struct ca_index *index,
		   struct ca_revocations more, unsigned days)
{
	const time_t now = time(NULL);
	const struct ca_line line = {
		.kind = CA_LINE_CRL,
		.number = index->crl.number + 1,
		.this_update = now - CA_BACKDATE,
		.next_update = now + (time_t)(days ? days : CA_DAYS_CRL) * CA_SECONDS_A_DAY,
	};
	BIO *pem = BIO_new(BIO_s_mem());
	int result = pem ? sign(root, key, index, more, &line, pem) : CA_ERR_LIBRARY;
	char *text;
	long len;
	int error;

	if (result)
		goto out;
	len = BIO_get_mem_data(pem, &text);
	if (!ca_file_write(directory, CA_CRL_DRAFT, 0644, text, (size_t)len)) {
		result = CA_ERR_FILE;
		goto out;
	}
	result = enter(index, more, &line);
	if (result) {
		error = errno;
		unlinkat(directory, CA_CRL_DRAFT, 0);
		errno = error;
	} else if (!ca_file_rename(directory, CA_CRL_DRAFT, CA_CRL_NAME)) {
		result = CA_ERR_FILE;
	}
out:
	BIO_free(pem);
	return result;
}

/* The CRL number of a list in PEM; 0: it is none of ours. */
static uint64_t read_number(const char *pem, size_t len)
{
	BIO *in = len <= INT32_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
	X509_CRL *crl = in ? PEM_read_bio_X509_CRL(in, NULL, NULL, NULL) : NULL;
	ASN1_INTEGER *number = crl ? X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL) : NULL;
	uint64_t value = 0;

	if (number && !ASN1_INTEGER_get_uint64(&value, number))
		value = 0;
	ASN1_INTEGER_free(number);
	X509_CRL_free(crl);
	BIO_free(in);
	return value;
}

int ca_crl_behind(int directory, const struct ca_index *index, bool *behind)
{
	char *pem;
	size_t len;

	*behind = true;
	if (!ca_file_read(directory, CA_CRL_NAME, &pem, &len))
		return errno == ENOENT ? CA_OK : CA_ERR_FILE;
	*behind = read_number(pem, len) != index->crl.number;
	free(pem);
	return CA_OK;
}
