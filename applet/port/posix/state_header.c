#include "state_header.h"

#include "../../crypto/crypto.h"

/* Lines of the header; each ends where the next begins. */
#define MAGIC    "simtie virtual SIM state\n"
#define FORMAT   "format 0001\n"
#define GEOMETRY "memory 0008 pages of 00004096 bytes\n"
#define IMAGE    "sha256 "
#define HEADER   "header "

_Static_assert(POSIX_PAGE_COUNT == 8 && POSIX_PAGE_SIZE == 4096, "GEOMETRY says otherwise");

enum {
	AT_FORMAT = sizeof(MAGIC) - 1,
	AT_GEOMETRY = AT_FORMAT + sizeof(FORMAT) - 1,
	AT_IMAGE = AT_GEOMETRY + sizeof(GEOMETRY) - 1,
	AT_HEADER = AT_IMAGE + sizeof(IMAGE) - 1 + 2 * SHA256_SIZE + 1,
	AT_END = AT_HEADER + sizeof(HEADER) - 1 + 2 * SHA256_SIZE + 1,
};

_Static_assert(AT_END == STATE_HEADER_SIZE, "state_header.h says otherwise");

/* Writes "<label><64 hexadecimal digits>\n" for the SHA-256 of `data`. */
static bool checksum_line(uint8_t *line, const char *label, struct bytes data)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[SHA256_SIZE];
	size_t n = strlen(label);

	if (!crypto_sha256(&data, 1, digest))
		return false;
	memcpy(line, label, n);
	for (size_t i = 0; i < sizeof(digest); i++) {
		line[n++] = (uint8_t)digits[digest[i] >> 4];
		line[n++] = (uint8_t)digits[digest[i] & 15];
	}
	line[n] = '\n';
	return true;
}

bool state_header_write(uint8_t header[static STATE_HEADER_SIZE],
			const uint8_t image[static POSIX_IMAGE_SIZE])
{
	memcpy(header, MAGIC FORMAT GEOMETRY, AT_IMAGE);
	return checksum_line(header + AT_IMAGE, IMAGE, bytes_of(image, POSIX_IMAGE_SIZE)) &&
	       checksum_line(header + AT_HEADER, HEADER, bytes_of(header, AT_HEADER));
}

bool state_header_known(struct bytes start)
{
	return start.len >= AT_FORMAT && memcmp(start.ptr, MAGIC, AT_FORMAT) == 0;
}

/* Whether the format line is a well-formed one of another format than ours. */
static bool other_format(const uint8_t *line)
{
	const size_t number = sizeof("format ") - 1;

	if (memcmp(line, FORMAT, number) != 0 || line[number + 4] != '\n')
		return false;
	for (size_t i = number; i < number + 4; i++) {
		if (line[i] < '0' || line[i] > '9')
			return false;
	}
	return memcmp(line, FORMAT, sizeof(FORMAT) - 1) != 0;
}

enum state_fault state_header_check(struct bytes start, uint64_t file_size,
				    const uint8_t image[static POSIX_IMAGE_SIZE])
{
	uint8_t right[STATE_HEADER_SIZE];

	if (!state_header_known(start))
		return STATE_FOREIGN;
	if (start.len < AT_GEOMETRY)
		return STATE_CUT;
	/* Before any checksum: another format may keep its own elsewhere. */
	if (other_format(start.ptr + AT_FORMAT))
		return STATE_FORMAT;
	if (start.len < STATE_HEADER_SIZE)
		return STATE_CUT;
	if (!checksum_line(right + AT_HEADER, HEADER, bytes_of(start.ptr, AT_HEADER)))
		return STATE_CRYPTO;
	if (memcmp(start.ptr + AT_HEADER, right + AT_HEADER, STATE_HEADER_SIZE - AT_HEADER) != 0)
		return STATE_HEADER_ALTERED;
	if (memcmp(start.ptr + AT_GEOMETRY, GEOMETRY, AT_IMAGE - AT_GEOMETRY) != 0)
		return STATE_GEOMETRY;
	if (file_size < STATE_FILE_SIZE)
		return STATE_CUT;
	if (file_size > STATE_FILE_SIZE)
		return STATE_LONGER;
	if (!state_header_write(right, image))
		return STATE_CRYPTO;
	/* The one line left that may differ is the image's checksum. */
	return memcmp(start.ptr, right, STATE_HEADER_SIZE) == 0 ? STATE_WHOLE : STATE_IMAGE_ALTERED;
}
