/*
 * One line of the index, as text and back. Reading takes the fields as they come and then writes
 * them again: only a line that comes out byte for byte is one.
 */
#include "ca_index.h"

#include "crypto.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK_SIZE 8 /* bytes */
#define TIME_SIZE  32

static void write_hex(const char *digits, const uint8_t *bytes, size_t len, char *text)
{
	for (size_t i = 0; i < len; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
	}
	*text = '\0';
}

/* Any hexadecimal: that the case is right shows when the line is written again. */
static bool read_hex(const char *text, uint8_t *bytes, size_t len)
{
	char digits[3] = "", *end;

	if (strlen(text) != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		memcpy(digits, text + 2 * i, 2);
		bytes[i] = (uint8_t)strtoul(digits, &end, 16);
		if (*end)
			return false;
	}
	return true;
}

static char *write_time(time_t time, char text[static TIME_SIZE])
{
	struct tm utc;

	gmtime_r(&time, &utc);
	strftime(text, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc);
	return text;
}

static bool read_time(const char *text, time_t *time)
{
	struct tm utc = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &utc);

	if (!end || *end)
		return false;
	*time = timegm(&utc);
	return true;
}

/* The fields alone. */
static int write_fields(const struct ca_line *line, char *text, size_t size)
{
	const struct ca_entry *entry = &line->entry;
	char serial[2 * CA_SERIAL_SIZE + 1], fingerprint[2 * CA_FINGERPRINT_SIZE + 1];
	char first[TIME_SIZE], second[TIME_SIZE];

	write_hex("0123456789ABCDEF", entry->serial, CA_SERIAL_SIZE, serial);
	switch (line->kind) {
	case CA_LINE_ISSUED:
		write_hex("0123456789abcdef", entry->fingerprint, CA_FINGERPRINT_SIZE, fingerprint);
		return snprintf(text, size, "issued %s %s %s %s %s", serial, entry->iccid,
				write_time(entry->not_before, first),
				write_time(entry->not_after, second), fingerprint);
	case CA_LINE_REVOKED:
		return snprintf(text, size, "revoked %s %s %s", serial,
				write_time(entry->revoked_at, first),
				ca_reason_name(entry->reason));
	case CA_LINE_CRL:
		return snprintf(text, size, "crl %llu %s %s", (unsigned long long)line->number,
				write_time(line->this_update, first),
				write_time(line->next_update, second));
	}
	return -1;
}

size_t ca_line_write(const struct ca_line *line, char text[static CA_INDEX_LINE_MAX])
{
	const size_t tail = 1 + 2 * CHECK_SIZE + 1;
	uint8_t digest[SIMTIE_DIGEST_SIZE];
	int len = write_fields(line, text, CA_INDEX_LINE_MAX - tail);

	if (len < 0 || (size_t)len >= CA_INDEX_LINE_MAX - tail ||
	    !simtie_crypto_openssl()->sha256(bytes_of((const uint8_t *)text, (size_t)len), digest))
		return 0;
	text[len] = ' ';
	write_hex("0123456789abcdef", digest, CHECK_SIZE, text + len + 1);
	text[(size_t)len + tail - 1] = '\n';
	return (size_t)len + tail;
}

static bool read_issued(const char *text, struct ca_line *line)
{
	char serial[64], before[32], after[32], fingerprint[96];
	struct ca_entry *entry = &line->entry;

	line->kind = CA_LINE_ISSUED;
	return sscanf(text, "issued %63s %20s %31s %31s %95s", serial, entry->iccid, before, after,
		      fingerprint) == 5 &&
	       ca_iccid_valid(entry->iccid) && read_hex(serial, entry->serial, CA_SERIAL_SIZE) &&
	       read_time(before, &entry->not_before) && read_time(after, &entry->not_after) &&
	       read_hex(fingerprint, entry->fingerprint, CA_FINGERPRINT_SIZE);
}

static bool read_revoked(const char *text, struct ca_line *line)
{
	char serial[64], time[32], reason[32];

	line->kind = CA_LINE_REVOKED;
	return sscanf(text, "revoked %63s %31s %31s", serial, time, reason) == 3 &&
	       read_hex(serial, line->entry.serial, CA_SERIAL_SIZE) &&
	       read_time(time, &line->entry.revoked_at) &&
	       ca_reason_read(reason, &line->entry.reason);
}

static bool read_crl(const char *text, struct ca_line *line)
{
	char this_update[32], next_update[32];
	unsigned long long number;

	line->kind = CA_LINE_CRL;
	if (sscanf(text, "crl %19llu %31s %31s", &number, this_update, next_update) != 3)
		return false;
	line->number = number;
	return read_time(this_update, &line->this_update) &&
	       read_time(next_update, &line->next_update);
}

bool ca_line_read(const char *text, size_t len, struct ca_line *line)
{
	char fields[CA_INDEX_LINE_MAX], again[CA_INDEX_LINE_MAX];

	if (len == 0 || len >= CA_INDEX_LINE_MAX)
		return false;
	memcpy(fields, text, len);
	fields[len] = '\0';
	memset(line, 0, sizeof(*line));
	if (!read_issued(fields, line) && !read_revoked(fields, line) && !read_crl(fields, line))
		return false;
	return ca_line_write(line, again) == len && memcmp(again, text, len) == 0;
}
