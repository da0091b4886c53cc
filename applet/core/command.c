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

static bool among(uint8_t value, const char *values, uint8_t count)
{
	return count == 0 || memchr(values, value, count) != NULL;
}

const struct command_row *command_find(uint8_t cla, uint8_t ins, uint8_t p2,
				       enum application selected)
{
	const struct command_row *found = NULL;

	for (const struct command_row *row = rows; row < rows + sizeof rows / sizeof *rows; row++)
		if ((row->cla == cla || row->flags & COMMAND_ANY_CLASS) && row->ins == ins &&
		    row->flags & (COMMAND_CARD | flag_of(selected)) &&
		    (!found || among(p2, row->p2, row->p2_count)))
			found = row;
	return found;
}

bool command_answers(uint16_t sw)
{
	return sw == SW_OK || sw >> 8 == 0x62 || sw >> 8 == 0x63;
}

bool command_parameters_allowed(const struct command_row *row, uint8_t p1, uint8_t p2)
{
	return among(p1, row->p1, row->p1_count) && among(p2, row->p2, row->p2_count);
}

bool command_length_allowed(const struct command_row *row, size_t lc)
{
	return lc >= row->lc_min && lc <= row->lc_max && (lc - row->lc_min) % row->lc_step == 0;
}
