/*
 * What people run beside the daemons, the operator's above all: a connection to the store, the
 * keys, and an audit chain of their own, "NAME/desk".
 *
 * Owns opening, closing, and transactions that are tried again when somebody else holds a lock.
 * Refuses to work on a store whose schema is not this version's.
 */
#ifndef SIMTIE_SERVICE_DESK_H
#define SIMTIE_SERVICE_DESK_H

#include "service.h"

struct desk {
	const char *name; /* of the subcommand, for messages: "operator audit" */
	struct service service;
	struct db *db;
	char chain[80];
};

/* An exit code of commands.h; what is wrong has been said. To be closed whatever comes back. */
int desk_open(struct desk *desk, const struct role *role, const char *name,
	      const char *config_path);
void desk_close(struct desk *desk);

/* Runs `run` in one transaction, again while DB_ERR_BUSY, some ten times. An error of db.h. */
int desk_run(struct desk *desk, int (*run)(struct work *work, void *context), void *context);

/* Says what went wrong; returns COMMAND_IO. */
int desk_failed(const struct desk *desk, int error);

/*
 * The arguments of such a command: --config FILE, the options in `values` ("--reason TEXT" as name
 * "reason"), and at most `words_max` words. COMMAND_DONE with a NULL *config: help was printed.
 */
struct desk_option {
	const char *name;
	const char *value; /* NULL: not given */
};
int desk_arguments(int argc, char **argv, const char *name, const char *help, const char **config,
		   struct desk_option *options, size_t count, const char **words, size_t words_max);

/* Who a line of the audit log says it was: "staff alice", "staff alice as root", "staff root, by
 * sudo alice" where the kernel knows of no login. */
#define DESK_STAFF_SIZE 160
void desk_staff(char actor[static DESK_STAFF_SIZE]);

/* The same of what is given (desk_staff.c). */
struct desk_staff {
	unsigned long login; /* /proc/self/loginuid; 4294967295: none */
	unsigned long uid;
	const char *sudo; /* SUDO_USER, or NULL */
};
void desk_staff_text(const struct desk_staff *staff, char actor[static DESK_STAFF_SIZE]);

/* ---- The commands, each in the file of its name: desk_NAME.c ---- */

int desk_audit_main(int argc, char **argv);
int desk_outbox_main(int argc, char **argv);
int desk_rekey_main(int argc, char **argv);
int desk_rekey_messenger_main(int argc, char **argv); /* the same of a messenger's store */
int desk_record_main(int argc, char **argv);
int desk_import_main(int argc, char **argv);

#endif
