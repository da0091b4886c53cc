/*
 * What an emulated board has of the machine around it, by semihosting: the flash's image in a file,
 * a seed, and an end. A build for hardware (host_none.c) has none of it, and nothing to remember.
 *
 * Owns the file. It is written through, byte by byte: killing the emulator at any instant leaves in
 * it what a power cut leaves in flash, a torn word too.
 */
#ifndef SIMTIE_CORTEX_M_HOST_H
#define SIMTIE_CORTEX_M_HOST_H

#include "../../core/bytes.h"

/* How an emulator ends, as its exit code; 0 is for those who end it from outside. */
enum host_end {
	HOST_NO_IMAGE = 3,  /* there is no file, or it is too short */
	HOST_MEMORY = 4,    /* the records in the flash are damaged, or of another version */
	HOST_COMPLAINT = 5, /* memory or port are not what the core wants */
};

/* Brings the image into the flash. Does not come back without one. */
void host_open(void);

/* Notes, before the flash does it, that a word becomes this, or a page blank. False: not noted. */
bool host_program(uint32_t offset, uint32_t word);
bool host_erase(uint16_t page);

/* The seed that the emulator was started with; len 0: none. */
struct bytes host_seed(void);

/* Ends the emulator; a board sleeps until it is reset. */
_Noreturn void host_end(enum host_end why);

#endif
