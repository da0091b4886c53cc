/*
 * report.html: one self-contained file about one run.
 */
#include "provision.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "markup.h"
#include "output.h"

#define PATH_MAX_REPORT 4096

#define PLOT_LEFT  320 /* pixels: where the bars begin */
#define PLOT_WIDTH 560
#define ROW_HEIGHT 26

static const char style[] =
	"<style>body{font:15px/1.45 system-ui,sans-serif;margin:2rem "
	"auto;max-width:62rem;padding:0 1rem;"
	"color:#1b1f24;background:#fff}h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}"
	"table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .6rem;"
	"border-bottom:1px solid #d0d7de;vertical-align:top}th{font-weight:600}"
	"td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.bad{color:#a40e26}"
	".all{fill:#9ec5e8}.card{fill:#2f6fab}.whisker{stroke:#1b1f24;stroke-width:1.5}"
	"text{font:13px system-ui,sans-serif;fill:#1b1f24}"
	"@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}"
	"td,th{border-color:#30363d}text{fill:#e6edf3}.whisker{stroke:#e6edf3}.bad{color:#ff7b72}"
	".all{fill:#31537a}.card{fill:#79b8f3}}</style>";

static void put_time(FILE *out, time_t when)
{
	char text[32];
	struct tm utc;

	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&when, &utc));
	fputs(text, out);
}

/* ---- Numbers ---- */

struct spread {
	size_t count;
	uint32_t least, median, most;
	uint32_t card_median; /* of the part that card and reader took */
};

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t median(uint32_t *values, size_t count)
{
	if (count == 0)
		return 0;
	qsort(values, count, sizeof *values, compare);
	return values[count / 2];
}

/* Over the cards that are done. `values` has room for all of them. */
static struct spread spread_of(const struct provision_card *cards, size_t count, int step,
			       uint32_t *values)
{
	struct spread spread = {0};

	for (size_t i = 0; i < count; i++)
		if (cards[i].outcome == PROVISION_DONE && cards[i].micros[step] > 0)
			values[spread.count++] = cards[i].card_micros[step];
	spread.card_median = median(values, spread.count);
	spread.count = 0;
	for (size_t i = 0; i < count; i++)
		if (cards[i].outcome == PROVISION_DONE && cards[i].micros[step] > 0)
			values[spread.count++] = cards[i].micros[step];
	spread.median = median(values, spread.count);
	if (spread.count > 0) {
		spread.least = values[0];
		spread.most = values[spread.count - 1];
	}
	return spread;
}

/* ---- Parts of the page ---- */

static void put_bar(FILE *out, unsigned row, int step, const struct spread *spread, double scale)
{
	unsigned y = 10 + row * ROW_HEIGHT;
	unsigned middle = y + ROW_HEIGHT / 2 - 4;

	fprintf(out, "<text x=\"0\" y=\"%u\">", middle + 4);
	markup_text(out, provision_step_text((enum provision_step)step));
	fprintf(out,
		"</text><rect class=\"all\" x=\"%d\" y=\"%u\" width=\"%.1f\" height=\"%d\"/>"
		"<rect class=\"card\" x=\"%d\" y=\"%u\" width=\"%.1f\" height=\"%d\"/>"
		"<line class=\"whisker\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%u\" y2=\"%u\"/>"
		"<text x=\"%.1f\" y=\"%u\">%.1f ms</text>\n",
		PLOT_LEFT, y, spread->median * scale, ROW_HEIGHT - 8, PLOT_LEFT, y,
		spread->card_median * scale, ROW_HEIGHT - 8, PLOT_LEFT + spread->least * scale,
		PLOT_LEFT + spread->most * scale, middle, middle,
		PLOT_LEFT + spread->most * scale + 6, middle + 4, spread->median / 1000.0);
}

/* Bars of the medians, the card's share dark, a line from the least to the most. */
static void put_plot(FILE *out, const struct provision_card *cards, size_t count)
{
	uint32_t *values = calloc(count ? count : 1, sizeof *values);
	struct spread spreads[PROVISION_STEPS_COUNT];
	uint32_t most = 1;
	unsigned row = 0;

	if (!values)
		return;
	for (int step = PROVISION_IDENTIFY; step < PROVISION_STEPS_COUNT; step++) {
		spreads[step] = spread_of(cards, count, step, values);
		if (spreads[step].most > most)
			most = spreads[step].most;
	}
	free(values);
	fprintf(out, "<h2>Time of each step</h2>\n<p>Median of the cards done; dark: what card and "
		     "reader took of it; line: least to most.</p>\n");
	fprintf(out, "<svg viewBox=\"0 0 %d %d\" width=\"100%%\" role=\"img\">\n",
		PLOT_LEFT + PLOT_WIDTH + 90, 20 + ROW_HEIGHT * (PROVISION_STEPS_COUNT - 1));
	for (int step = PROVISION_IDENTIFY; step < PROVISION_STEPS_COUNT; step++)
		put_bar(out, row++, step, &spreads[step], (double)PLOT_WIDTH / most);
	fputs("</svg>\n", out);
}

