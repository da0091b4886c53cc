/*
 * What a run needs before it may touch a card, and the dry run, which looks at the same and touches
 * nothing.
 */
#ifndef SIMTIE_TOOL_PROVISION_READY_H
#define SIMTIE_TOOL_PROVISION_READY_H

#include "provision_run.h"

/* Each returns TOOL_DONE or an exit code; a failure is printed. */
int provision_ready_tray(struct provision_run *run);
int provision_ready_readers(struct provision_run *run);
int provision_ready_authority(struct provision_run *run);

/* The list of PINs in `folder`. *finished: it is complete, and there is nothing to open. */
int provision_ready_pins(struct provision_run *run, const char *folder, bool *finished);

/* Says of each row what would be done, and what is missing. */
int provision_ready_dry(struct provision_run *run);

#endif
