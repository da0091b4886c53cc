#include "markup.h"

#include <stdlib.h>
#include <string.h>

#include "output.h"

void markup_text(FILE *out, const char *text)
{
	size_t size = strlen(text) + 1;
	char *safe = malloc(size);

	if (!safe)
		return;
	for (const char *p = output_safe(text, safe, size); *p; p++) {
		switch (*p) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*p, out);
		}
	}
	free(safe);
}