static void put_failures(FILE *out, const struct provision_card *cards, size_t count, size_t failed)
{
	if (failed == 0)
		return;
	fputs("<h2>Failures</h2>\n<table><tr><th>ICCID<th>reader<th>at<th>reason<th>remedy</tr>\n",
	      out);
	for (size_t i = 0; i < count; i++) {
		if (cards[i].outcome != PROVISION_FAILED)
			continue;
		fputs("<tr><td>", out);
		markup_text(out, cards[i].iccid[0] ? cards[i].iccid : "none");
		fputs("<td>", out);
		markup_text(out, cards[i].reader);
		fputs("<td>", out);
		markup_text(out, provision_step_text(cards[i].step));
		fputs("<td class=\"bad\">", out);
		markup_text(out, cards[i].reason);
		fputs("<td>", out);
		markup_text(out, cards[i].remedy);
		fputs("</tr>\n", out);
	}
	fputs("</table>\n", out);
}

static void put_cards(FILE *out, const struct provision_card *cards, size_t count)
{
	fputs("<h2>Cards</h2>\n<table><tr><th>ICCID<th>outcome<th>reader<th class=\"n\">commands"
	      "<th class=\"n\">time<th></tr>\n",
	      out);
	for (size_t i = 0; i < count; i++) {
		static const char *const words[] = {
			[PROVISION_DONE] = "done",
			[PROVISION_FAILED] = "failed",
			[PROVISION_SKIPPED] = "skipped",
		};
		uint64_t micros = 0;

		for (int step = PROVISION_IDENTIFY; step < PROVISION_STEPS_COUNT; step++)
			micros += cards[i].micros[step];
		fputs("<tr><td>", out);
		markup_text(out, cards[i].iccid[0] ? cards[i].iccid : "none");
		fprintf(out, "<td>%s<td>", words[cards[i].outcome]);
		markup_text(out, cards[i].reader);
		fprintf(out, "<td class=\"n\">%u<td class=\"n\">%.2f s<td>%s%s</tr>\n",
			cards[i].commands, (double)micros / 1e6, cards[i].resumed ? "resumed " : "",
			cards[i].test_keys ? "test keys" : "");
	}
	fputs("</table>\n", out);
}

static void put_head(FILE *out, const struct provision_plan *plan, time_t began, time_t ended,
		     size_t done, size_t failed)
{
	size_t all = plan->done_before + done;

	fprintf(out,
		"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
		"<meta name=\"viewport\" content=\"width=device-width\">"
		"<title>simtie: tray report</title>%s</head><body>\n<h1>Tray ",
		style);
	markup_text(out, plan->tray);
	fprintf(out,
		"</h1>\n<p>%zu of %zu SIMs done: %zu in this run, %zu before; %zu failed, %zu "
		"left.</p>\n<p>",
		all, plan->rows, done, plan->done_before, failed,
		plan->rows > all ? plan->rows - all : 0);
	put_time(out, began);
	fputs(" to ", out);
	put_time(out, ended);
	fprintf(out, ", %zu reader%s.", plan->reader_count, plan->reader_count == 1 ? "" : "s");
	if (plan->test_keys)
		fputs(" <strong class=\"bad\">Known test keys were allowed: not for "
		      "production.</strong>",
		      out);
	fputs("</p>\n", out);
}

static int save(const struct provision_plan *plan, const char *page, size_t len)
{
	char path[PATH_MAX_REPORT];

	if (snprintf(path, sizeof path, "%s/report.html", plan->out) >= (int)sizeof path) {
		errno = ENAMETOOLONG;
		return SIMTIE_ERR_FILE;
	}
	return output_file(path, page, len) == 0 ? 0 : SIMTIE_ERR_FILE;
}

int report_write(const struct provision_plan *plan, const struct provision_card *cards,
		 size_t count, time_t began, time_t ended)
{
	size_t done = 0, failed = 0, len;
	char *page = NULL;
	FILE *out = open_memstream(&page, &len);
	int error;

	if (!out)
		return SIMTIE_ERR_FILE;
	for (size_t i = 0; i < count; i++) {
		done += cards[i].outcome == PROVISION_DONE;
		failed += cards[i].outcome == PROVISION_FAILED;
	}
	put_head(out, plan, began, ended, done, failed);
	put_failures(out, cards, count, failed);
	put_plot(out, cards, count);
	put_cards(out, cards, count);
	fputs("</body></html>\n", out);
	error = fclose(out) == 0 ? save(plan, page, len) : SIMTIE_ERR_FILE;
	free(page);
	return error;
}
