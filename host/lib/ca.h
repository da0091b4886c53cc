/*
 * The operator's certificate authority: a directory with a P-256 root, an index of all that it
 * issued, and its revocation list.
 *
 * Owns the root's private key (encrypted at rest, in memory between ca_open() and ca_close()), the
 * form of card certificates (RFC 5280), and the directory's files, which several processes and
 * threads may use at once. Refuses to overwrite an authority, to certify what is no point on the
 * curve, and to issue what the card cannot hold.
 *
 * It refuses to judge whether the card has the key: there is no certificate request that the key
 * signed, since a device key signs nothing. Who calls ca_issue() has proved it before: the card
 * made the key in front of the caller and an attestation verified under a service key derived from
 * it (simtie_token_verify() with the card's record), or the caller trusts who handed the key over.
 *
 * What the directory holds, mode 0700:
 *
 *   ca.crt   the root, X.509 v3, PEM
 *   ca.key   its key, encrypted PKCS #8 (scrypt, AES-256-CBC), PEM, mode 0600; `openssl pkey` opens
 * it index    all that was issued and revoked (ca_index.h), mode 0600; only ever appended to. It is
 *            also what a process locks (flock) while it writes
 *   crl.pem  the revocation list, made from the index
 *
 * A certificate or a revocation is in the index, flushed, before a call answers. Killed at any
 * instant, what was answered is there, and nothing is there in half: crl.pem is replaced whole, and
 * the next ca_open() makes it anew when it is behind the index.
 *
 * A function returns 0 or a negative enum ca_error; OpenSSL's error queue of the thread is left as
 * it was.
 */
#ifndef SIMTIE_HOST_CA_H
#define SIMTIE_HOST_CA_H

#include <time.h>

#include "bytes.h"
#include "contract.h"

#define CA_SERIAL_SIZE      16  /* bytes of our serial numbers; the first is never 00 */
#define CA_SERIAL_MAX       20  /* of anybody's (RFC 5280 §4.1.2.2) */
#define CA_FINGERPRINT_SIZE 32  /* SHA-256 of the certificate */
#define CA_ICCID_SIZE       21  /* 18 to 20 digits and the terminator */
#define CA_NAME_MAX         64  /* characters of a name (RFC 5280, ub-common-name) */
#define CA_SUBJECT_SIZE     640 /* room for a name in RFC 4514 form, cut if longer */
#define CA_URL_MAX          200 /* bytes */
#define CA_PASSPHRASE_MIN   8   /* bytes */
#define CA_PASSPHRASE_MAX   1024
#define CA_DERIVED_SIZE     32 /* bytes of ca_derive() */

/* Days of validity: the longest, and what 0 stands for. */
#define CA_DAYS_MAX      36525
#define CA_DAYS_ROOT     7305 /* 20 years */
#define CA_DAYS_CARD     3652 /* 10 years */
#define CA_DAYS_CRL      30
#define CA_SECONDS_A_DAY 86400

/* notBefore and thisUpdate lie this many seconds back, for whoever's clock is behind. */
#define CA_BACKDATE 300

enum ca_error {
	CA_OK = 0,
	CA_ERR_ARGUMENT = -1,    /* a value out of its documented range */
	CA_ERR_LIBRARY = -2,     /* out of memory, or OpenSSL failed */
	CA_ERR_FILE = -3,        /* a file could not be read or written; see errno */
	CA_ERR_EXISTS = -4,      /* the directory to be made is there and not empty */
	CA_ERR_NO_CA = -5,       /* no authority in that directory */
	CA_ERR_PASSPHRASE = -6,  /* the passphrase does not open ca.key */
	CA_ERR_DAMAGED = -7,     /* ca.crt, ca.key or index is not what it should be */
	CA_ERR_POINT = -8,       /* the public key is no point on P-256 */
	CA_ERR_TOO_LARGE = -9,   /* the certificate would have over LIMIT_CERTIFICATE_MAX bytes */
	CA_ERR_TIME = -10,       /* by the clock the root is not valid */
	CA_ERR_OUTLIVES = -11,   /* the certificate would outlive the root */
	CA_ERR_NOT_ISSUED = -12, /* nothing of that serial number or ICCID was issued */
	CA_ERR_FORMAT = -13,     /* not an X.509 certificate */
};

