/* Every refusal of a token, each malformation on its own, and which of two comes first. */
#include "token_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define CHANGES_MAX 4

/* Reads as: a token with these slots changed is refused so. */
struct row {
	const char *name;
	enum simtie_refusal refusal;
	struct token_change changes[CHANGES_MAX];
};

/* One for each refusal, in their order. OLD_COUNTER needs no change but a later min_counter. */
static const struct row typical[] = {
	{"over 1024 bytes", SIMTIE_TOO_LARGE, {{SLOT_SUFFIX, "00*1024"}}},
	{"reserved head", SIMTIE_NOT_CBOR, {{SLOT_UNPROTECTED, "A1 04 1C"}}},
	{"a byte too many", SIMTIE_TRAILING_BYTES, {{SLOT_SUFFIX, "00"}}},
	{"COSE_Mac0", SIMTIE_NOT_SIGN1, {{SLOT_PREFIX, "D1 84"}}},
	{"long head", SIMTIE_NOT_DETERMINISTIC, {{SLOT_PROTECTED_HEAD, "58 07"}}},
	{"ES384", SIMTIE_WRONG_HEADER, {{SLOT_PROTECTED, "A2 01 27 10 190107"}}},
	{"kid", SIMTIE_UNPROTECTED_HEADER, {{SLOT_UNPROTECTED, "A1 04 41 00"}}},
	{"number for claims", SIMTIE_NOT_CLAIMS, {{SLOT_MAP, "01"}}},
	{"claim -70003", SIMTIE_UNKNOWN_CLAIM, {{SLOT_UNKNOWN, "3A00011172 00"}}},
	{"purpose twice", SIMTIE_DUPLICATE_CLAIM, {{SLOT_PURPOSE_AGAIN, "190113 02"}}},
	{"no consent claim", SIMTIE_MISSING_CLAIM, {{SLOT_CONSENT, ""}}},
	{"short sealed counter", SIMTIE_MALFORMED_CLAIM, {{SLOT_COUNTER, "3A00011170 47 00*7"}}},
	{"short signature", SIMTIE_MALFORMED_SIGNATURE, {{SLOT_SIGNATURE, "583F 11*63"}}},
	{"profile 2", SIMTIE_WRONG_PROFILE, {{SLOT_PROFILE, "190109 6E 'urn:x-simtie:2'"}}},
	{"other audience", SIMTIE_WRONG_AUDIENCE, {{SLOT_AUDIENCE, "03 6C 'talk.example'"}}},
	{"other nonce", SIMTIE_WRONG_NONCE, {{SLOT_NONCE, "0A 50 00*16"}}},
	{"other client", SIMTIE_WRONG_THUMBPRINT, {{SLOT_CONFIRMATION, "08 A1 05 5820 A6*32"}}},
	{"generic purpose", SIMTIE_WRONG_PURPOSE, {{SLOT_PURPOSE, "190113 01"}}},
	{"consent 0", SIMTIE_NO_CONSENT, {{SLOT_CONSENT, "3A00011171 00"}}},
	{"debug status 2", SIMTIE_DEBUGGABLE, {{SLOT_DEBUG_STATUS, "190107 02"}}},
	{"another signature", SIMTIE_BAD_SIGNATURE, {{SLOT_SIGNATURE, "5840 11*64"}}},
	{"counter seen", SIMTIE_OLD_COUNTER, {{SLOT_SUFFIX, NULL}}},
};

#define TYPICAL_COUNT (sizeof(typical) / sizeof(typical[0]))

/* All but ACCEPTED and INTERNAL_ERROR, which is no property of a token. */
_Static_assert(TYPICAL_COUNT == SIMTIE_INTERNAL_ERROR - 1, "a refusal lacks its row");

