/*
 * A card core on simulated flash, for the core's tests: set up in one call, spoken to in hex.
 */
#ifndef SIMTIE_TESTS_CORE_CARD_H
#define SIMTIE_TESTS_CORE_CARD_H

#include "applet.h"
#include "flash_sim.h"
#include "records.h"
#include "scp03.h"

#define CORE_CARD_PIN "31323334FFFFFFFF" /* 1234 */
#define CORE_CARD_PUK "3837363534333231" /* 87654321 */
#define CORE_CARD_AID "F053494D54494501"

struct core_card {
	struct flash_sim sim;
	struct applet applet;
	struct answer answer; /* to the last core_card_send() */
	struct scp03 scp;     /* the host's side of a session, when one is open */
};

/* A factory card on blank memory of 8 pages of 4096 bytes, applet selected. */
void core_card_init(struct core_card *card);

/* The same with keys and name of another maker, who must outlive the card. */
void core_card_init_issued(struct core_card *card, const struct port_issuer *issuer);
void core_card_free(struct core_card *card);

/* Puts key, PIN and PUK straight into the records and makes the card PERSONALISED; selects. */
void core_card_personalise(struct core_card *card, const uint8_t device_key[static 32],
			   const uint8_t chain_code[static 32]);

/* The same with a key of its own. */
void core_card_personalise_any(struct core_card *card);

/* Power off and on: a new applet on the same memory, which must open; selects. */
void core_card_reopen(struct core_card *card);

/* Sends an APDU written in hex (blanks are skipped, printf formats filled in); gives the status
 * word, 61xx followed. The response data, gathered, is in card->answer.data. */
uint16_t core_card_send(struct core_card *card, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Opens an SCP03 session with what is selected, under the maker's keys, at a level; must succeed.
 * core_card_send() then wraps and unwraps until core_card_select(), core_card_reopen() or
 * scp03_end(&card->scp). */
void core_card_secure(struct core_card *card, uint8_t level);

/* The same under other keys, on an open channel; what the library says of it. */
enum scp03_result core_card_open(struct core_card *card, const struct scp03_keys *keys,
				 uint8_t channel, uint8_t level);

/* The maker's keys, as the library takes them. */
struct scp03_keys core_card_keys(const struct port_issuer *issuer);

/* core_card_send() with the command in bytes. */
void core_card_exchange(struct core_card *card, struct bytes command);

/* The same, never wrapped. */
void core_card_raw(struct core_card *card, struct bytes command);

/* SELECT without FCI; must succeed. */
void core_card_select(struct core_card *card);

/* Hex to bytes; gives their number, at most `size`. Ends the test on bad hex. */
size_t core_card_hex(const char *hex, uint8_t *out, size_t size);

/* Tries left of PIN and PUK as the memory has them. */
unsigned core_card_tries(const struct core_card *card, uint8_t record);

/* INTERNAL AUTHENTICATE, compact, for chat.example with a nonce of 16 bytes; %s is the PIN object.
 */
#define CORE_CARD_ATTEST                                                                           \
	"80 88 00 00 20 80 0C 636861742E6578616D706C65 81 10 000102030405060708090A0B0C0D0E0F 00"
#define CORE_CARD_ATTEST_PIN(pin)                                                                  \
	"80 88 00 00 2A 80 0C 636861742E6578616D706C65 81 10 000102030405060708090A0B0C0D0E0F 84 " \
	"08 " pin " 00"

#endif
