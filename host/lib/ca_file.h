/*
 * Files by an open directory (or AT_FDCWD): read whole, written whole, flushed.
 *
 * Owns nothing. Refuses to follow a symbolic link where it writes.
 */
#ifndef SIMTIE_HOST_CA_FILE_H
#define SIMTIE_HOST_CA_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Reads a file. *bytes is the caller's, to be freed with free(). False: errno says why. */
bool ca_file_read(int directory, const char *name, char **bytes, size_t *len);

/* Makes a file, or empties the one that is there, and writes it, flushed. False: errno; it is gone
 * then. */
bool ca_file_write(int directory, const char *name, mode_t mode, const void *bytes, size_t len);

/* Writes all of it where the descriptor stands: one write, as a rule; the rest of one that the
 * system cut short follows. False: errno. */
bool ca_file_append(int fd, const char *bytes, size_t len);

/* Gives `from` the name `to`, in the place of what has it, flushed. False: errno. */
bool ca_file_rename(int directory, const char *from, const char *to);

#endif
