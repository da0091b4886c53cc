/*
 * DER (X.690 §10), as much as a certificate of one form needs.
 *
 * Owns tags and lengths. Writing goes from the end to the front, so that a length is known when it
 * is written. Refuses, in reading, lengths that are not the shortest, and more than 65535 bytes.
 */
#ifndef SIMTIE_SERVICE_DER_H
#define SIMTIE_SERVICE_DER_H

#include "bytes.h"

enum service_der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_OID = 0x06,
	DER_UTF8_STRING = 0x0C,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_KEY_ID = 0x80,     /* [0] of an AuthorityKeyIdentifier */
	DER_URI = 0x86,        /* [6] of a GeneralName */
	DER_VERSION = 0xA0,    /* [0] of a TBSCertificate */
	DER_EXTENSIONS = 0xA3, /* [3] of a TBSCertificate */
};

/* What is written lies from `at` to the end of the room. Once something did not fit, `full` is set
 * and what is there is of no use. */
struct service_der {
	uint8_t *start, *at, *end;
	bool full;
};

struct service_der service_der_open(uint8_t *room, size_t size);

/* Puts bytes before what is there. */
void service_der_raw(struct service_der *der, struct bytes bytes);

/* Makes all between `at` and `end`, where `at` once stood, the content of one value. */
void service_der_wrap(struct service_der *der, enum service_der_tag tag, const uint8_t *end);

/* A value whose content is given. */
void service_der_value(struct service_der *der, enum service_der_tag tag, struct bytes content);

struct bytes service_der_done(const struct service_der *der);

/* Takes one value with this tag off the front of *in. False: there is none. */
bool service_der_take(struct bytes *in, enum service_der_tag tag, struct bytes *content);

#endif
