/*
 * Command APDUs: from bytes to fields (ISO/IEC 7816-3 §12.1, ISO/IEC 7816-4 §5.4.1).
 *
 * Owns nothing: the data borrows from the bytes. Refuses what is none of the seven cases.
 */
#ifndef SIMTIE_CORE_APDU_H
#define SIMTIE_CORE_APDU_H

#include "bytes.h"

#define APDU_NE_SHORT    256   /* what Le 00 asks for */
#define APDU_NE_EXTENDED 65536 /* what Le 0000 asks for */

struct apdu {
	uint8_t header[4]; /* CLA INS P1 P2 as sent */
	struct bytes data; /* empty when there is no Lc */
	uint32_t ne;       /* response bytes asked for; 0 without Le */
};

/* False: the bytes are no command APDU. */
bool apdu_parse(struct bytes bytes, struct apdu *apdu);

/* What a class byte says beside the command's own class. */
struct apdu_class {
	uint8_t base;               /* 00 or 80 */
	uint8_t channel;            /* 0 to 19 */
	bool chained;               /* more of this command follows */
	bool secure;                /* secure messaging of some form */
	bool secure_globalplatform; /* of the form that SCP03 uses (GlobalPlatform Card
				     * Specification 2.3.1 §11.1.4) */
	bool reserved;              /* FF, or of no known meaning */
};

struct apdu_class apdu_class(uint8_t cla);

#endif