/* What happened and what to do, for an error above. Static; never NULL. */
const char *ca_strerror(int error);

/* Why a certificate is revoked: what a SIM can meet of RFC 5280 §5.3.1, with its numbers. There is
 * no hold: a revocation stands for good. */
enum ca_reason {
	CA_UNSPECIFIED = 0,
	CA_KEY_COMPROMISE = 1,
	CA_SUPERSEDED = 4,
	CA_CESSATION = 5,
};

/* RFC 5280's name, "keyCompromise"; static. And back; false: none of those above. */
const char *ca_reason_name(enum ca_reason reason);
bool ca_reason_read(const char *name, enum ca_reason *reason);

/* One certificate as the index knows it. */
struct ca_entry {
	uint8_t serial[CA_SERIAL_SIZE];
	char iccid[CA_ICCID_SIZE];
	time_t not_before;
	time_t not_after;
	uint8_t fingerprint[CA_FINGERPRINT_SIZE];
	bool revoked;
	time_t revoked_at;
	enum ca_reason reason;
};

/* ---- Making one ---- */

struct ca_settings {
	const char *name;         /* commonName: 1 to CA_NAME_MAX characters of UTF-8 */
	const char *organisation; /* the same, or NULL for none */
	unsigned days;            /* 1 to CA_DAYS_MAX; 0: CA_DAYS_ROOT */
};

/*
 * Makes a new authority in `directory`, which must not be there or be empty, and appears whole or
 * not at all. The passphrase has CA_PASSPHRASE_MIN to CA_PASSPHRASE_MAX bytes. A process that is
 * killed may leave "DIRECTORY.XXXXXX" beside it.
 * CA_ERR_ARGUMENT, CA_ERR_EXISTS, CA_ERR_FILE, CA_ERR_LIBRARY.
 */
int ca_create(const char *directory, const struct ca_settings *settings, struct bytes passphrase);

/* Whether ca_create() would refuse for what is there: to be asked before a person types a
 * passphrase twice. */
bool ca_create_taken(const char *directory);

/* ---- With the key ---- */

/* An opened authority. Any number of threads may share it: each call takes its mutex. */
struct ca;

/*
 * Decrypts the key (a quarter of a second, on purpose) and holds it until ca_close(). The
 * passphrase is not kept. Renews crl.pem if it is behind the index or gone. CA_ERR_NO_CA,
 * CA_ERR_PASSPHRASE (also for a ca.key with changed bytes: the two look alike), CA_ERR_DAMAGED,
 * CA_ERR_FILE, CA_ERR_LIBRARY.
 */
int ca_open(const char *directory, struct bytes passphrase, struct ca **ca);

/* Wipes the key and clears the caller's pointer. NULL, or a pointer to NULL, is fine. */
void ca_close(struct ca **ca);

/* What a card certificate shall say. */
struct ca_request {
	const uint8_t *device_public; /* LIMIT_POINT_SIZE bytes, uncompressed */
	bool channel;                 /* it is the card's key of SCP11b: for key agreement */
	const char *iccid;            /* 18 to 20 digits: the subject's serialNumber (2.5.4.5) */
	unsigned days;                /* 1 to CA_DAYS_MAX; 0: CA_DAYS_CARD, or the root's rest */
	const char *crl_url; /* where the CRL is published, printable ASCII; NULL: no word */
};

struct ca_issued {
	struct ca_entry entry;
	uint8_t certificate[LIMIT_CERTIFICATE_MAX]; /* DER */
	size_t len;
};

