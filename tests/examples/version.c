/* Prints the version of the applet on the card. cc version.c $(pkg-config --cflags --libs simtie)
 */
#include <stdio.h>
#include <simtie.h>

int main(int argc, char **argv)
{
	const struct simtie_options options = {.reader = argc > 1 ? argv[1] : NULL};
	struct simtie_session *session;
	struct simtie_info info;
	int error = simtie_open(&options, &session);

	if (!error)
		error = simtie_select(session, &info);
	if (!error)
		printf("%u.%u.%u\n", info.version[0], info.version[1], info.version[2]);
	else
		fprintf(stderr, "version: %s\n", simtie_strerror(error));
	simtie_close(&session);
	return error != 0;
}
