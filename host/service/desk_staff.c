/*
 * Who sits at the desk.
 *
 * The login's user first: the kernel keeps it, and neither su nor sudo changes it. Then the user
 * that the program runs as, where that is another. What sudo says comes last and is said to be its
 * word: anybody can put it into an environment.
 */
#include "desk.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_LEN 40
#define NO_LOGIN     4294967295UL /* what the kernel has for a process that no login began */

/* A line of the log is read by people: nothing but what names are made of. */
static bool is_name(const char *text)
{
	const size_t len = strlen(text);

	return len > 0 && len <= NAME_MAX_LEN &&
	       strspn(text,
		      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-$@") == len;
}

static void name_of(unsigned long uid, char name[static NAME_MAX_LEN + 1])
{
	const struct passwd *user = getpwuid((uid_t)uid);

	if (user && is_name(user->pw_name))
		snprintf(name, NAME_MAX_LEN + 1, "%s", user->pw_name);
	else
		snprintf(name, NAME_MAX_LEN + 1, "%lu", uid);
}

void desk_staff_text(const struct desk_staff *staff, char actor[static DESK_STAFF_SIZE])
{
	char user[NAME_MAX_LEN + 1], login[NAME_MAX_LEN + 1] = "";
	const bool has_login = staff->login != NO_LOGIN;
	const char *sudo = staff->sudo && is_name(staff->sudo) ? staff->sudo : NULL;
	int len;

	name_of(staff->uid, user);
	if (has_login)
		name_of(staff->login, login);
	if (has_login && staff->login != staff->uid)
		len = snprintf(actor, DESK_STAFF_SIZE, "staff %s as %s", login, user);
	else
		len = snprintf(actor, DESK_STAFF_SIZE, "staff %s", user);
	if (sudo && strcmp(sudo, user) != 0 && strcmp(sudo, login) != 0)
		snprintf(actor + len, DESK_STAFF_SIZE - (size_t)len, ", by sudo %s", sudo);
}

void desk_staff(char actor[static DESK_STAFF_SIZE])
{
	struct desk_staff staff = {.login = NO_LOGIN, .uid = getuid(), .sudo = getenv("SUDO_USER")};
	FILE *file = fopen("/proc/self/loginuid", "r");

	if (file && fscanf(file, "%lu", &staff.login) != 1)
		staff.login = NO_LOGIN;
	if (file)
		fclose(file);
	desk_staff_text(&staff, actor);
}