/*
 * Issues a certificate. A further one for the same ICCID stands beside the first, which is not
 * revoked by it. When the answer is lost the certificate stays in the index, and nobody has it.
 * CA_ERR_ARGUMENT, CA_ERR_POINT, CA_ERR_TIME, CA_ERR_OUTLIVES (only for `days` that were asked
 * for), CA_ERR_TOO_LARGE, CA_ERR_FILE, CA_ERR_DAMAGED, CA_ERR_LIBRARY.
 */
int ca_issue(struct ca *ca, const struct ca_request *request, struct ca_issued *issued);

/* Which certificates are meant: the one of a serial number, or all of an ICCID. One of the two. */
struct ca_selector {
	const uint8_t *serial; /* CA_SERIAL_SIZE bytes, or NULL */
	const char *iccid;     /* or NULL */
};

/*
 * Revokes, in index and crl.pem. *count gets how many were revoked by this call; 0: all that fit
 * were revoked before, and the revocation list is as it was.
 * CA_ERR_NOT_ISSUED, CA_ERR_ARGUMENT, CA_ERR_FILE, CA_ERR_DAMAGED, CA_ERR_LIBRARY.
 */
int ca_revoke(struct ca *ca, const struct ca_selector *selector, enum ca_reason reason,
	      size_t *count);

/* Signs crl.pem anew under the next CRL number, valid `days` (0: CA_DAYS_CRL). Revocations are in
 * it already; this is for its end of validity. Errors as ca_revoke() but for NOT_ISSUED. */
int ca_renew_crl(struct ca *ca, unsigned days);

/*
 * A secret of CA_DERIVED_SIZE bytes that only the opened key gives, the same each time for the same
 * label (HKDF-Expand-SHA-256 over the private key): what a bench needs to read its own files again
 * after it was killed, without a second passphrase. The caller wipes it. False: the library failed.
 */
bool ca_derive(struct ca *ca, const char *label, uint8_t secret[static CA_DERIVED_SIZE]);

/* ---- Without the key ---- */

/* What a certificate says; nothing of it is verified. */
struct ca_facts {
	char subject[CA_SUBJECT_SIZE]; /* RFC 4514, UTF-8, control characters escaped */
	char issuer[CA_SUBJECT_SIZE];
	char iccid[CA_ICCID_SIZE]; /* "" when there is none */
	uint8_t serial[CA_SERIAL_MAX];
	size_t serial_len;
	time_t not_before;
	time_t not_after;
	uint8_t fingerprint[CA_FINGERPRINT_SIZE];
	bool authority; /* it may sign certificates */
};

/* Reads a certificate, DER or PEM. CA_ERR_FORMAT, CA_ERR_LIBRARY. */
int ca_facts_read(struct bytes certificate, struct ca_facts *facts);

/* What is in a directory. */
struct ca_contents {
	struct ca_facts root;
	struct ca_entry *entries; /* in the order of issue */
	size_t count;
	uint64_t crl_number;
	time_t crl_this_update;
	time_t crl_next_update;
	bool crl_behind; /* crl.pem is not the index's last; ca_open() mends that */
};

/*
 * Reads a directory as its last complete writer left it. *contents is to be freed with
 * ca_contents_free(), whatever comes back.
 * CA_ERR_NO_CA, CA_ERR_FILE, CA_ERR_DAMAGED, CA_ERR_LIBRARY.
 */
int ca_contents_read(const char *directory, struct ca_contents *contents);
void ca_contents_free(struct ca_contents *contents);

/* The entry of a certificate, or NULL: this authority did not issue it. */
const struct ca_entry *ca_contents_find(const struct ca_contents *contents,
					const uint8_t fingerprint[static CA_FINGERPRINT_SIZE]);

/* Whether it is an ICCID: 18 to 20 decimal digits. */
bool ca_iccid_valid(const char *iccid);

#endif
