/*
 * NFC devices, which PC/SC knows nothing of.
 */
#include "doctor.h"

#include "output.h"
#include "port/nfc/claim.h"

#include <stdio.h>
#include <string.h>

#define SERIAL "a serial one is not looked for: name it, --reader nfc:pn532_uart:/dev/ttyUSB0"

void doctor_check_nfc(struct doctor *doctor)
{
	nfc_connstring devices[CLAIM_DEVICES_MAX];
	char name[DOCTOR_TEXT_MAX / 2];
	size_t count;

	if (doctor->root[0]) /* libnfc looks at this machine, whatever it is told */
		return;
	count = claim_list(devices);
	for (size_t i = 0; i < count; i++) {
		doctor_find(doctor, DOCTOR_OK, "an NFC device: nfc:%s",
			    output_safe(devices[i], name, sizeof name));
		doctor_advise(doctor, "to use it: --reader nfc:%s", name);
	}
	if (count > 0)
		return;
	doctor_find(doctor, DOCTOR_NOTE, "libnfc finds no NFC device");
	doctor_advise(doctor, SERIAL);
}
