#include "tray.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Adds to a decimal number in place. False: it has too few digits. */
static bool count_up(char *digits, unsigned by)
{
	for (size_t i = strlen(digits); i-- > 0 && by > 0;) {
		unsigned sum = (unsigned)(digits[i] - '0') + by % 10;

		digits[i] = (char)('0' + sum % 10);
		by = by / 10 + sum / 10;
	}
	return by == 0;
}

const char *tray_open(struct tray *tray, unsigned count, const char *first, const char *folder)
{
	char last[ISSUER_DIGITS_MAX + 1];

	*tray = (struct tray){.count = count, .folder = folder};
	snprintf(tray->first, sizeof tray->first, "%s", first);
	snprintf(last, sizeof last, "%s", first);
	if (!count_up(last, count - 1))
		return "the ICCID cannot count up so far";
	if (folder && mkdir(folder, 0700) != 0 && errno != EEXIST)
		return "the folder for the cards' states cannot be made";
	tray->taken = mmap(NULL, sizeof *tray->taken, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return tray->taken == MAP_FAILED ? "no memory" : NULL;
}

bool tray_take(struct tray *tray, struct tray_card *card)
{
	unsigned number = __atomic_fetch_add(tray->taken, 1, __ATOMIC_SEQ_CST);
	int len = 0;

	if (number >= tray->count)
		return false;
	memcpy(card->iccid, tray->first, sizeof card->iccid);
	count_up(card->iccid, number);
	card->state[0] = '\0';
	if (tray->folder)
		len = snprintf(card->state, sizeof card->state, "%s/%s.state", tray->folder,
			       card->iccid);
	return len < (int)sizeof card->state;
}
