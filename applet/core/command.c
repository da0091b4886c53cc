#include "command.h"

#define ROW(id, name, handler, cla, ins, p1, p1_count, p2, p2_count, lc_min, lc_max, lc_step,      \
	    flags, ...)                                                                            \
	{handler, cla, ins, p1, p2, p1_count, p2_count, lc_min, lc_max, lc_step, flags},
static const struct command_row rows[] = {COMMANDS(ROW)};
#undef ROW

/* The flag of a row that is known where an application is selected. */
static uint8_t flag_of(enum application selected)
{
	return (uint8_t)(COMMAND_DOMAIN << (selected - APPLICATION_DOMAIN));
}

const struct command_row *command_find(uint8_t cla, uint8_t ins, enum application selected)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if ((rows[i].cla == cla || rows[i].flags & COMMAND_ANY_CLASS) &&
		    rows[i].ins == ins && rows[i].flags & (COMMAND_CARD | flag_of(selected)))
			return &rows[i];
	return NULL;
}

bool command_answers(uint16_t sw)
{
	return sw == SW_OK || sw >> 8 == 0x62 || sw >> 8 == 0x63;
}

static bool among(uint8_t value, const char *values, uint8_t count)
{
	return count == 0 || memchr(values, value, count) != NULL;
}

bool command_parameters_allowed(const struct command_row *row, uint8_t p1, uint8_t p2)
{
	return among(p1, row->p1, row->p1_count) && among(p2, row->p2, row->p2_count);
}

bool command_length_allowed(const struct command_row *row, size_t lc)
{
	return lc >= row->lc_min && lc <= row->lc_max && (lc - row->lc_min) % row->lc_step == 0;
}
