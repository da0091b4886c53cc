/*
 * For the tests of the list of PINs: a folder with a recipient in it, and lists of made-up SIMs.
 */
#ifndef SIMTIE_TEST_PIN_PLACE_H
#define SIMTIE_TEST_PIN_PLACE_H

#include <openssl/evp.h>

#include "pinmail.h"

#define PIN_PLACE_DAY  86400
#define PIN_PLACE_TEXT 262144 /* room for a file's text */

extern const uint8_t pin_place_secret[PINMAIL_SECRET_SIZE];

struct pin_place {
	char folder[64];
	char path[96];        /* of the list */
	char journal[112];    /* its journal */
	char certificate[96]; /* the recipient's */
	char key[96];
};

/* cmocka's; *state is the struct pin_place. */
int pin_place_set_up(void **state);
int pin_place_tear_down(void **state);

/* Writes a recipient's certificate, with that key usage or none, and its key; takes the key over.
 */
void pin_place_recipient(const struct pin_place *place, EVP_PKEY *key, const char *usage, long from,
			 long until);

struct pinmail_settings pin_place_settings(const struct pin_place *place, bool plain);

/* Opens the list, or ends the test; or says what opening it gives, and closes it. */
struct pinmail *pin_place_open(const struct pin_place *place, bool plain);
int pin_place_error(const struct pin_place *place, bool plain);

/* SIM number `i` and its secrets; appends it, or ends the test. */
struct pinmail_row pin_place_row(unsigned i);
void pin_place_append(struct pinmail *list, unsigned i);

/* Returns the number of SIMs, or ends the test. */
size_t pin_place_finish(struct pinmail *list, bool complete);

/* Files, whole. */
size_t pin_place_read(const char *path, char *text);
void pin_place_write(const char *path, const char *text, size_t len);
bool pin_place_there(const char *path);
unsigned pin_place_mode(const char *path);

/* What the openssl command makes of a file, as the recipient. False: it cannot open it. */
bool pin_place_decrypt(const struct pin_place *place, const char *path, char *text);

/* The list must hold the SIMs 0 to `count` - 1, for its recipient. */
void pin_place_expect(const struct pin_place *place, unsigned count);

#endif
