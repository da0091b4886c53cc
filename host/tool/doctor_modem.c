/*
 * Modems: ports that may lead to one, and who may open them.
 */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where USB modems turn up, by their drivers: option and qcserial, cdc_acm, wwan. */
static const char *const patterns[] = {"/dev/ttyUSB*", "/dev/ttyACM*", "/dev/wwan*at*"};

static const char *group_of(const char *path)
{
	struct stat about;
	const struct group *group = stat(path, &about) == 0 ? getgrgid(about.st_gid) : NULL;

	return group ? group->gr_name : "dialout";
}

/* Looks without opening: some modems notice that, and change what they do. */
static void check_port(struct doctor *doctor, const char *path, char *list, size_t size)
{
	const char *shown = path + strlen(doctor->root);
	const size_t used = strlen(list);

	if (access(path, R_OK | W_OK) == 0) {
		snprintf(list + used, size - used, "%s%s", used ? ", " : "", shown);
		return;
	}
	doctor_find(doctor, DOCTOR_WARNING, "%s may lead to a modem, and this user may not open it",
		    shown);
	doctor_advise(doctor, "sudo adduser NAME %s, and log in again", group_of(path));
}

/* ModemManager opens every port that it takes for a modem's. */
static bool is_managed(const struct doctor *doctor)
{
	char path[PATH_MAX], name[32] = "";
	glob_t found;
	bool managed = false;

	if (glob(doctor_path(doctor, "/proc/[0-9]*/comm", path), 0, NULL, &found) != 0)
		return false;
	for (size_t i = 0; i < found.gl_pathc && !managed; i++) {
		FILE *file = fopen(found.gl_pathv[i], "r");

		managed = file && fgets(name, sizeof name, file) &&
			  strncmp(name, "ModemManager", 12) == 0;
		if (file)
			fclose(file);
	}
	globfree(&found);
	return managed;
}

void doctor_check_modems(struct doctor *doctor)
{
	char path[PATH_MAX], list[DOCTOR_TEXT_MAX / 2] = "";
	size_t ports = 0;

	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
		glob_t found;

		if (glob(doctor_path(doctor, patterns[i], path), 0, NULL, &found) != 0)
			continue;
		for (size_t k = 0; k < found.gl_pathc; k++)
			check_port(doctor, found.gl_pathv[k], list, sizeof list);
		ports += found.gl_pathc;
		globfree(&found);
	}
	if (list[0]) {
		doctor_find(doctor, DOCTOR_NOTE, "ports that may lead to a modem: %s", list);
		doctor_advise(doctor, "--reader at:PORT reaches the SIM in it, through the port "
				      "that answers AT commands");
	}
	if (ports > 0 && is_managed(doctor)) {
		doctor_find(doctor, DOCTOR_NOTE, "ModemManager runs and holds modems' ports");
		doctor_advise(doctor, "where a port is busy: sudo systemctl stop ModemManager");
	}
}
