/*
 * Several readers at once: one process a reader, this one watching over them.
 */
#ifndef SIMTIE_VPCD_SLOTS_H
#define SIMTIE_VPCD_SLOTS_H

#include "card.h"

#define SLOTS_MAX 16

/*
 * Serves `slots` readers, at the port of `options` and those after it, until all are done or a
 * signal ends them; then all have ended. False: one could not be served; the reason stands on
 * stderr.
 */
bool slots_serve(const struct card_options *options, unsigned slots);

#endif
