#include "trace_place.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int trace_place_make(void **state)
{
	struct trace_place *place = calloc(1, sizeof *place);

	assert_non_null(place);
	snprintf(place->folder, sizeof place->folder, "/tmp/test_trace.XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->path, sizeof place->path, "%s/trace", place->folder);
	*state = place;
	return 0;
}

int trace_place_remove(void **state)
{
	struct trace_place *place = *state;

	unlink(place->path);
	rmdir(place->folder);
	free(place);
	return 0;
}

void trace_place_load(struct trace_place *place)
{
	FILE *file = fopen(place->path, "rb");

	assert_non_null(file);
	place->len = fread(place->content, 1, TRACE_CONTENT_MAX - 1, file);
	place->content[place->len] = '\0';
	fclose(file);
}

bool trace_place_has(const struct trace_place *place, const char *text)
{
	return memmem(place->content, place->len, text, strlen(text)) != NULL;
}

void trace_place_send(struct trace_place *place, struct scripted script,
		      const char *const *commands, bool secrets)
{
	const struct simtie_options options = {.trace = place->path, .trace_secrets = secrets};
	struct simtie_session *session = scripted_session(&script, &options);

	for (; *commands; commands++) {
		uint8_t command[512], answer[512];
		size_t len = scripted_bytes(*commands, command, sizeof command), answer_len;

		assert_int_equal(simtie_transmit_raw(session, command, len, answer, sizeof answer,
						     &answer_len),
				 0);
	}
	assert_true(scripted_done(&script));
	simtie_close(&session);
	trace_place_load(place);
}
