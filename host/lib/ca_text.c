/*
 * Words of the authority: errors, reasons, and what an ICCID looks like.
 */
#include "ca.h"

const char *ca_strerror(int error)
{
	switch ((enum ca_error)error) {
	case CA_OK:
		return "done";
	case CA_ERR_ARGUMENT:
		return "a value is out of its range";
	case CA_ERR_LIBRARY:
		return "out of memory, or the crypto library failed; try again";
	case CA_ERR_FILE:
		return "a file could not be read or written";
	case CA_ERR_EXISTS:
		return "the directory is there and not empty; name a new one";
	case CA_ERR_NO_CA:
		return "there is no certificate authority in this directory; make one with "
		       "`simtie ca init`";
	case CA_ERR_PASSPHRASE:
		return "the passphrase does not open the key; try it again";
	case CA_ERR_DAMAGED:
		return "ca.crt, ca.key or index is damaged or of another authority; restore the "
		       "directory from its backup";
	case CA_ERR_POINT:
		return "the public key is not a point on P-256; take it from the card's record";
	case CA_ERR_TOO_LARGE:
		return "the certificate would be larger than the card takes; leave out the CRL's "
		       "address, or make an authority with a shorter name";
	case CA_ERR_TIME:
		return "the authority's own certificate is not valid now; set the clock right, or "
		       "make a new authority";
	case CA_ERR_OUTLIVES:
		return "the certificate would outlive the authority; ask for fewer days";
	case CA_ERR_NOT_ISSUED:
		return "this authority issued nothing of the kind; see what it did with "
		       "`simtie ca show`";
	case CA_ERR_FORMAT:
		return "it is not an X.509 certificate, DER or PEM";
	}
	return "unknown error";
}

static const struct {
	enum ca_reason reason;
	const char *name;
} reasons[] = {
	{CA_UNSPECIFIED, "unspecified"},
	{CA_KEY_COMPROMISE, "keyCompromise"},
	{CA_SUPERSEDED, "superseded"},
	{CA_CESSATION, "cessationOfOperation"},
};

#define REASONS (sizeof(reasons) / sizeof(reasons[0]))

const char *ca_reason_name(enum ca_reason reason)
{
	for (size_t i = 0; i < REASONS; i++) {
		if (reasons[i].reason == reason)
			return reasons[i].name;
	}
	return reasons[0].name;
}

bool ca_reason_read(const char *name, enum ca_reason *reason)
{
	for (size_t i = 0; i < REASONS; i++) {
		if (strcmp(reasons[i].name, name) == 0) {
			*reason = reasons[i].reason;
			return true;
		}
	}
	return false;
}

bool ca_iccid_valid(const char *iccid)
{
	size_t len = strlen(iccid);

	return len >= 18 && len < CA_ICCID_SIZE && strspn(iccid, "0123456789") == len;
}
