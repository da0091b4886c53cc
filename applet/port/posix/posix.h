/*
 * The virtual card's platform: a flash image in memory, kept in a file or not, and a random source.
 *
 * Owns the image, the state file and the lock on it. The file is at every instant the state of one
 * sync(): it is replaced whole, never written in place. So whatever differs from what was written
 * is damage, and is refused with a sentence and left as it is. state-file.md has its layout.
 * Refuses: a file in use by another card, one that other users can read, one that is no state.
 * Says of itself that it can be debugged, always: a virtual card never passes for hardware.
 *
 * Prints nothing, handles no signals, has no globals. One port has one user at a time.
 */
#ifndef SIMTIE_PORT_POSIX_H
#define SIMTIE_PORT_POSIX_H

#include "../../core/bytes.h"
#include "../../core/port.h"

#define POSIX_PAGE_SIZE  4096u
#define POSIX_PAGE_COUNT 8u
#define POSIX_IMAGE_SIZE (POSIX_PAGE_SIZE * POSIX_PAGE_COUNT)

#define POSIX_SEED_MAX 64  /* bytes of a seed */
#define POSIX_TEXT_MAX 512 /* bytes of an error's sentence, terminator included */

enum posix_result {
	POSIX_OK,
	POSIX_SEED,    /* the seed is longer than POSIX_SEED_MAX */
	POSIX_MEMORY,  /* the system has no memory left for the image */
	POSIX_CRYPTO,  /* the crypto library failed */
	POSIX_BUSY,    /* another card uses the file */
	POSIX_EXPOSED, /* group or others may open the file, which holds private keys */
	POSIX_FOREIGN, /* not a state file of simtie */
	POSIX_VERSION, /* a state file of a format or memory size that this program does not know */
	POSIX_DAMAGED, /* a state file that was cut or altered */
	POSIX_REPLACED, /* somebody removed or replaced the file while it was in use */
	POSIX_IO,       /* the system refused; error_number says how */
};

/* The last thing that went wrong: `text` is one sentence, without a final stop, that names the
 * file, says what is wrong and what to do. It holds nothing of the image. */
struct posix_error {
	enum posix_result result;
	int error_number; /* errno, or 0 */
	char text[POSIX_TEXT_MAX];
};

/* A state file in use. For posix.c and state_file.c alone. */
struct state_file {
	int folder;     /* descriptor of the folder it is in, -1: no file */
	int lock;       /* descriptor of the file itself, locked; -1: none */
	char *name;     /* in that folder, symbolic links resolved */
	char *new_name; /* what the next state is written to before it takes the place of `name` */
	char *path;     /* as the caller gave it, for sentences */
};

struct posix_port {
	struct port port; /* give &posix.port to the core; the struct must not move */
	struct posix_error error;
	struct state_file file;
	uint8_t *image;
	bool dirty; /* the image differs from the file */
	uint8_t seed[POSIX_SEED_MAX];
	size_t seed_len;
	uint32_t blocks; /* blocks drawn from the seed */
};

enum posix_start {
	POSIX_KEEP,    /* go on with the state in the file */
	POSIX_FACTORY, /* throw it away and begin with blank memory, even if it is damaged */
};

/*
 * A blank card that is gone with posix_port_close().
 *
 * An empty `seed` means the system's random source. Any other (up to POSIX_SEED_MAX bytes) makes a
 * stream that repeats itself with each opening: block number i, from 0, is HMAC-SHA-256(seed, i as
 * 4 bytes, big-endian), and each random() begins a new block. `port.seeded` is then true.
 *
 * POSIX_OK; POSIX_SEED, POSIX_MEMORY, POSIX_CRYPTO. Whatever comes back, posix_port_close() is
 * safe.
 */
enum posix_result posix_port_memory(struct posix_port *posix, struct bytes seed);

/*
 * The card whose state is in the file at `path`, made with blank memory and mode 0600 if it is not
 * there, and locked until posix_port_close(). With POSIX_FACTORY a file that begins as a state file
 * does is made blank, whatever follows; any other file is refused even then.
 *
 * Every value of enum posix_result but POSIX_REPLACED. A refused file keeps every byte.
 */
enum posix_result posix_port_file(struct posix_port *posix, const char *path, struct bytes seed,
				  enum posix_start start);

/*
 * Takes the card back to blank memory, in the file as well, and the seed to its beginning. The core
 * has to open the port again. POSIX_OK; POSIX_CRYPTO, POSIX_REPLACED, POSIX_IO: the file is as
 * before.
 */
enum posix_result posix_port_factory(struct posix_port *posix);

/* Wipes the image and gives back file and lock. What was not synced is lost, as in a power cut. */
void posix_port_close(struct posix_port *posix);

#endif
