/*
 * The PC/SC service and its drivers.
 */
#include "doctor.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Where libpcsclite looks for the service. */
#define SOCKET_VARIABLE "PCSCLITE_CSOCK_NAME"
#define SOCKET_DEFAULT  "/run/pcscd/pcscd.comm"

static bool exists(const struct doctor *doctor, const char *path)
{
	char whole[PATH_MAX];

	return access(doctor_path(doctor, path, whole), F_OK) == 0;
}

static const char *socket_path(const struct doctor *doctor, char out[static PATH_MAX])
{
	const char *variable = getenv(SOCKET_VARIABLE);

	return variable ? variable : doctor_path(doctor, SOCKET_DEFAULT, out);
}

/* 0 when something accepts connections there, else the errno. */
static int knock(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, result;

	if (strlen(path) >= sizeof address.sun_path)
		return ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	result = connect(fd, (struct sockaddr *)&address, sizeof address) ? errno : 0;
	close(fd);
	return result;
}

static void advise_start(struct doctor *doctor)
{
	if (exists(doctor, "/run/systemd/system"))
		doctor_advise(doctor, "sudo systemctl enable --now pcscd.socket");
	else
		doctor_advise(doctor, "start it: sudo pcscd (without systemd it does not start by "
				      "itself)");
}

static void explain_silence(struct doctor *doctor)
{
	char whole[PATH_MAX];
	const char *path = socket_path(doctor, whole);
	int fault = knock(path);

	if (!exists(doctor, "/usr/sbin/pcscd") && !exists(doctor, "/usr/local/sbin/pcscd")) {
		doctor_find(doctor, DOCTOR_PROBLEM, "the PC/SC service is not installed");
		doctor_advise(doctor, "sudo apt install pcscd libccid");
	} else if (fault == ENOENT || fault == ENOTDIR) {
		doctor_find(doctor, DOCTOR_PROBLEM,
			    "the PC/SC service does not run: there is no socket %s", path);
		advise_start(doctor);
	} else if (fault == ECONNREFUSED) {
		doctor_find(doctor, DOCTOR_PROBLEM,
			    "the PC/SC service has ended and left its socket %s behind", path);
		doctor_advise(doctor, exists(doctor, "/run/systemd/system")
					      ? "sudo systemctl restart pcscd.socket pcscd"
					      : "start it again: sudo pcscd");
	} else {
		doctor_find(doctor, DOCTOR_PROBLEM, "the PC/SC service at %s does not answer: %s",
			    path, fault ? strerror(fault) : "it accepts, and says nothing");
		doctor_advise(doctor, "see `journalctl -u pcscd`, then restart it");
	}
	if (getenv(SOCKET_VARIABLE))
		doctor_advise(doctor, "%s is set in the environment: is it meant to be?",
			      SOCKET_VARIABLE);
}

static void explain_refusal(struct doctor *doctor)
{
	char whole[PATH_MAX];
	const char *path = socket_path(doctor, whole);
	int fault = knock(path);

	if (fault == EACCES || fault == EPERM) {
		doctor_find(doctor, DOCTOR_PROBLEM, "this user may not open the socket %s", path);
		doctor_advise(doctor, "set its mode (systemctl edit pcscd.socket, SocketMode=0666) "
				      "or try as root");
		return;
	}
	doctor_find(doctor, DOCTOR_PROBLEM, "the PC/SC service refuses this user (polkit)");
	doctor_advise(doctor,
		      "allow it: a file in /etc/polkit-1/rules.d with "
		      "polkit.addRule(function(a, s) { if (a.id.indexOf("
		      "\"org.debian.pcsc-lite.access_\") == 0 && s.user == \"NAME\") return "
		      "polkit.Result.YES; }); where no polkit runs, start pcscd with "
		      "--disable-polkit");
}

void doctor_check_service(struct doctor *doctor)
{
	doctor->service_error = simtie_readers(&doctor->readers, &doctor->reader_count);
	switch (doctor->service_error) {
	case 0:
		doctor_find(doctor, DOCTOR_OK, "the PC/SC service answers");
		break;
	case SIMTIE_ERR_SERVICE:
		explain_silence(doctor);
		break;
	case SIMTIE_ERR_ACCESS:
		explain_refusal(doctor);
		break;
	default:
		doctor_find(doctor, DOCTOR_PROBLEM, "the PC/SC service: %s",
			    simtie_strerror(doctor->service_error));
	}
}

void doctor_check_drivers(struct doctor *doctor)
{
	static const char *const patterns[] = {
		"/usr/lib/pcsc/drivers/*.bundle",
		"/usr/lib/*/pcsc/drivers/*.bundle",
		"/usr/local/lib/pcsc/drivers/*.bundle",
	};
	char path[PATH_MAX], names[DOCTOR_TEXT_MAX / 2] = "";
	size_t found = 0;

	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
		glob_t list;

		if (glob(doctor_path(doctor, patterns[i], path), 0, NULL, &list) != 0)
			continue;
		for (size_t k = 0; k < list.gl_pathc; k++, found++) {
			const char *name = strrchr(list.gl_pathv[k], '/') + 1;
			size_t used = strlen(names);

			snprintf(names + used, sizeof names - used, "%s%.*s", used ? ", " : "",
				 (int)(strlen(name) - strlen(".bundle")), name);
		}
		globfree(&list);
	}
	if (found > 0) {
		doctor_find(doctor, DOCTOR_OK, "drivers for USB readers: %s", names);
		return;
	}
	doctor_find(doctor, DOCTOR_WARNING, "there is no driver for USB readers");
	doctor_advise(doctor, "sudo apt install libccid, then plug the reader in again");
}
