/*
 * A state file on disk: found, locked, read and replaced.
 *
 * Owns the file's name, its lock and the order of writes that makes a replacement atomic. Refuses
 * to follow a name that changes under it, to write into what it does not know, and to leave half a
 * file in the place of a whole one.
 */
#ifndef SIMTIE_PORT_STATE_FILE_H
#define SIMTIE_PORT_STATE_FILE_H

#include "posix.h"

/*
 * Opens and locks the file at `path` and reads its image, or makes it with the image given: when it
 * is not there, and with POSIX_FACTORY, which reads no image. Errors as posix_port_file(), the
 * sentence in *error; state_file_close() is safe after all of them.
 */
enum posix_result state_file_open(struct state_file *file, struct posix_error *error,
				  const char *path, uint8_t image[static POSIX_IMAGE_SIZE],
				  enum posix_start start);

/*
 * Replaces the state by `image`; it is durable on return. POSIX_OK; POSIX_CRYPTO, POSIX_BUSY,
 * POSIX_REPLACED, POSIX_IO: the file holds the state before, or, if only the last step of making it
 * durable failed, this one.
 */
enum posix_result state_file_save(struct state_file *file, struct posix_error *error,
				  const uint8_t image[static POSIX_IMAGE_SIZE]);

/* Gives back lock, descriptors and names. */
void state_file_close(struct state_file *file);

#endif
