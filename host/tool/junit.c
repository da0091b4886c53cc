#include "junit.h"

#include "markup.h"

static void put_attribute(FILE *out, const char *name, const char *value)
{
	fprintf(out, " %s=\"", name);
	markup_text(out, value);
	fputc('"', out);
}

void junit_begin(FILE *out, const struct junit_suite *suite)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite", out);
	put_attribute(out, "name", suite->name);
	fprintf(out, " tests=\"%u\" failures=\"%u\" errors=\"0\" skipped=\"%u\" time=\"%.3f\">\n",
		suite->tests, suite->failures, suite->skipped, suite->seconds);
	fputs("<properties>\n", out);
}

void junit_property(FILE *out, const char *name, const char *value)
{
	fputs("<property", out);
	put_attribute(out, "name", name);
	put_attribute(out, "value", value);
	fputs("/>\n", out);
}

void junit_cases(FILE *out)
{
	fputs("</properties>\n", out);
}

void junit_case(FILE *out, const char *group, const char *name, enum junit_outcome outcome,
		double seconds, const char *text)
{
	fputs("<testcase", out);
	put_attribute(out, "classname", group);
	put_attribute(out, "name", name);
	fprintf(out, " time=\"%.3f\"", seconds);
	if (outcome == JUNIT_PASSED) {
		fputs("/>\n", out);
		return;
	}
	fprintf(out, "><%s", outcome == JUNIT_FAILED ? "failure" : "skipped");
	put_attribute(out, "message", text);
	fputs("/></testcase>\n", out);
}

void junit_end(FILE *out)
{
	fputs("</testsuite>\n</testsuites>\n", out);
}
