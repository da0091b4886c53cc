/*
 * Test results as JUnit XML, the form that build servers read.
 *
 * Owns the XML. Refuses characters that XML 1.0 has no place for: they become '?'.
 */
#ifndef SIMTIE_TOOL_JUNIT_H
#define SIMTIE_TOOL_JUNIT_H

#include <stdio.h>

struct junit_suite {
	const char *name;
	unsigned tests, failures, skipped;
	double seconds;
};

/* The suite's head; a property each; then the cases; the end. In this order. */
void junit_begin(FILE *out, const struct junit_suite *suite);
void junit_property(FILE *out, const char *name, const char *value);
void junit_cases(FILE *out);

enum junit_outcome { JUNIT_PASSED, JUNIT_FAILED, JUNIT_SKIPPED };

/* `text` is why it failed or was skipped. */
void junit_case(FILE *out, const char *group, const char *name, enum junit_outcome outcome,
		double seconds, const char *text);
void junit_end(FILE *out);

#endif
