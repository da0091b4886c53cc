/*
 * The first bytes of a state file: what it is, its format, memory size and checksums. Text, so that
 * `head -n 5 FILE` shows it; fixed in size, so that nothing has to be parsed. See state-file.md.
 *
 * Owns the layout. Refuses every header that it would not have written itself.
 */
#ifndef SIMTIE_PORT_STATE_HEADER_H
#define SIMTIE_PORT_STATE_HEADER_H

#include "posix.h"

#define STATE_HEADER_SIZE 217
#define STATE_FILE_SIZE   (STATE_HEADER_SIZE + POSIX_IMAGE_SIZE)

/* What is wrong with a state file, in the order in which it is looked for. */
enum state_fault {
	STATE_WHOLE,
	STATE_FOREIGN,        /* does not begin as a state file does */
	STATE_FORMAT,         /* of another format */
	STATE_CUT,            /* too short for its format */
	STATE_HEADER_ALTERED, /* the header does not match its checksum, or is not what we write */
	STATE_GEOMETRY,       /* of another memory size */
	STATE_LONGER,         /* something follows the image */
	STATE_IMAGE_ALTERED,  /* the image does not match its checksum */
	STATE_CRYPTO,         /* the crypto library failed */
};

/* Writes the header for an image. False: the crypto library failed. */
bool state_header_write(uint8_t header[static STATE_HEADER_SIZE],
			const uint8_t image[static POSIX_IMAGE_SIZE]);

/* Whether these first bytes of a file are a state file's, of whatever format and condition. */
bool state_header_known(struct bytes start);

/*
 * Judges a file of file_size bytes from its first bytes (all of them, up to STATE_HEADER_SIZE) and
 * its image, which is looked at only if the file has the right size.
 */
enum state_fault state_header_check(struct bytes start, uint64_t file_size,
				    const uint8_t image[static POSIX_IMAGE_SIZE]);

#endif
