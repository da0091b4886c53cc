/*
 * The numbers: one slot a series, found by its literals, taken once and never given back.
 *
 * A slot's pointer goes from NULL to its series by one compare-and-swap; after that all are plain
 * atomic additions.
 */
#include "metrics.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS   512 /* a power of two, many times what the program has */
#define BUCKETS 13

/* Upper bounds in microseconds, and as they are written. */
static const struct {
	int64_t micros;
	const char *text;
} bounds[BUCKETS] = {
	{1000, "0.001"}, {2000, "0.002"}, {5000, "0.005"},  {10000, "0.01"}, {20000, "0.02"},
	{50000, "0.05"}, {100000, "0.1"}, {200000, "0.2"},  {500000, "0.5"}, {1000000, "1"},
	{2000000, "2"},  {5000000, "5"},  {10000000, "10"},
};

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct series {
	enum kind kind;
	const char *name, *labels;
	_Atomic int64_t value; /* of a histogram: the sum, microseconds */
	_Atomic uint64_t count;
	_Atomic uint64_t buckets[BUCKETS];
};

struct metrics {
	struct series *_Atomic slots[SLOTS];
};

struct metrics *metrics_new(void)
{
	return calloc(1, sizeof(struct metrics));
}

void metrics_free(struct metrics **metrics)
{
	if (!*metrics)
		return;
	for (unsigned i = 0; i < SLOTS; i++)
		free(atomic_load(&(*metrics)->slots[i]));
	free(*metrics);
	*metrics = NULL;
}

/* FNV-1a */
static uint32_t hash(uint32_t seed, const char *text)
{
	for (; *text; text++)
		seed = (seed ^ (unsigned char)*text) * 16777619U;
	return seed;
}

static bool is(const struct series *series, enum kind kind, const char *name, const char *labels)
{
	return series->kind == kind && strcmp(series->name, name) == 0 &&
	       strcmp(series->labels, labels) == 0;
}

/* NULL: out of memory or slots; then it is not counted, and nothing else suffers. */
static struct series *find(struct metrics *metrics, enum kind kind, const char *name,
			   const char *labels)
{
	uint32_t at = hash(hash(2166136261U + kind, name), labels);
	struct series *fresh = NULL, *there;

	for (unsigned i = 0; i < SLOTS; i++) {
		struct series *_Atomic *slot = &metrics->slots[(at + i) % SLOTS];

		there = atomic_load_explicit(slot, memory_order_acquire);
		if (!there) {
			if (!fresh)
				fresh = calloc(1, sizeof(*fresh));
			if (!fresh)
				return NULL;
			fresh->kind = kind;
			fresh->name = name;
			fresh->labels = labels;
			if (atomic_compare_exchange_strong(slot, &there, fresh))
				return fresh;
		}
		if (is(there, kind, name, labels)) {
			free(fresh);
			return there;
		}
	}
	free(fresh);
	return NULL;
}

void metrics_count(struct metrics *metrics, const char *name, const char *labels, uint64_t n)
{
	struct series *series = find(metrics, COUNTER, name, labels);

	if (series)
		atomic_fetch_add_explicit(&series->count, n, memory_order_relaxed);
}

void metrics_gauge(struct metrics *metrics, const char *name, const char *labels, int64_t value)
{
	struct series *series = find(metrics, GAUGE, name, labels);

	if (series)
		atomic_store_explicit(&series->value, value, memory_order_relaxed);
}

void metrics_time(struct metrics *metrics, const char *name, const char *labels, int64_t micros)
{
	struct series *series = find(metrics, HISTOGRAM, name, labels);

	if (!series)
		return;
	for (unsigned i = 0; i < BUCKETS; i++) {
		if (micros <= bounds[i].micros) {
			atomic_fetch_add_explicit(&series->buckets[i], 1, memory_order_relaxed);
			break;
		}
	}
	atomic_fetch_add_explicit(&series->value, micros, memory_order_relaxed);
	atomic_fetch_add_explicit(&series->count, 1, memory_order_relaxed);
}

static int by_name(const void *a, const void *b)
{
	const struct series *x = *(struct series *const *)a, *y = *(struct series *const *)b;
	int order = strcmp(x->name, y->name);

	if (order == 0)
		order = (int)x->kind - (int)y->kind;
	return order ? order : strcmp(x->labels, y->labels);
}

static void write_histogram(FILE *out, struct series *series)
{
	const char *labels = series->labels, *comma = *labels ? "," : "";
	const char *open = *labels ? "{" : "", *close = *labels ? "}" : "";
	int64_t sum = atomic_load(&series->value);
	uint64_t below = 0, all = atomic_load(&series->count);

	for (unsigned i = 0; i < BUCKETS; i++) {
		below += atomic_load(&series->buckets[i]);
		fprintf(out, "simtied_%s_seconds_bucket{%s%sle=\"%s\"} %llu\n", series->name,
			labels, comma, bounds[i].text, (unsigned long long)below);
	}
	/* Read while others add: what is over all buckets is never less than what is in them. */
	if (all < below)
		all = below;
	fprintf(out, "simtied_%s_seconds_bucket{%s%sle=\"+Inf\"} %llu\n", series->name, labels,
		comma, (unsigned long long)all);
	fprintf(out, "simtied_%s_seconds_sum%s%s%s %lld.%06lld\n", series->name, open, labels,
		close, (long long)(sum / 1000000), (long long)(sum % 1000000));
	fprintf(out, "simtied_%s_seconds_count%s%s%s %llu\n", series->name, open, labels, close,
		(unsigned long long)all);
}

static void write_series(FILE *out, struct series *series, bool first)
{
	static const char *const suffixes[] = {"_total", "", "_seconds"};
	static const char *const types[] = {"counter", "gauge", "histogram"};
	const char *open = *series->labels ? "{" : "", *close = *series->labels ? "}" : "";

	if (first)
		fprintf(out, "# TYPE simtied_%s%s %s\n", series->name, suffixes[series->kind],
			types[series->kind]);
	switch (series->kind) {
	case COUNTER:
		fprintf(out, "simtied_%s_total%s%s%s %llu\n", series->name, open, series->labels,
			close, (unsigned long long)atomic_load(&series->count));
		break;
	case GAUGE:
		fprintf(out, "simtied_%s%s%s%s %lld\n", series->name, open, series->labels, close,
			(long long)atomic_load(&series->value));
		break;
	case HISTOGRAM:
		write_histogram(out, series);
		break;
	}
}

char *metrics_text(struct metrics *metrics)
{
	struct series *all[SLOTS];
	size_t count = 0, size;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (unsigned i = 0; i < SLOTS; i++) {
		all[count] = atomic_load_explicit(&metrics->slots[i], memory_order_acquire);
		count += all[count] != NULL;
	}
	qsort(all, count, sizeof(struct series *), by_name);
	for (size_t i = 0; i < count; i++)
		write_series(out, all[i],
			     i == 0 || strcmp(all[i]->name, all[i - 1]->name) != 0 ||
				     all[i]->kind != all[i - 1]->kind);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
