/*
 * Tells a service manager how far the start and the end have come (systemd's NOTIFY_SOCKET).
 *
 * Owns nothing; without such a manager it does nothing.
 */
#ifndef SIMTIE_SERVICE_NOTIFY_H
#define SIMTIE_SERVICE_NOTIFY_H

/* "READY=1", "STOPPING=1" */
void notify_say(const char *state);

#endif
