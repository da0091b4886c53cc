/*
 * The virtual reader, and who can reach it.
 */
#include "doctor.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONFIGURATION "/etc/reader.conf.d/vpcd"

/* vpcd's ports: the first, and as many as pcscd knows readers. */
#define PORT_FIRST 35963
#define PORT_COUNT 16

/* The state LISTEN in /proc/net/tcp. */
#define STATE_LISTEN 0x0A

static size_t virtual_readers(const struct doctor *doctor)
{
	return doctor->reader_count - doctor_real_readers(doctor);
}

/* The driver that the configuration names; false: there is no configuration. */
static bool configured_driver(const struct doctor *doctor, char driver[static PATH_MAX])
{
	char path[PATH_MAX], line[PATH_MAX];
	FILE *file = fopen(doctor_path(doctor, CONFIGURATION, path), "r");

	driver[0] = '\0';
	if (!file)
		return false;
	while (fgets(line, sizeof line, file)) {
		char name[16], value[PATH_MAX];

		if (sscanf(line, "%15s %4095s", name, value) == 2 && strcmp(name, "LIBPATH") == 0)
			strcpy(driver, value);
	}
	fclose(file);
	return true;
}

void doctor_check_vpcd(struct doctor *doctor)
{
	char driver[PATH_MAX], path[PATH_MAX];

	if (virtual_readers(doctor) > 0) {
		doctor_find(doctor, DOCTOR_OK, "%zu virtual readers for virtual SIMs",
			    virtual_readers(doctor));
	} else if (!configured_driver(doctor, driver)) {
		doctor_find(doctor, DOCTOR_NOTE, "no virtual reader is installed");
		doctor_advise(doctor, "to try a virtual SIM: sudo apt install --reinstall "
				      "-o DPkg::Options::=--force-confmiss vsmartcard-vpcd");
	} else if (access(doctor_path(doctor, driver, path), R_OK) != 0) {
		doctor_find(doctor, DOCTOR_PROBLEM, "%s names a driver that is not there: %.200s",
			    CONFIGURATION, driver);
		doctor_advise(doctor, "sudo apt install --reinstall vsmartcard-vpcd");
	} else if (doctor->service_error) {
		doctor_find(doctor, DOCTOR_OK, "a virtual reader is configured");
	} else {
		doctor_find(doctor, DOCTOR_PROBLEM,
			    "a virtual reader is configured, and PC/SC does not show it");
		doctor_advise(doctor, "sudo systemctl restart pcscd");
	}
}

/* ---- Who can reach it ---- */

/* Whether an address of /proc/net/tcp or tcp6 (words of 32 bits, in the machine's byte order) is
 * this machine's own. */
static bool is_loopback(const char *address)
{
	unsigned word;

	if (strlen(address) == 8)
		return sscanf(address, "%x", &word) == 1 && *(unsigned char *)&word == 127;
	return strncmp(address, "000000000000000000000000", 24) == 0 &&
	       strncmp(address + 24, "00000000", 8) != 0;
}

/* How many of vpcd's ports listen, and how many of those beyond loopback, by one of the tables. */
static void count_ports(const struct doctor *doctor, const char *table, unsigned *listening,
			unsigned *exposed)
{
	char path[PATH_MAX], line[512], address[33];
	FILE *file = fopen(doctor_path(doctor, table, path), "r");
	unsigned port, state;

	while (file && fgets(line, sizeof line, file)) {
		if (sscanf(line, " %*d: %32[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", address, &port,
			   &state) != 3)
			continue;
		if (state != STATE_LISTEN || port < PORT_FIRST || port >= PORT_FIRST + PORT_COUNT)
			continue;
		(*listening)++;
		*exposed += !is_loopback(address);
	}
	if (file)
		fclose(file);
}

/* Whether there is a network interface beside the loopback; taken for granted when unknown. */
static bool has_network(const struct doctor *doctor)
{
	char path[PATH_MAX], line[512], name[32];
	FILE *file = fopen(doctor_path(doctor, "/proc/net/dev", path), "r");
	bool found = file == NULL;

	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, " %31[^: \t]:", name) == 1 && strchr(line, ':') &&
		    strcmp(name, "lo") != 0)
			found = true;
	if (file)
		fclose(file);
	return found;
}

void doctor_check_exposure(struct doctor *doctor)
{
	unsigned listening = 0, exposed = 0;

	count_ports(doctor, "/proc/net/tcp", &listening, &exposed);
	count_ports(doctor, "/proc/net/tcp6", &listening, &exposed);
	if (listening == 0)
		return;
	if (exposed == 0 || !has_network(doctor)) {
		doctor_find(doctor, DOCTOR_OK, "the virtual reader is reached from here alone");
		return;
	}
	doctor_find(doctor, DOCTOR_WARNING,
		    "the virtual reader (port %d) listens on every address, and asks nobody who "
		    "they are: anyone in the network can put a card in",
		    PORT_FIRST);
	doctor_advise(doctor,
		      "close it: sudo nft 'add table inet simtie; add chain inet simtie in { type "
		      "filter hook input priority 0; }; add rule inet simtie in iifname != \"lo\" "
		      "tcp dport %d-%d drop'",
		      PORT_FIRST, PORT_FIRST + PORT_COUNT - 1);
}
