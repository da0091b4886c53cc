/*
 * The serial line to a PN532, brought back into step.
 *
 * A device answers in order, and libnfc takes the next answer for the one to its last command: when
 * it gave up on one that was still under way, each later command gets what belongs to the one
 * before. Owns the question that ends that. Refuses to guess by time how long an answer may be
 * under way, and to tell whether a card is there. For a worker's thread alone.
 */
#ifndef SIMTIE_LIB_NFC_LINE_H
#define SIMTIE_LIB_NFC_LINE_H

#include <stdbool.h>

#include "deadline.h"
#include "port/nfc/claim.h"

/*
 * Asks the chip to send back a mark that was never used before (Diagnose, communication line test:
 * NXP UM0701-02 §7.2.1), and reads away all that comes until the mark has: no answer to anything
 * before is under way then. False: the device says nothing of the kind, by the deadline at the
 * latest. Of other devices than a PN532 on a serial port it knows nothing, and asks nothing: true.
 */
bool nfc_line_regain(const struct nfc_claim *claim, struct deadline deadline);

#endif
