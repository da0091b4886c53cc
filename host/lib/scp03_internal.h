/*
 * What the files of SCP03 share: GlobalPlatform's numbers, class bytes, the MAC chain.
 */
#ifndef SIMTIE_LIB_SCP03_INTERNAL_H
#define SIMTIE_LIB_SCP03_INTERNAL_H

#include "scp03.h"

#define GP_CLA                       0x80
#define GP_INS_INITIALIZE_UPDATE     0x50
#define GP_INS_EXTERNAL_AUTHENTICATE 0x82
#define GP_INS_PUT_KEY               0xD8

/* The class byte of a command on this logical channel, 0 to 19, plain or with GlobalPlatform's
 * secure messaging (Card Specification §11.1.4). `base` is 00 or 80. */
uint8_t scp03_class(uint8_t base, uint8_t channel, bool secure);

/*
 * Moves the chaining value on by the MAC of `command`, which goes from CLA to the end of the data,
 * Lc with the MAC counted in, and has its real class; the MAC is over that of channel 0
 * (Amendment D §6.2.4). Its first scp->mac_size bytes are what the command carries. False: the
 * library failed.
 */
bool scp03_chain(struct scp03 *scp, struct bytes command);

#endif
