#include "keys.h"

#include "scp03_aes.h"

#define BLOCK 8  /* bytes within which a key drawn at random shows no order */
#define UNIT  16 /* bytes of a published key, which is begun anew to fill a longer one */

const char *keys_text(enum keys_result result)
{
	switch (result) {
	case KEYS_OK:
		return "done";
	case KEYS_NO_FILE:
		return "the key file cannot be read";
	case KEYS_NOT_A_FILE:
		return "the key file is neither a file nor a pipe";
	case KEYS_EXPOSED:
		return "others than its owner have rights on the key file; take them away with "
		       "`chmod 600`, and ask yourself who has read it";
	case KEYS_TOO_LONG:
		return "the key file is longer than any key file";
	case KEYS_BAD_WORD:
		return "a line of the key file is not one of: version, enc, mac, dek, key, derive, "
		       "each with one value";
	case KEYS_TWICE:
		return "a line of the key file says again what one before it said";
	case KEYS_BAD_HEX:
		return "a value in the key file is not in pairs of hexadecimal digits";
	case KEYS_BAD_LENGTH:
		return "a key in the key file is not of 16, 24 or 32 bytes, or not as long as the "
		       "others";
	case KEYS_BAD_VERSION:
		return "the version in the key file is not 01 to 7F or FF, in hexadecimal";
	case KEYS_BAD_KIND:
		return "derive in the key file is neither kdd nor iccid";
	case KEYS_MISSING:
		return "the key file has neither key nor all three of enc, mac and dek";
	case KEYS_NO_ICCID:
		return "the keys are derived from the card's ICCID, which is not known; read it "
		       "from the card or give it";
	case KEYS_FAILED:
		return "the crypto library failed; free memory and try again";
	}
	return "unknown result";
}

void keys_wipe(struct keys *keys)
{
	bytes_wipe(keys, sizeof *keys);
}

bool keys_derive(const struct scp03_keys *masters,
		 const uint8_t diversifier[static KEYS_DIVERSIFIER_LEN], struct scp03_keys *derived)
{
	struct scp03_keys made = {.version = masters->version, .len = masters->len};
	const uint8_t *const from[] = {masters->enc, masters->mac, masters->dek};
	uint8_t *const to[] = {made.enc, made.mac, made.dek};
	uint8_t after[5 + KEYS_DIVERSIFIER_LEN] = {0};
	bool done = true;

	memcpy(after + 5, diversifier, KEYS_DIVERSIFIER_LEN);
	for (uint8_t i = 0; i < 3 && done; i++) {
		after[3] = i + 1; /* the number of the key */
		done = scp03_aes_kdf(bytes_of(from[i], masters->len), bytes_of(NULL, 0),
				     bytes_of(after, sizeof after), to[i], made.len);
	}
	if (done)
		*derived = made;
	else
		bytes_wipe(derived, sizeof *derived);
	bytes_wipe(&made, sizeof made);
	return done;
}

enum keys_result keys_for_card(const struct keys *keys,
			       const uint8_t kdd[static KEYS_DIVERSIFIER_LEN], const uint8_t *iccid,
			       struct scp03_keys *card)
{
	const uint8_t *diversifier = NULL;

	switch (keys->kind) {
	case KEYS_OF_CARD:
		*card = keys->set;
		return KEYS_OK;
	case KEYS_MASTER_FOR_KDD:
		diversifier = kdd;
		break;
	case KEYS_MASTER_FOR_ICCID:
		diversifier = iccid;
		break;
	}
	if (!diversifier) {
		bytes_wipe(card, sizeof *card);
		return KEYS_NO_ICCID;
	}
	return keys_derive(&keys->set, diversifier, card) ? KEYS_OK : KEYS_FAILED;
}

/* Whether each block of 8 bytes goes up or down by a step of its own. */
static bool steps(const uint8_t *key, size_t len)
{
	for (size_t i = 2; i < len; i++)
		if (i % BLOCK >= 2 &&
		    (uint8_t)(key[i] - key[i - 1]) != (uint8_t)(key[i - 1] - key[i - 2]))
			return false;
	return true;
}

static bool repeats(const uint8_t *key, size_t len, size_t period)
{
	for (size_t i = period; i < len; i++)
		if (key[i] != key[i - period])
			return false;
	return true;
}

static bool is_published(const uint8_t *key, size_t len)
{
	static const uint8_t published[][UNIT] = {
		{'G', 'E', 'M', 'X', 'P', 'R', 'E', 'S', 'S', 'O', 'S', 'A', 'M', 'P', 'L', 'E'},
		{0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE,
		 0xFF, 0x00},
	};

	for (size_t i = 0; i < sizeof published / sizeof published[0]; i++)
		if (memcmp(key, published[i], UNIT) == 0 && repeats(key, len, UNIT))
			return true;
	return false;
}

static bool is_known(const uint8_t *key, size_t len)
{
	for (size_t period = 1; period <= BLOCK; period++)
		if (repeats(key, len, period))
			return true;
	return steps(key, len) || is_published(key, len);
}

bool keys_are_known_test(const struct scp03_keys *keys)
{
	return is_known(keys->enc, keys->len) || is_known(keys->mac, keys->len) ||
	       is_known(keys->dek, keys->len);
}
