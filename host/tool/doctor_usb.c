/*
 * Readers on the USB that PC/SC does not show.
 */
#include "doctor.h"

#include "output.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_SHOWN 64

/* The class of smart-card readers (USB CCID 1.1 §4.2). */
#define CLASS_SMART_CARD "0b"

/* Kernel drivers of NFC readers, which keep PC/SC and libnfc from them. */
static const char *const nfc_drivers[] = {"pn533_usb", "pn533", "port100", "nfcsim"};

/* First line of a file in a folder; "" when it cannot be read. */
static char *read_line(const char *folder, const char *name, char out[static NAME_MAX_SHOWN])
{
	char path[PATH_MAX], line[NAME_MAX_SHOWN] = "";
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "r");
	if (file && !fgets(line, sizeof line, file))
		line[0] = '\0';
	if (file)
		fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return output_safe(line, out, NAME_MAX_SHOWN);
}

/* Name of the kernel driver that has an interface; "" for none. */
static char *driver_of(const char *interface, char out[static NAME_MAX_SHOWN])
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof path, "%s/driver", interface);
	len = readlink(path, target, sizeof target - 1);
	target[len > 0 ? len : 0] = '\0';
	const char *slash = strrchr(target, '/');
	snprintf(out, NAME_MAX_SHOWN, "%.*s", NAME_MAX_SHOWN - 1, slash ? slash + 1 : target);
	return out;
}

/* What the device of an interface ("1-2:1.0" belongs to "1-2") calls itself. */
static void describe(const char *interface, char out[static DOCTOR_TEXT_MAX])
{
	char device[PATH_MAX], maker[NAME_MAX_SHOWN], product[NAME_MAX_SHOWN];
	char vendor_id[NAME_MAX_SHOWN], product_id[NAME_MAX_SHOWN];
	const char *name = strrchr(interface, '/') + 1;

	snprintf(device, sizeof device, "%.*s", (int)(name - interface) + (int)strcspn(name, ":"),
		 interface);
	read_line(device, "manufacturer", maker);
	read_line(device, "product", product);
	read_line(device, "idVendor", vendor_id);
	read_line(device, "idProduct", product_id);
	snprintf(out, DOCTOR_TEXT_MAX, "%s%s%s (%s:%s)", maker, maker[0] && product[0] ? " " : "",
		 product, vendor_id, product_id);
}

static bool is_nfc_driver(const char *driver)
{
	for (size_t i = 0; i < sizeof nfc_drivers / sizeof nfc_drivers[0]; i++)
		if (strcmp(driver, nfc_drivers[i]) == 0)
			return true;
	return false;
}

/* A driver of the kernel that took an interface away; libccid's own use of one shows as usbfs. */
static void check_driver(struct doctor *doctor, const char *driver, const char *device)
{
	if (!driver[0] || strcmp(driver, "usbfs") == 0)
		return;
	doctor_find(doctor, DOCTOR_PROBLEM, "%s is held by the kernel driver %s", device, driver);
	doctor_advise(doctor,
		      "sudo modprobe -r %s, plug it in again; for good: echo 'blacklist %s' | sudo "
		      "tee /etc/modprobe.d/%s.conf",
		      driver, driver, driver);
}

/* Adds a text to a list, as much of it as there is room for. */
static void append(char *list, size_t size, const char *text)
{
	size_t used = strlen(list), len = strlen(text);

	if (len > size - used - 1)
		len = size - used - 1;
	memcpy(list + used, text, len);
	list[used + len] = '\0';
}

/* Looks at one interface; whether it is a smart-card reader. */
static bool check_interface(struct doctor *doctor, const char *interface, char *list, size_t size)
{
	char class[NAME_MAX_SHOWN], driver[NAME_MAX_SHOWN], device[DOCTOR_TEXT_MAX];
	bool reader =
		strcasecmp(read_line(interface, "bInterfaceClass", class), CLASS_SMART_CARD) == 0;

	driver_of(interface, driver);
	if (!reader && !is_nfc_driver(driver))
		return false;
	describe(interface, device);
	check_driver(doctor, driver, device);
	if (reader && list[0])
		append(list, size, ", ");
	if (reader)
		append(list, size, device);
	return reader;
}

static void compare(struct doctor *doctor, size_t devices, const char *list)
{
	size_t shown = doctor_real_readers(doctor);

	if (devices == 0) {
		doctor_find(doctor, DOCTOR_NOTE, "no smart-card reader on the USB");
		if (doctor->reader_count == 0)
			doctor_advise(doctor, "plug one in; `lsusb` shows whether the machine sees "
					      "it");
	} else if (doctor->service_error) {
		doctor_find(doctor, DOCTOR_NOTE, "on the USB: %s", list);
	} else if (devices > shown) {
		doctor_find(doctor, DOCTOR_PROBLEM,
			    "on the USB: %s; but PC/SC shows %zu of these %zu readers", list, shown,
			    devices);
		doctor_advise(doctor, "plug it in again; if that does not help: sudo systemctl "
				      "restart pcscd, and see `journalctl -u pcscd`; a reader that "
				      "libccid does not know needs its maker's driver");
	} else {
		doctor_find(doctor, DOCTOR_OK, "on the USB: %s", list);
	}
}

void doctor_check_usb(struct doctor *doctor)
{
	char path[PATH_MAX], list[DOCTOR_TEXT_MAX / 2] = "";
	glob_t found;
	size_t devices = 0;

	if (access(doctor_path(doctor, "/sys/bus/usb/devices", path), R_OK) != 0) {
		doctor_find(doctor, DOCTOR_NOTE, "this machine shows no USB");
		doctor_advise(doctor, "in a container or virtual machine, hand the reader in from "
				      "its host");
		return;
	}
	doctor_path(doctor, "/sys/bus/usb/devices/*:*", path);
	if (glob(path, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			devices += check_interface(doctor, found.gl_pathv[i], list, sizeof list);
		globfree(&found);
	}
	compare(doctor, devices, list);
}
