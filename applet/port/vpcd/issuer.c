#include "issuer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../crypto/crypto.h"
#include "../posix/test_issuer.h"

#define LINE_SIZE 256
#define KEYS      3

void issuer_start(struct issuer *issuer)
{
	*issuer = (struct issuer){.port = test_issuer};
	issuer->port.enc = issuer->key[0];
	issuer->port.mac = issuer->key[1];
	issuer->port.dek = issuer->key[2];
	memcpy(issuer->master[0], test_issuer.enc, TEST_ISSUER_KEY_LEN);
	memcpy(issuer->master[1], test_issuer.mac, TEST_ISSUER_KEY_LEN);
	memcpy(issuer->master[2], test_issuer.dek, TEST_ISSUER_KEY_LEN);
}

void issuer_copy(struct issuer *issuer, const struct issuer *from)
{
	*issuer = *from;
	issuer->port.enc = issuer->key[0];
	issuer->port.mac = issuer->key[1];
	issuer->port.dek = issuer->key[2];
}

void issuer_wipe(struct issuer *issuer)
{
	bytes_wipe(issuer, sizeof *issuer);
}

/* ---- The file ---- */

/* Hexadecimal to at most `size` bytes; their number, or 0 when it is malformed. */
static size_t read_hex(const char *hex, uint8_t *out, size_t size)
{
	size_t len = strlen(hex) / 2;

	if (strlen(hex) % 2 || len > size || strspn(hex, "0123456789abcdefABCDEF") != 2 * len)
		return 0;
	for (size_t i = 0; i < len; i++) {
		const char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};

		out[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return len;
}

static const char *read_key(struct issuer *issuer, const char *value, unsigned first, unsigned last)
{
	size_t len = read_hex(value, issuer->master[first], ISSUER_KEY_MAX);

	if (len != 16 && len != 24 && len != 32)
		return "a key is not 32, 48 or 64 hexadecimal digits";
	for (unsigned i = first + 1; i <= last; i++)
		memcpy(issuer->master[i], issuer->master[first], len);
	if (issuer->port.key_len != 0 && issuer->port.key_len != len)
		return "the keys are not of one length";
	issuer->port.key_len = (uint8_t)len;
	return NULL;
}

static const char *read_byte(const char *value, uint8_t *byte, uint8_t most, const char *wrong)
{
	return read_hex(value, byte, 1) == 1 && *byte <= most ? NULL : wrong;
}

static const char *read_word(struct issuer *issuer, const char *word, const char *value)
{
	if (strcmp(word, "enc") == 0)
		return read_key(issuer, value, 0, 0);
	if (strcmp(word, "mac") == 0)
		return read_key(issuer, value, 1, 1);
	if (strcmp(word, "dek") == 0)
		return read_key(issuer, value, 2, 2);
	if (strcmp(word, "key") == 0)
		return read_key(issuer, value, 0, 2);
	if (strcmp(word, "version") == 0)
		return read_byte(value, &issuer->port.key_version, 0x7F, "version is 01 to 7F");
	if (strcmp(word, "scp") == 0)
		return read_byte(value, &issuer->port.scp_options, 0x71,
				 "scp is 00, 10, 20, 30, 60 or 70, or one more");
	if (strcmp(word, "derive") != 0)
		return "an unknown word";
	if (strcmp(value, "kdd") != 0 && strcmp(value, "iccid") != 0)
		return "derive is from kdd or iccid";
	issuer->derive = *value == 'k' ? ISSUER_FROM_NAME : ISSUER_FROM_ICCID;
	return NULL;
}

static const char *read_lines(struct issuer *issuer, FILE *file)
{
	char line[LINE_SIZE], word[LINE_SIZE], value[LINE_SIZE], rest;
	const char *wrong = NULL;

	while (!wrong && fgets(line, sizeof line, file)) {
		int fields = sscanf(line, "%255s %255s %c", word, value, &rest);

		if (fields < 1 || word[0] == '#')
			continue;
		wrong = fields == 2 ? read_word(issuer, word, value)
				    : "a line is not one word and one value";
	}
	bytes_wipe(line, sizeof line);
	bytes_wipe(value, sizeof value);
	return wrong;
}

const char *issuer_read(struct issuer *issuer, const char *path)
{
	FILE *file = fopen(path, "r");
	const char *wrong;

	if (!file)
		return "cannot be read";
	setvbuf(file, NULL, _IONBF, 0); /* no copy of the keys in a buffer that is only freed */
	issuer->port.key_len = 0;
	wrong = read_lines(issuer, file);
	errno = 0;
	fclose(file);
	if (!wrong && issuer->port.key_len == 0)
		wrong = "there is no key in it";
	return wrong;
}

/* ---- One card ---- */

bool issuer_iccid_valid(const char *iccid)
{
	size_t len = strlen(iccid);

	return len >= 18 && len <= ISSUER_DIGITS_MAX && strspn(iccid, "0123456789") == len;
}

/* Two digits a byte, the first in the low half, F behind the last (TS 102 221 §13.2). */
static void encode_iccid(const char *digits, uint8_t out[static ISSUER_ICCID_SIZE])
{
	size_t len = strlen(digits);

	memset(out, 0xFF, ISSUER_ICCID_SIZE);
	for (size_t i = 0; i < len; i++) {
		uint8_t digit = (uint8_t)(digits[i] - '0');
		uint8_t *byte = &out[i / 2];

		*byte = i % 2 ? (uint8_t)((*byte & 0x0F) | digit << 4)
			      : (uint8_t)((*byte & 0xF0) | digit);
	}
}

/* One key from its master: NIST SP 800-108 in counter mode, as GlobalPlatform tools know by the
 * name of KDF3. */
static bool derive(struct issuer *issuer, unsigned number, struct bytes from)
{
	const struct bytes master = {issuer->master[number], issuer->port.key_len};
	uint8_t head[6] = {0, 0, 0, 0, (uint8_t)(number + 1), 0};
	const struct bytes parts[] = {{head, sizeof head}, from};
	uint8_t block[AES_BLOCK];
	bool done = true;

	for (size_t at = 0; at < master.len && done; at += AES_BLOCK) {
		head[0]++;
		done = crypto_cmac(master, parts, 2, block);
		memcpy(issuer->key[number] + at, block,
		       master.len - at < AES_BLOCK ? master.len - at : AES_BLOCK);
	}
	bytes_wipe(block, sizeof block);
	return done;
}

bool issuer_of_card(struct issuer *issuer, const char *iccid)
{
	struct port_issuer *port = &issuer->port;
	bool done = crypto_init();

	memset(port->iccid, 0, sizeof port->iccid);
	memset(port->diversification, 0, sizeof port->diversification);
	if (*iccid) {
		encode_iccid(iccid, port->iccid);
		memcpy(port->diversification, port->iccid, sizeof port->diversification);
	}
	memcpy(issuer->key, issuer->master, sizeof issuer->key);
	for (unsigned i = 0; i < KEYS && done && issuer->derive != ISSUER_PLAIN; i++)
		done = derive(issuer, i,
			      bytes_of(issuer->derive == ISSUER_FROM_NAME ? port->diversification
									  : port->iccid,
				       sizeof port->iccid));
	return done;
}
