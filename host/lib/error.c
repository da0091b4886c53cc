#include "contract.h"
#include "simtie.h"

const char *simtie_version(void)
{
	return SIMTIE_VERSION;
}

const char *simtie_strerror(int error)
{
	switch ((enum simtie_error)error) {
	case SIMTIE_OK:
		return "done";
	case SIMTIE_ERR_ARGUMENT:
		return "a value is out of its range";
	case SIMTIE_ERR_MEMORY:
		return "out of memory, or the answer is larger than the room for it";
	case SIMTIE_ERR_SERVICE:
		return "the PC/SC service does not answer; start it with `systemctl restart pcscd` "
		       "(package pcscd)";
	case SIMTIE_ERR_ACCESS:
		return "the PC/SC service refuses this user; allow it by a polkit rule for "
		       "org.debian.pcsc-lite.access_pcsc and access_card, or try as root";
	case SIMTIE_ERR_NO_READER:
		return "there is no such reader; plug one in, or see which there are with "
		       "`simtie readers`";
	case SIMTIE_ERR_AMBIGUOUS:
		return "several readers fit; choose one with --reader, by index or by name, from "
		       "`simtie readers`";
	case SIMTIE_ERR_NO_CARD:
		return "the reader is empty; put the card in";
	case SIMTIE_ERR_BUSY:
		return "another program is using the card; end it, or try again later";
	case SIMTIE_ERR_MUTE:
		return "the card does not answer to power-on, or not in the protocol asked for; "
		       "take "
		       "it out, turn it round, clean its contacts";
	case SIMTIE_ERR_GONE:
		return "reader, card or PC/SC service went away during the work; put the card back "
		       "and start again";
	case SIMTIE_ERR_TIMEOUT:
		return "no answer in time; take the card out and put it in again";
	case SIMTIE_ERR_TRANSPORT:
		return "the line to the card failed; take the card out, put it in again, try once "
		       "more";
	case SIMTIE_ERR_PROTOCOL:
		return "the card's answer breaks its standard; a trace (--trace) shows where";
	case SIMTIE_ERR_ENDLESS:
		return "the card asks for more and more exchanges; a trace (--trace) shows which";
	case SIMTIE_ERR_NO_APPLET:
		return "this card does not carry simtie; try another card or reader";
	case SIMTIE_ERR_CARD:
		return "the card refused; its status word says why";
	case SIMTIE_ERR_STATE:
		return "the virtual card's state file was refused; restore it, or begin a new one "
		       "with `simtie-card --reset`";
	case SIMTIE_ERR_FILE:
		return "a file could not be read or written";
	case SIMTIE_ERR_FORMAT:
		return "the file's content is not what its format asks for";
	case SIMTIE_ERR_SECURE:
		return "the secure channel could not be opened, or broke; reset the card and open "
		       "it anew with the card's keys";
	}
	return "unknown error";
}

const char *simtie_sw_text(uint16_t sw)
{
	static const struct {
		uint16_t value, mask;
		const char *text;
	} rows[] = {
#define ROW(name, value, mask, text, advice)                                                       \
	{value, mask, sizeof(advice) > 1 ? text ". " advice : text},
		STATUS_WORDS(ROW)
#undef ROW
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if ((sw & rows[i].mask) == rows[i].value)
			return rows[i].text;
	return "unknown status word";
}