static const struct row malformations[] = {
	/* Not CBOR, or not a whole item */
	{"break alone", SIMTIE_NOT_CBOR, {{SLOT_PREFIX, "FF 84"}}},
	{"tag of nothing", SIMTIE_NOT_CBOR, {{SLOT_UNPROTECTED, "A1 04 D2 FF"}}},
	{"simple value 16", SIMTIE_NOT_CBOR, {{SLOT_UNPROTECTED, "A1 04 F0"}}},
	{"two-byte simple value", SIMTIE_NOT_CBOR, {{SLOT_UNPROTECTED, "A1 04 F820"}}},
	{"array of five of four", SIMTIE_NOT_CBOR, {{SLOT_PREFIX, "D2 85"}}},
	{"array of 2^64 - 1", SIMTIE_NOT_CBOR, {{SLOT_PREFIX, "D2 9BFFFFFFFFFFFFFFFF"}}},
	{"map of 2^63", SIMTIE_NOT_CBOR, {{SLOT_UNPROTECTED, "BB8000000000000000"}}},
	{"string of 2^64 - 1", SIMTIE_NOT_CBOR, {{SLOT_UNPROTECTED, "A1 04 5BFFFFFFFFFFFFFFFF"}}},
	{"signature cut", SIMTIE_NOT_CBOR, {{SLOT_SIGNATURE, "5840 11*63"}}},
	{"open array", SIMTIE_NOT_CBOR, {{SLOT_PREFIX, "D2 9F"}}},
	{"open map, odd", SIMTIE_NOT_CBOR, {{SLOT_UNPROTECTED, "BF 04 FF"}}},
	{"text chunk in bytes", SIMTIE_NOT_CBOR, {{SLOT_UNPROTECTED, "A1 04 5F 61 61 FF"}}},
	{"chunk of chunks", SIMTIE_NOT_CBOR, {{SLOT_UNPROTECTED, "A1 04 5F 5F FF FF"}}},
	{"nine deep", SIMTIE_NOT_CBOR, {{SLOT_UNPROTECTED, "A1 04 81*5 80"}}},
	{"hundreds deep", SIMTIE_NOT_CBOR, {{SLOT_UNPROTECTED, "A1 04 81*600 80"}}},

	/* Something after it */
	{"a second token", SIMTIE_TRAILING_BYTES, {{SLOT_SUFFIX, "D2 84 40 A0 40 40"}}},
	{"a break after it", SIMTIE_TRAILING_BYTES, {{SLOT_SUFFIX, "FF"}}},
	{"five parts under a head of four", SIMTIE_TRAILING_BYTES, {{SLOT_SUFFIX, "40"}}},

	/* CBOR, but no tagged COSE_Sign1 */
	{"no tag", SIMTIE_NOT_SIGN1, {{SLOT_PREFIX, "84"}}},
	{"CWT tag around it", SIMTIE_NOT_SIGN1, {{SLOT_PREFIX, "D83D D2 84"}}},
	{"tag twice", SIMTIE_NOT_SIGN1, {{SLOT_PREFIX, "D2 D2 84"}}},
	{"tag 18 + 2^32", SIMTIE_NOT_SIGN1, {{SLOT_PREFIX, "DB0000000100000012 84"}}},
	{"map for the array", SIMTIE_NOT_SIGN1, {{SLOT_PREFIX, "D2 A2"}}},
	{"five parts", SIMTIE_NOT_SIGN1, {{SLOT_PREFIX, "D2 85"}, {SLOT_SUFFIX, "40"}}},
	{"three parts", SIMTIE_NOT_SIGN1, {{SLOT_PREFIX, "D2 83"}, {SLOT_UNPROTECTED, ""}}},
	{"five parts, open", SIMTIE_NOT_SIGN1, {{SLOT_PREFIX, "D2 9F"}, {SLOT_SUFFIX, "40 FF"}}},
	{"three parts, open", SIMTIE_NOT_SIGN1, {{SLOT_PREFIX, "D2 9F"}, {SLOT_SIGNATURE, "FF"}}},
	{"protected header as map",
	 SIMTIE_NOT_SIGN1,
	 {{SLOT_PROTECTED_HEAD, "A1"}, {SLOT_PROTECTED, "01 26"}}},
	{"unprotected header as bytes", SIMTIE_NOT_SIGN1, {{SLOT_UNPROTECTED, "41 A0"}}},
	{"unprotected header null", SIMTIE_NOT_SIGN1, {{SLOT_UNPROTECTED, "F6"}}},
	{"signature as text", SIMTIE_NOT_SIGN1, {{SLOT_SIGNATURE, "7840 61*64"}}},
	{"tagged signature", SIMTIE_NOT_SIGN1, {{SLOT_SIGNATURE, "C2 5840 11*64"}}},
	{"payload as text", SIMTIE_NOT_SIGN1, {{SLOT_PAYLOAD_HEAD, "7874"}}},

	/* A COSE_Sign1 whose CBOR is not deterministic, wherever */
	{"tag in two bytes", SIMTIE_NOT_DETERMINISTIC, {{SLOT_PREFIX, "D812 84"}}},
	{"tag in nine bytes", SIMTIE_NOT_DETERMINISTIC, {{SLOT_PREFIX, "DB0000000000000012 84"}}},
	{"array in two bytes", SIMTIE_NOT_DETERMINISTIC, {{SLOT_PREFIX, "D2 9804"}}},
	{"array open", SIMTIE_NOT_DETERMINISTIC, {{SLOT_PREFIX, "D2 9F"}, {SLOT_SUFFIX, "FF"}}},
	{"unprotected header open", SIMTIE_NOT_DETERMINISTIC, {{SLOT_UNPROTECTED, "BF FF"}}},
	{"unprotected header long", SIMTIE_NOT_DETERMINISTIC, {{SLOT_UNPROTECTED, "B800"}}},
	{"unprotected keys out of order",
	 SIMTIE_NOT_DETERMINISTIC,
	 {{SLOT_UNPROTECTED, "A2 05 00 04 00"}}},
	{"payload head long", SIMTIE_NOT_DETERMINISTIC, {{SLOT_PAYLOAD_HEAD, "590074"}}},
	{"signature head long", SIMTIE_NOT_DETERMINISTIC, {{SLOT_SIGNATURE, "590040 11*64"}}},
	{"signature in chunks",
	 SIMTIE_NOT_DETERMINISTIC,
	 {{SLOT_SIGNATURE, "5F 5820 11*32 5820 11*32 FF"}}},
	{"protected header in chunks",
	 SIMTIE_NOT_DETERMINISTIC,
	 {{SLOT_PROTECTED_HEAD, "5F 47"}, {SLOT_UNPROTECTED, "FF A0"}}},
	{"protected map open",
	 SIMTIE_NOT_DETERMINISTIC,
	 {{SLOT_PROTECTED, "BF 01 26 10 190107 FF"}}},
	{"algorithm long", SIMTIE_NOT_DETERMINISTIC, {{SLOT_PROTECTED, "A2 01 3806 10 190107"}}},
	{"type long", SIMTIE_NOT_DETERMINISTIC, {{SLOT_PROTECTED, "A2 01 26 10 1A00000107"}}},
	{"protected keys out of order",
	 SIMTIE_NOT_DETERMINISTIC,
	 {{SLOT_PROTECTED, "A2 10 190107 01 26"}}},
	{"claims map long", SIMTIE_NOT_DETERMINISTIC, {{SLOT_MAP, "B808"}}},
	{"claims map open", SIMTIE_NOT_DETERMINISTIC, {{SLOT_MAP, "BF"}, {SLOT_UNKNOWN, "FF"}}},
	{"key 3 in two bytes",
	 SIMTIE_NOT_DETERMINISTIC,
	 {{SLOT_AUDIENCE, "1803 6C 'chat.example'"}}},
	{"key 10 in nine bytes",
	 SIMTIE_NOT_DETERMINISTIC,
	 {{SLOT_NONCE, "1B000000000000000A 50 00*16"}}},
	{"key -70002 in nine bytes",
	 SIMTIE_NOT_DETERMINISTIC,
	 {{SLOT_CONSENT, "3B0000000000011171 01"}}},
	{"audience head long",
	 SIMTIE_NOT_DETERMINISTIC,
	 {{SLOT_AUDIENCE, "03 780C 'chat.example'"}}},
	{"audience in chunks",
	 SIMTIE_NOT_DETERMINISTIC,
	 {{SLOT_AUDIENCE, "03 7F 66 'chat.e' 66 'xample' FF"}}},
	{"purpose in two bytes", SIMTIE_NOT_DETERMINISTIC, {{SLOT_PURPOSE, "190113 1802"}}},
	{"consent in five bytes",
	 SIMTIE_NOT_DETERMINISTIC,
	 {{SLOT_CONSENT, "3A00011171 1A00000001"}}},
	{"cnf open", SIMTIE_NOT_DETERMINISTIC, {{SLOT_CONFIRMATION, "08 BF 05 5820 A5*32 FF"}}},
	{"cnf key long", SIMTIE_NOT_DETERMINISTIC, {{SLOT_CONFIRMATION, "08 A1 1805 5820 A5*32"}}},
	{"claims out of order",
	 SIMTIE_NOT_DETERMINISTIC,
	 {{SLOT_PURPOSE, "3A00011171 01"}, {SLOT_CONSENT, "190113 02"}}},
	{"negative key first",
	 SIMTIE_NOT_DETERMINISTIC,
	 {{SLOT_AUDIENCE, "3A00011171 01"}, {SLOT_CONSENT, "03 6C 'chat.example'"}}},
	{"duplicate, apart", SIMTIE_NOT_DETERMINISTIC, {{SLOT_UNKNOWN, "03 6C 'chat.example'"}}},

	/* Headers */
	{"empty protected header", SIMTIE_WRONG_HEADER, {{SLOT_PROTECTED, ""}}},
	{"protected header of nothing", SIMTIE_WRONG_HEADER, {{SLOT_PROTECTED, "A0"}}},
	{"no type", SIMTIE_WRONG_HEADER, {{SLOT_PROTECTED, "A1 01 26"}}},
	{"no algorithm", SIMTIE_WRONG_HEADER, {{SLOT_PROTECTED, "A1 10 190107"}}},
	{"type 61", SIMTIE_WRONG_HEADER, {{SLOT_PROTECTED, "A2 01 26 10 183D"}}},
	{"type as text",
	 SIMTIE_WRONG_HEADER,
	 {{SLOT_PROTECTED, "A2 01 26 10 73 'application/eat+cwt'"}}},
	{"crit too", SIMTIE_WRONG_HEADER, {{SLOT_PROTECTED, "A3 01 26 02 81 10 10 190107"}}},
	{"algorithm twice", SIMTIE_WRONG_HEADER, {{SLOT_PROTECTED, "A3 01 26 01 26 10 190107"}}},
	{"bytes after the protected map",
	 SIMTIE_WRONG_HEADER,
	 {{SLOT_PROTECTED, "A2 01 26 10 190107 00"}}},
	{"protected header no CBOR", SIMTIE_WRONG_HEADER, {{SLOT_PROTECTED, "A2 01"}}},
	{"algorithm unprotected too", SIMTIE_UNPROTECTED_HEADER, {{SLOT_UNPROTECTED, "A1 01 26"}}},
	{"unprotected keys equal",
	 SIMTIE_UNPROTECTED_HEADER,
	 {{SLOT_UNPROTECTED, "A2 04 00 04 00"}}},

	/* Payload */
	{"claims map counts one short", SIMTIE_NOT_CLAIMS, {{SLOT_MAP, "A7"}}},
	{"claims map counts one too many", SIMTIE_NOT_CLAIMS, {{SLOT_MAP, "A9"}}},
	{"claims in a tag", SIMTIE_NOT_CLAIMS, {{SLOT_MAP, "D83D A8"}}},
	{"claims in an array", SIMTIE_NOT_CLAIMS, {{SLOT_MAP, "90"}}},
	{"claims cut", SIMTIE_NOT_CLAIMS, {{SLOT_CONSENT, "3A00011171"}}},
	{"claims in text", SIMTIE_NOT_CLAIMS, {{SLOT_MAP, "7874"}}},

	/* Claims */
	{"iat", SIMTIE_UNKNOWN_CLAIM, {{SLOT_CONFIRMATION, "06 1A65000000"}}},
	{"key 2^32 + 3", SIMTIE_UNKNOWN_CLAIM, {{SLOT_PURPOSE_AGAIN, "1B0000000100000003 00"}}},
	{"key -4", SIMTIE_UNKNOWN_CLAIM, {{SLOT_PURPOSE_AGAIN, "23 00"}}},
	{"key -(2^64)", SIMTIE_UNKNOWN_CLAIM, {{SLOT_UNKNOWN, "3BFFFFFFFFFFFFFFFF 00"}}},
	{"text key", SIMTIE_UNKNOWN_CLAIM, {{SLOT_UNKNOWN, "63 'aud' 00"}}},
	{"bytes key", SIMTIE_UNKNOWN_CLAIM, {{SLOT_UNKNOWN, "41 03 00"}}},
	{"array key", SIMTIE_UNKNOWN_CLAIM, {{SLOT_UNKNOWN, "81 03 00"}}},
	{"tagged key", SIMTIE_UNKNOWN_CLAIM, {{SLOT_UNKNOWN, "C1 03 00"}}},
	{"float key", SIMTIE_UNKNOWN_CLAIM, {{SLOT_UNKNOWN, "F94200 00"}}},
	{"unknown twice",
	 SIMTIE_UNKNOWN_CLAIM,
	 {{SLOT_MAP, "AA"}, {SLOT_UNKNOWN, "3A00011172 00 3A00011172 00"}}},
	{"audience twice",
	 SIMTIE_DUPLICATE_CLAIM,
	 {{SLOT_MAP, "A9"}, {SLOT_AUDIENCE, "03 6C 'talk.example' 03 6C 'chat.example'"}}},
	{"no audience", SIMTIE_MISSING_CLAIM, {{SLOT_AUDIENCE, ""}}},
	{"no nonce", SIMTIE_MISSING_CLAIM, {{SLOT_NONCE, ""}}},
	{"no debug status", SIMTIE_MISSING_CLAIM, {{SLOT_DEBUG_STATUS, ""}}},
	{"no profile", SIMTIE_MISSING_CLAIM, {{SLOT_PROFILE, ""}}},
	{"no purpose", SIMTIE_MISSING_CLAIM, {{SLOT_PURPOSE, ""}}},
	{"no counter", SIMTIE_MISSING_CLAIM, {{SLOT_COUNTER, ""}}},

	{"audience as bytes", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 4C 'chat.example'"}}},
	{"audience in an array",
	 SIMTIE_MALFORMED_CLAIM,
	 {{SLOT_AUDIENCE, "03 81 6C 'chat.example'"}}},
	{"audience tagged", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 D820 6C 'chat.example'"}}},
	{"audience null", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 F6"}}},
	{"audience empty", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 60"}}},
	{"audience of 65 bytes", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 7841 61*65"}}},
	{"audience of 800 bytes", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 790320 61*800"}}},
	{"audience with a NUL", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 62 6100"}}},
	{"audience with a line feed", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 62 610A"}}},
	{"audience with U+001F", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 62 611F"}}},
	{"audience with DEL", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 62 617F"}}},
	{"audience with U+0080", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 62 C280"}}},
	{"audience with U+009F", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 62 C29F"}}},
	{"audience overlong in two", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 62 C1A1"}}},
	{"audience overlong in three", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 63 E08181"}}},
	{"audience overlong in four", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 64 F0808181"}}},
	{"audience with a surrogate", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 63 EDA080"}}},
	{"audience past U+10FFFF", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 64 F4908080"}}},
	{"audience with F8", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 65 F888808080"}}},
	{"audience cut in a letter", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 62 61C3"}}},
	{"audience with a bad follower", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 62 C328"}}},
	{"audience with a lone follower", SIMTIE_MALFORMED_CLAIM, {{SLOT_AUDIENCE, "03 61 80"}}},

	{"cnf not a map", SIMTIE_MALFORMED_CLAIM, {{SLOT_CONFIRMATION, "08 5820 A5*32"}}},
	{"cnf empty", SIMTIE_MALFORMED_CLAIM, {{SLOT_CONFIRMATION, "08 A0"}}},
	{"cnf of kid", SIMTIE_MALFORMED_CLAIM, {{SLOT_CONFIRMATION, "08 A1 03 5820 A5*32"}}},
	{"cnf of key -6", SIMTIE_MALFORMED_CLAIM, {{SLOT_CONFIRMATION, "08 A1 25 5820 A5*32"}}},
	{"cnf of two", SIMTIE_MALFORMED_CLAIM, {{SLOT_CONFIRMATION, "08 A2 05 5820 A5*32 06 00"}}},
	{"cnf twice",
	 SIMTIE_MALFORMED_CLAIM,
	 {{SLOT_CONFIRMATION, "08 A2 05 5820 A5*32 05 5820 A5*32"}}},
	{"thumbprint of 31", SIMTIE_MALFORMED_CLAIM, {{SLOT_CONFIRMATION, "08 A1 05 581F A5*31"}}},
	{"thumbprint of 33", SIMTIE_MALFORMED_CLAIM, {{SLOT_CONFIRMATION, "08 A1 05 5821 A5*33"}}},
	{"thumbprint as text",
	 SIMTIE_MALFORMED_CLAIM,
	 {{SLOT_CONFIRMATION, "08 A1 05 7820 61*32"}}},

	{"nonce of 15", SIMTIE_MALFORMED_CLAIM, {{SLOT_NONCE, "0A 4F 00*15"}}},
	{"nonce of 65", SIMTIE_MALFORMED_CLAIM, {{SLOT_NONCE, "0A 5841 00*65"}}},
	{"nonce of 800", SIMTIE_MALFORMED_CLAIM, {{SLOT_NONCE, "0A 590320 00*800"}}},
	{"nonce as text", SIMTIE_MALFORMED_CLAIM, {{SLOT_NONCE, "0A 70 61*16"}}},
	{"two nonces", SIMTIE_MALFORMED_CLAIM, {{SLOT_NONCE, "0A 82 50 00*16 50 00*16"}}},

	{"debug status 5", SIMTIE_MALFORMED_CLAIM, {{SLOT_DEBUG_STATUS, "190107 05"}}},
	{"debug status 259", SIMTIE_MALFORMED_CLAIM, {{SLOT_DEBUG_STATUS, "190107 190103"}}},
	{"debug status -1", SIMTIE_MALFORMED_CLAIM, {{SLOT_DEBUG_STATUS, "190107 20"}}},
	{"debug status -4", SIMTIE_MALFORMED_CLAIM, {{SLOT_DEBUG_STATUS, "190107 23"}}},
	{"debug status 3.0", SIMTIE_MALFORMED_CLAIM, {{SLOT_DEBUG_STATUS, "190107 F94200"}}},
	{"debug status 3.0 in four",
	 SIMTIE_MALFORMED_CLAIM,
	 {{SLOT_DEBUG_STATUS, "190107 FA40400000"}}},
	{"debug status true", SIMTIE_MALFORMED_CLAIM, {{SLOT_DEBUG_STATUS, "190107 F5"}}},
	{"debug status undefined", SIMTIE_MALFORMED_CLAIM, {{SLOT_DEBUG_STATUS, "190107 F7"}}},
	{"debug status as bignum",
	 SIMTIE_MALFORMED_CLAIM,
	 {{SLOT_DEBUG_STATUS, "190107 C2 41 03"}}},

	{"profile as bytes",
	 SIMTIE_MALFORMED_CLAIM,
	 {{SLOT_PROFILE, "190109 4E 'urn:x-simtie:1'"}}},
	{"profile as URI",
	 SIMTIE_MALFORMED_CLAIM,
	 {{SLOT_PROFILE, "190109 D820 6E 'urn:x-simtie:1'"}}},
	{"profile no UTF-8", SIMTIE_MALFORMED_CLAIM, {{SLOT_PROFILE, "190109 61 FF"}}},
	{"profile empty", SIMTIE_WRONG_PROFILE, {{SLOT_PROFILE, "190109 60"}}},
	{"profile longer", SIMTIE_WRONG_PROFILE, {{SLOT_PROFILE, "190109 6F 'urn:x-simtie:10'"}}},
	{"profile shorter", SIMTIE_WRONG_PROFILE, {{SLOT_PROFILE, "190109 6D 'urn:x-simtie:'"}}},
	{"profile in capitals",
	 SIMTIE_WRONG_PROFILE,
	 {{SLOT_PROFILE, "190109 6E 'URN:x-simtie:1'"}}},

	{"purpose 0", SIMTIE_MALFORMED_CLAIM, {{SLOT_PURPOSE, "190113 00"}}},
	{"purpose 4", SIMTIE_MALFORMED_CLAIM, {{SLOT_PURPOSE, "190113 04"}}},
	{"purpose as text", SIMTIE_MALFORMED_CLAIM, {{SLOT_PURPOSE, "190113 61 '2'"}}},
	{"sealed counter of 9", SIMTIE_MALFORMED_CLAIM, {{SLOT_COUNTER, "3A00011170 49 00*9"}}},
	{"sealed counter of 800",
	 SIMTIE_MALFORMED_CLAIM,
	 {{SLOT_COUNTER, "3A00011170 590320 00*800"}}},
	{"sealed counter as number", SIMTIE_MALFORMED_CLAIM, {{SLOT_COUNTER, "3A00011170 01"}}},
	{"sealed counter as text", SIMTIE_MALFORMED_CLAIM, {{SLOT_COUNTER, "3A00011170 68 61*8"}}},
	{"consent 3", SIMTIE_MALFORMED_CLAIM, {{SLOT_CONSENT, "3A00011171 03"}}},
	{"consent 257", SIMTIE_MALFORMED_CLAIM, {{SLOT_CONSENT, "3A00011171 190101"}}},
	{"consent -2", SIMTIE_MALFORMED_CLAIM, {{SLOT_CONSENT, "3A00011171 21"}}},

	{"signature empty", SIMTIE_MALFORMED_SIGNATURE, {{SLOT_SIGNATURE, "40"}}},
	{"signature of 65", SIMTIE_MALFORMED_SIGNATURE, {{SLOT_SIGNATURE, "5841 11*65"}}},
	{"signature in DER",
	 SIMTIE_MALFORMED_SIGNATURE,
	 {{SLOT_SIGNATURE, "5846 3044 0220 11*32 0220 11*32"}}},

	/* Policy */
	{"nonce longer",
	 SIMTIE_WRONG_NONCE,
	 {{SLOT_NONCE, "0A 51 2E1310F784BE4892174916366262A5D9 00"}}},
	{"audience longer", SIMTIE_WRONG_AUDIENCE, {{SLOT_AUDIENCE, "03 6D 'chat.example2'"}}},
	{"audience in capitals", SIMTIE_WRONG_AUDIENCE, {{SLOT_AUDIENCE, "03 6C 'chat.Example'"}}},
	{"no client at all", SIMTIE_WRONG_THUMBPRINT, {{SLOT_CONFIRMATION, ""}}},
	{"debug status 0", SIMTIE_DEBUGGABLE, {{SLOT_DEBUG_STATUS, "190107 00"}}},
	{"debug status 1", SIMTIE_DEBUGGABLE, {{SLOT_DEBUG_STATUS, "190107 01"}}},
	{"signature of zeros", SIMTIE_BAD_SIGNATURE, {{SLOT_SIGNATURE, "5840 00*64"}}},
	{"signature of ones", SIMTIE_BAD_SIGNATURE, {{SLOT_SIGNATURE, "5840 FF*64"}}},
};

/* What is odd but right. */
static const struct row curiosities[] = {
	{"nothing changed", SIMTIE_ACCEPTED, {{SLOT_SUFFIX, NULL}}},
	{"no cnf", SIMTIE_ACCEPTED, {{SLOT_CONFIRMATION, ""}}},
	{"audience of one byte", SIMTIE_ACCEPTED, {{SLOT_AUDIENCE, "03 61 'm'"}}},
	{"audience of 64 bytes", SIMTIE_ACCEPTED, {{SLOT_AUDIENCE, "03 7840 61*64"}}},
	{"audience with U+00A0", SIMTIE_ACCEPTED, {{SLOT_AUDIENCE, "03 62 C2A0"}}},
	{"audience with U+0800", SIMTIE_ACCEPTED, {{SLOT_AUDIENCE, "03 63 E0A080"}}},
	{"audience with U+D7FF", SIMTIE_ACCEPTED, {{SLOT_AUDIENCE, "03 63 ED9FBF"}}},
	{"audience with U+E000", SIMTIE_ACCEPTED, {{SLOT_AUDIENCE, "03 63 EE8080"}}},
	{"audience with U+10000", SIMTIE_ACCEPTED, {{SLOT_AUDIENCE, "03 64 F0908080"}}},
	{"audience with U+10FFFF", SIMTIE_ACCEPTED, {{SLOT_AUDIENCE, "03 64 F48FBFBF"}}},
	{"audience of a space", SIMTIE_ACCEPTED, {{SLOT_AUDIENCE, "03 61 20"}}},
	{"nonce of 64 bytes", SIMTIE_ACCEPTED, {{SLOT_NONCE, "0A 5840 00*64"}}},
	{"purpose 3", SIMTIE_ACCEPTED, {{SLOT_PURPOSE, "190113 03"}}},
	{"consent 2", SIMTIE_ACCEPTED, {{SLOT_CONSENT, "3A00011171 02"}}},
	{"debug status 4", SIMTIE_ACCEPTED, {{SLOT_DEBUG_STATUS, "190107 04"}}},
};

static void expect(const char *name, const char *second, enum simtie_refusal wanted,
		   enum simtie_refusal got)
{
	if (got != wanted)
		fail_msg("%s%s%s: %s instead of %s", name, *second ? " and " : "", second,
			 simtie_refusal_code(got), simtie_refusal_code(wanted));
}

static enum simtie_refusal verify(const struct token_recipe *recipe, uint32_t min_counter)
{
	struct simtie_policy policy = token_fixture_policy();
	struct token_fixture token;

	policy.min_counter = min_counter;
	token_fixture_cook(recipe, &token);
	return token_fixture_verify(&policy, token.bytes, token.len);
}

static void test_each_refusal(void **state)
{
	(void)state;
	for (size_t i = 0; i < TYPICAL_COUNT; i++) {
		struct token_recipe recipe = token_fixture_good();
		bool old = typical[i].refusal == SIMTIE_OLD_COUNTER;

		assert_int_equal(typical[i].refusal, i + 1);
		token_fixture_change(&recipe, typical[i].changes);
		expect(typical[i].name, "", typical[i].refusal, verify(&recipe, old ? 2 : 1));
	}
}

/* Wrong in two ways: the earlier one counts. Where both change the same slot the earlier wins too.
 */
static void test_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < TYPICAL_COUNT; i++)
		for (size_t k = i + 1; k < TYPICAL_COUNT; k++) {
			struct token_recipe recipe = token_fixture_good();
			bool old = typical[k].refusal == SIMTIE_OLD_COUNTER;

			token_fixture_change(&recipe, typical[k].changes);
			token_fixture_change(&recipe, typical[i].changes);
			expect(typical[i].name, typical[k].name, typical[i].refusal,
			       verify(&recipe, old ? 2 : 1));
		}
}

static void test_malformations(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(malformations) / sizeof(malformations[0]); i++) {
		struct token_recipe recipe = token_fixture_good();

		token_fixture_change(&recipe, malformations[i].changes);
		expect(malformations[i].name, "", malformations[i].refusal,
		       verify(&recipe, FIXTURE_COUNTER));
	}
}

/* Parsed alone, built again: the same bytes. */
static void test_curiosities(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(curiosities) / sizeof(curiosities[0]); i++) {
		struct token_recipe recipe = token_fixture_good();
		struct token_fixture token;
		struct simtie_claims claims;
		uint8_t built[SIMTIE_TOKEN_MAX];
		size_t len;

		token_fixture_change(&recipe, curiosities[i].changes);
		token_fixture_cook(&recipe, &token);
		expect(curiosities[i].name, "", SIMTIE_ACCEPTED,
		       token_fixture_parse(token.bytes, token.len, &claims));
		assert_true(simtie_token_build(&claims, built, &len));
		assert_int_equal(len, token.len);
		assert_memory_equal(built, token.bytes, len);
	}
}

static void test_empty(void **state)
{
	struct simtie_claims claims;

	(void)state;
	assert_int_equal(simtie_token_parse(NULL, 0, &claims), SIMTIE_TOO_LARGE);
}

/* Each has a code and a sentence of its own; what is none of them is an internal error. */
static void test_texts(void **state)
{
	(void)state;
	for (int i = 0; i <= SIMTIE_INTERNAL_ERROR; i++)
		for (int k = 0; k < i; k++) {
			assert_string_not_equal(simtie_refusal_code((enum simtie_refusal)i),
						simtie_refusal_code((enum simtie_refusal)k));
			assert_string_not_equal(simtie_refusal_text((enum simtie_refusal)i),
						simtie_refusal_text((enum simtie_refusal)k));
		}
	assert_string_equal(simtie_refusal_code(SIMTIE_WRONG_NONCE), "WRONG_NONCE");
	assert_string_equal(simtie_refusal_code((enum simtie_refusal)1000), "INTERNAL_ERROR");
	assert_string_equal(simtie_refusal_code((enum simtie_refusal) - 1), "INTERNAL_ERROR");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_refusal),  cmocka_unit_test(test_order),
		cmocka_unit_test(test_malformations), cmocka_unit_test(test_curiosities),
		cmocka_unit_test(test_empty),         cmocka_unit_test(test_texts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("token refusals", tests, NULL, NULL);
}
