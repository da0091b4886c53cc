/*
 * Metrics as Prometheus reads them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>

#include "metrics.h"

static void has(const char *text, const char *line)
{
	if (!strstr(text, line))
		fail_msg("no %s in:\n%s", line, text);
}

static void series_are_written_by_name(void **state)
{
	struct metrics *metrics = metrics_new();
	char *text;

	(void)state;
	metrics_count(metrics, "b", "x=\"2\"", 3);
	metrics_count(metrics, "b", "x=\"1\"", 1);
	metrics_gauge(metrics, "a", "", -7);
	metrics_count(metrics, "b", "x=\"2\"", 1);
	text = metrics_text(metrics);
	assert_string_equal(text, "# TYPE simtied_a gauge\nsimtied_a -7\n"
				  "# TYPE simtied_b_total counter\n"
				  "simtied_b_total{x=\"1\"} 1\nsimtied_b_total{x=\"2\"} 4\n");
	free(text);
	metrics_free(&metrics);
	assert_null(metrics);
}

static void histograms_are_cumulative(void **state)
{
	struct metrics *metrics = metrics_new();
	char *text;

	(void)state;
	metrics_time(metrics, "r", "", 1000);
	metrics_time(metrics, "r", "", 1001);
	metrics_time(metrics, "r", "", 20000000);
	text = metrics_text(metrics);
	has(text, "# TYPE simtied_r_seconds histogram\n");
	has(text, "simtied_r_seconds_bucket{le=\"0.001\"} 1\n");
	has(text, "simtied_r_seconds_bucket{le=\"0.002\"} 2\n");
	has(text, "simtied_r_seconds_bucket{le=\"10\"} 2\n");
	has(text, "simtied_r_seconds_bucket{le=\"+Inf\"} 3\n");
	has(text, "simtied_r_seconds_sum 20.002001\n");
	has(text, "simtied_r_seconds_count 3\n");
	free(text);
	metrics_free(&metrics);
}

static void histograms_may_have_labels(void **state)
{
	struct metrics *metrics = metrics_new();
	char *text;

	(void)state;
	metrics_time(metrics, "r", "k=\"v\"", 5);
	text = metrics_text(metrics);
	has(text, "simtied_r_seconds_bucket{k=\"v\",le=\"0.001\"} 1\n");
	has(text, "simtied_r_seconds_sum{k=\"v\"} 0.000005\n");
	free(text);
	metrics_free(&metrics);
}

static void *count_many(void *metrics)
{
	for (unsigned i = 0; i < 10000; i++) {
		metrics_count(metrics, "n", "", 1);
		metrics_time(metrics, "t", "", 1);
	}
	return NULL;
}

static void threads_lose_nothing(void **state)
{
	struct metrics *metrics = metrics_new();
	pthread_t threads[4];
	char *text;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, count_many, metrics);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	text = metrics_text(metrics);
	has(text, "simtied_n_total 40000\n");
	has(text, "simtied_t_seconds_count 40000\n");
	free(text);
	metrics_free(&metrics);
}

static void more_series_than_fit_are_left_out(void **state)
{
	static char names[600][8];
	struct metrics *metrics = metrics_new();
	char *text;

	(void)state;
	for (unsigned i = 0; i < 600; i++) {
		names[i][0] = 'm';
		for (unsigned j = 0; j < 4; j++)
			names[i][1 + j] = (char)('a' + (i >> (3 * j) & 7));
		metrics_count(metrics, names[i], "", 1);
	}
	metrics_count(metrics, names[0], "", 1);
	text = metrics_text(metrics);
	has(text, "simtied_maaaa_total 2\n");
	free(text);
	metrics_free(&metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(series_are_written_by_name),
		cmocka_unit_test(histograms_are_cumulative),
		cmocka_unit_test(histograms_may_have_labels),
		cmocka_unit_test(threads_lose_nothing),
		cmocka_unit_test(more_series_than_fit_are_left_out),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
