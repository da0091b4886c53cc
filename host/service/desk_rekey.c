/*
 * simtied operator|messenger rekey: what is sealed under older keys is sealed under the newest.
 */
#include "commands.h"
#include "desk.h"
#include "rekey.h"

#include <stdio.h>

static const char help[] =
	"Usage: simtied operator rekey --config FILE\n"
	"       simtied messenger rekey --config FILE\n\n"
	"Seals anew, a few rows at a time while daemons serve, all that is sealed under older "
	"keys\n"
	"of the key file (`simtied keys add`). May be interrupted and run again. When it says "
	"that\n"
	"nothing is left, and no daemon runs that knows the older keys alone, they can go.\n";

#define ROWS 200

struct step {
	struct rekey rekey;
	bool more;
	const char *damaged;
};

static int step_run(struct work *work, void *context)
{
	struct step *step = context;
	struct rekey next = step->rekey;
	int result = rekey_step(work->db, work->service->vault, &next, ROWS, &step->more,
				&step->damaged);

	if (result == DB_OK)
		step->rekey = next;
	return result;
}

static int renew(struct desk *desk)
{
	struct step step = {
		.rekey = {.role = service_migrations(desk->service.role)},
		.more = true,
	};
	int error = DB_OK;

	while (error == DB_OK && step.more)
		error = desk_run(desk, step_run, &step);
	if (error == DB_ERR_DAMAGED && step.damaged)
		fprintf(stderr, "simtied %s: a row of table %s does not open\n", desk->name,
			step.damaged);
	if (error != DB_OK)
		return desk_failed(desk, error);
	printf("%lld rows sealed anew under key %u; nothing is left under another\n",
	       (long long)step.rekey.changed, vault_newest(desk->service.vault));
	return COMMAND_DONE;
}

static int rekey_main(int argc, char **argv, const struct role *role, const char *name)
{
	const char *config;
	struct desk desk;
	int code = desk_arguments(argc, argv, name, help, &config, NULL, 0, NULL, 0);

	if (!config)
		return code;
	code = desk_open(&desk, role, name, config);
	if (code == COMMAND_DONE)
		code = renew(&desk);
	desk_close(&desk);
	return command_end(code);
}

int desk_rekey_main(int argc, char **argv)
{
	return rekey_main(argc, argv, &role_operator, "operator rekey");
}

int desk_rekey_messenger_main(int argc, char **argv)
{
	return rekey_main(argc, argv, &role_messenger, "messenger rekey");
}
