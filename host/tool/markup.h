/*
 * Text from outside in XML and HTML.
 */
#ifndef SIMTIE_TOOL_MARKUP_H
#define SIMTIE_TOOL_MARKUP_H

#include <stdio.h>

/* Writes text that may stand between tags, or in an attribute's double quotes; what a terminal
 * could not show safely (output_safe()) is replaced. */
void markup_text(FILE *out, const char *text);

#endif
