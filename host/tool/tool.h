/*
 * The subcommands of simtie, one `*_main` and one file each, and what a program learns from them.
 *
 * Owns nothing. main.c's table is the only list of subcommands: help, completion and tests go by
 * it.
 */
#ifndef SIMTIE_TOOL_H
#define SIMTIE_TOOL_H

/* Exit codes, the same in every subcommand. */
enum tool_exit {
	TOOL_DONE = 0,
	TOOL_REFUSED = 1, /* by the card or the verifier */
	TOOL_USAGE = 2,   /* the command line is wrong */
	TOOL_NO_CARD = 3, /* no reader, no card, or none that can be used */
	TOOL_IO = 4,      /* input or output failed */
};

/* Each takes the arguments from its own name on and returns one of the above. */
int apdu_main(int argc, char **argv);
int attest_main(int argc, char **argv);
int ca_main(int argc, char **argv);
int conformance_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int info_main(int argc, char **argv);
int inspect_main(int argc, char **argv);
int log_main(int argc, char **argv);
int personalise_main(int argc, char **argv);
int pin_main(int argc, char **argv);
int provision_main(int argc, char **argv);
int readers_main(int argc, char **argv);
int records_main(int argc, char **argv);
int register_main(int argc, char **argv);
int verify_main(int argc, char **argv);

#endif
