/*
 * An NFC device of libnfc's, taken for this program alone.
 *
 * Owns the choice of the device, the lock on it, libnfc's context and silence, and the sentence on
 * why a device cannot be had: libnfc itself says no more than that. Refuses a device that another
 * program holds, and more open files than libnfc can select() on. Knows nothing of cards.
 *
 * The lock is flock() on the device's own node (/dev/ttyUSB0, /dev/bus/usb/001/004), which is one
 * and the same by whatever name or symbolic link it is called; where a device has no node, on a
 * file in /run/lock. It ends with the process. Several threads may hold a device each.
 */
#ifndef SIMTIE_NFC_CLAIM_H
#define SIMTIE_NFC_CLAIM_H

#include <nfc/nfc.h>

#define CLAIM_NAME_MAX    120 /* bytes of a device's name, terminator included */
#define CLAIM_TEXT_MAX    512 /* bytes of a sentence, likewise */
#define CLAIM_DEVICES_MAX 8   /* that are told apart */

enum claim_result {
	CLAIM_OK,
	CLAIM_ABSENT,  /* no device, none of that name, or nothing answers there */
	CLAIM_SEVERAL, /* several devices, and no name was given */
	CLAIM_DENIED,  /* this user may not use it */
	CLAIM_BUSY,    /* another program holds it, for longer than we may wait */
	CLAIM_MEMORY,  /* no memory, or too many files are open */
};

struct nfc_claim {
	nfc_context *context;
	nfc_device *device;
	int lock;                  /* descriptor; of a serial port, a second one to it */
	char name[CLAIM_NAME_MAX]; /* as libnfc knows it: "pn532_uart:/dev/ttyUSB0" */
};

/*
 * Takes the device of that name, or with "" the only one that libnfc finds: named in its
 * configuration (LIBNFC_DEVICE, /etc/nfc/libnfc.conf) or seen on the USB. Waits up to `wait_ms`
 * for another program to let go. Unless CLAIM_OK, `text` has one sentence, without a capital or a
 * full stop, on what is wrong and what to do. May block for longer than that while a device hangs.
 */
enum claim_result claim_open(struct nfc_claim *claim, const char *name, unsigned wait_ms,
			     char text[static CLAIM_TEXT_MAX]);

/* Lets go of the device; the radio field is off afterwards. */
void claim_close(struct nfc_claim *claim);

/* The devices that libnfc finds without touching serial ports; how many. */
size_t claim_list(nfc_connstring devices[CLAIM_DEVICES_MAX]);

#endif
