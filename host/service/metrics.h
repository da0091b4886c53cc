/*
 * Counters, gauges and histograms in Prometheus's text format (0.0.4).
 *
 * Owns the numbers; every function is safe from any thread and takes no lock on the way of a
 * request. Refuses labels that come from outside: label values are literals of this program.
 */
#ifndef SIMTIE_SERVICE_METRICS_H
#define SIMTIE_SERVICE_METRICS_H

#include <stdint.h>

struct metrics;

struct metrics *metrics_new(void);
void metrics_free(struct metrics **metrics);

/* Adds to simtied_NAME_total{LABELS}; all string literals. `labels` as `outcome="verified"` or "".
 */
void metrics_count(struct metrics *metrics, const char *name, const char *labels, uint64_t n);

/* Sets simtied_NAME{LABELS}. */
void metrics_gauge(struct metrics *metrics, const char *name, const char *labels, int64_t value);

/* Observes into simtied_NAME_seconds{LABELS}, buckets of 1 ms to 10 s. */
void metrics_time(struct metrics *metrics, const char *name, const char *labels, int64_t micros);

/* The text, malloc()ed; NULL: out of memory. */
char *metrics_text(struct metrics *metrics);

#endif
