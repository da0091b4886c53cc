/*
 * Issuing: what is asked for is checked, signed, entered in the index, and only then answered.
 */
#include "ca_object.h"

#include "ca_certificate.h"
#include "crypto.h"

/* Printable ASCII that stands for itself in a URL; http or https. */
static bool url_valid(const char *url)
{
	size_t len = strlen(url);

	if (len > CA_URL_MAX ||
	    (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (url[i] <= ' ' || url[i] > '~')
			return false;
	}
	return true;
}

static int check_request(const struct ca_request *request)
{
	if (!ca_iccid_valid(request->iccid) || request->days > CA_DAYS_MAX ||
	    (request->crl_url && !url_valid(request->crl_url)))
		return CA_ERR_ARGUMENT;
	switch (simtie_crypto_openssl()->p256_point(request->device_public)) {
	case VERDICT_GOOD:
		return CA_OK;
	case VERDICT_BAD:
		return CA_ERR_POINT;
	case VERDICT_FAILED:
		break;
	}
	return CA_ERR_LIBRARY;
}

/* From when until when: within the root's own time. */
static int set_times(const struct ca *ca, unsigned days, struct ca_entry *entry)
{
	const time_t now = time(NULL);

	if (now < ca->root_from || now >= ca->root_until)
		return CA_ERR_TIME;
	entry->not_before = now - CA_BACKDATE;
	if (entry->not_before < ca->root_from)
		entry->not_before = ca->root_from;
	entry->not_after = now + (time_t)(days ? days : CA_DAYS_CARD) * CA_SECONDS_A_DAY;
	if (entry->not_after <= ca->root_until)
		return CA_OK;
	entry->not_after = ca->root_until;
	return days ? CA_ERR_OUTLIVES : CA_OK;
}

/* Signs, and gives the certificate as bytes. */
static int make(struct ca *ca, const struct ca_request *request, struct ca_issued *issued)
{
	uint8_t *out = issued->certificate;
	unsigned digest_len = sizeof(issued->entry.fingerprint);
	X509 *card;
	int result = ca_certificate_card(ca->root, ca->key, request, &issued->entry, &card);
	int len = result == CA_OK ? i2d_X509(card, NULL) : 0;

	if (result == CA_OK && len > LIMIT_CERTIFICATE_MAX)
		result = CA_ERR_TOO_LARGE;
	if (result == CA_OK &&
	    (len <= 0 || i2d_X509(card, &out) != len ||
	     X509_digest(card, EVP_sha256(), issued->entry.fingerprint, &digest_len) != 1))
		result = CA_ERR_LIBRARY;
	issued->len = (size_t)len;
	X509_free(card);
	return result;
}

static int issue(struct ca *ca, const struct ca_request *request, struct ca_issued *issued)
{
	struct ca_line line = {.kind = CA_LINE_ISSUED};
	int error = set_times(ca, request->days, &issued->entry);

	if (error)
		return error;
	if (!ca_certificate_serial(issued->entry.serial))
		return CA_ERR_LIBRARY;
	error = make(ca, request, issued);
	if (error)
		return error;
	line.entry = issued->entry;
	return ca_index_append(&ca->index, &line);
}

int ca_issue(struct ca *ca, const struct ca_request *request, struct ca_issued *issued)
{
	int error = check_request(request);

	memset(issued, 0, sizeof(*issued));
	if (error == CA_OK)
		error = ca_object_enter(ca);
	if (error)
		return error;
	memcpy(issued->entry.iccid, request->iccid, strlen(request->iccid));
	error = ca_object_leave(ca, issue(ca, request, issued));
	if (error)
		memset(issued, 0, sizeof(*issued));
	return error;
}
