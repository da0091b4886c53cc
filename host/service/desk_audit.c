/*
 * simtied operator audit verify: whether the audit log is whole.
 */
#include "audit.h"
#include "commands.h"
#include "desk.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: simtied operator audit verify --config FILE\n\n"
	"Walks every chain of the audit log and names the first line that was changed, moved or\n"
	"taken away. Then prints each chain's head: noted elsewhere, they also show a log that "
	"was\n"
	"cut short together with its heads. Exit code 1: the log is broken.\n";

static int print_heads(struct work *work, void *context)
{
	static const char heads[] = "SELECT chain, seq, mac FROM audit_heads ORDER BY chain";
	int result = db_query(work->db, heads, DB_NONE);

	(void)context;
	while (result == DB_OK && (result = db_next(work->db)) == DB_ROW) {
		struct bytes chain = db_column_bytes(work->db, 0), mac;
		int64_t seq = db_column_int(work->db, 1);

		printf("head  %.*s  line %lld  ", (int)chain.len, (const char *)chain.ptr,
		       (long long)seq);
		mac = db_column_bytes(work->db, 2);
		for (size_t i = 0; i < mac.len; i++)
			printf("%02x", mac.ptr[i]);
		putchar('\n');
		result = DB_OK;
	}
	db_end(work->db);
	return result;
}

static int verify(struct desk *desk)
{
	struct audit_fault fault;
	int64_t lines;
	bool broken;
	int error = audit_verify(desk->db, desk->service.vault, &lines, &broken, &fault);

	if (error != DB_OK)
		return desk_failed(desk, error);
	if (broken) {
		printf("broken: chain %s, line %lld: %s\n", fault.chain, (long long)fault.seq,
		       fault.what);
		return COMMAND_REFUSED;
	}
	printf("whole: %lld lines\n", (long long)lines);
	error = desk_run(desk, print_heads, NULL);
	return error == DB_OK ? COMMAND_DONE : desk_failed(desk, error);
}

int desk_audit_main(int argc, char **argv)
{
	const char *config, *what = NULL;
	struct desk desk;
	int code = desk_arguments(argc, argv, "operator audit", help, &config, NULL, 0, &what, 1);

	if (!config)
		return code;
	if (!what || strcmp(what, "verify") != 0)
		return command_wrong("operator audit", "verify is what it can do");
	code = desk_open(&desk, &role_operator, "operator audit", config);
	if (code == COMMAND_DONE)
		code = verify(&desk);
	desk_close(&desk);
	return command_end(code);
}
