/*
 * What the core asks of the platform under it: memory that survives power cuts, randomness, a
 * watchdog. A port fills in every member; applet_open() and journal_open() refuse a NULL pointer.
 *
 * Memory is modelled on NOR flash, the strictest that simtie meets: pages are erased whole to FF,
 * and programming can only clear bits. A port on kinder memory (a file, FRAM, EEPROM) imitates it.
 *
 * What a power cut may leave behind: of the one program or erase under way, any mixture of old and
 * new bytes, in that call's range alone. Earlier calls that a sync() followed are whole.
 */
#ifndef SIMTIE_CORE_PORT_H
#define SIMTIE_CORE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every program() starts at a multiple of this and is a multiple of it long, in bytes. */
#define PORT_PROGRAM_UNIT 8

/* Bounds of the memory that a port may offer, in bytes and pages. */
#define PORT_PAGE_SIZE_MIN  2048
#define PORT_PAGE_SIZE_MAX  32768
#define PORT_PAGE_COUNT_MIN 3
#define PORT_MEMORY_MAX     262144

/* EAT debug status (RFC 9711 §4.2.9), as the attestation states it. */
enum port_debug_status {
	PORT_DEBUG_ENABLED = 0,              /* virtual, emulated or debuggable */
	PORT_DEBUG_DISABLED_PERMANENTLY = 3, /* hardware whose debug port is locked for good */
};

/*
 * What the maker of the card gave it before anybody had the keys to ask: the first key set of the
 * issuer security domain and what tells the card from others. Read once, on blank memory; from then
 * on the journal has it, and PUT KEY replaces it.
 */
struct port_issuer {
	uint8_t key_version; /* 1 to 7F */
	uint8_t key_len;     /* 16, 24 or 32 bytes, of each key */
	uint8_t scp_options; /* i of SCP03 (GlobalPlatform Amendment D v1.2 §5.1) */
	const uint8_t *enc;  /* key_len bytes each */
	const uint8_t *mac;
	const uint8_t *dek;
	uint8_t diversification[10]; /* key diversification data: the card's own name */
	uint8_t iccid[10];           /* as in EF.ICCID; all zero: none yet */
};

struct port {
	void *context; /* handed to every function below; the core never looks inside */

	/* Geometry: page_count pages of page_size bytes, offsets 0 to page_count * page_size - 1.
	 * page_size is a power of two. A page here may be several erase units of the hardware. */
	uint32_t page_size;
	uint16_t page_count;

	/* Copies len bytes from offset to out. False: the memory could not be read. */
	bool (*read)(void *context, uint32_t offset, uint8_t *out, size_t len);

	/* Clears the bits that are 0 in data; offset and len are multiples of PORT_PROGRAM_UNIT and
	 * the range lies in one page. No unit is programmed twice between two erases. False: the
	 * range may hold anything. */
	bool (*program)(void *context, uint32_t offset, const uint8_t *data, size_t len);

	/* Sets every byte of a page to FF. False: the page may hold anything. */
	bool (*erase)(void *context, uint16_t page);

	/* Returns once all that was programmed and erased survives a power cut. False: it may not.
	 */
	bool (*sync)(void *context);

	/* Fills out with len bytes from a source fit for keys. False: the source has failed. */
	bool (*random)(void *context, uint8_t *out, size_t len);

	/* Feeds the watchdog. Called at least once per page operation and before each signature;
	 * a platform without one gives a function that does nothing. */
	void (*alive)(void *context);

	/* What an attestation says of this platform; a constant while the card has power. */
	enum port_debug_status debug_status;

	/* What the maker gave; must outlive the card's first opening. */
	const struct port_issuer *issuer;

	/* Whether random() repeats itself by design (a test seed). Such keys are marked for life,
	 * and debug_status must be PORT_DEBUG_ENABLED. */
	bool seeded;
};

#endif
