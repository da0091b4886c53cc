/*
 * Which operator a number belongs to: the longest prefix of it that somebody has.
 *
 * The table is in order; of a number at most 15 prefixes are looked up, from the longest down. A
 * number that was ported still has its old prefix: its holder names her operator.
 */
#include "messenger.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX_MAX 15 /* digits (E.164 §6.1) */

static int order(const void *a, const void *b)
{
	const struct messenger_prefix *left = a, *right = b;

	return strcmp(left->digits, right->digits);
}

static bool is_prefix(const char *text)
{
	const size_t len = strlen(text);

	return len >= 2 && len <= PREFIX_MAX + 1 && text[0] == '+' && text[1] != '0' &&
	       strspn(text + 1, "0123456789") == len - 1;
}

bool messenger_route_sort(struct messenger *messenger, const char **wrong)
{
	struct messenger_prefix *prefixes = messenger->prefixes;

	for (size_t i = 0; i < messenger->prefix_count; i++) {
		*wrong = prefixes[i].digits;
		if (!is_prefix(*wrong))
			return false;
	}
	if (messenger->prefix_count > 0)
		qsort(prefixes, messenger->prefix_count, sizeof(*prefixes), order);
	for (size_t i = 1; i < messenger->prefix_count; i++) {
		*wrong = prefixes[i].digits;
		if (strcmp(prefixes[i - 1].digits, *wrong) == 0)
			return false;
	}
	*wrong = NULL;
	return true;
}

const struct messenger_operator *messenger_route(const struct messenger *messenger,
						 const char *number)
{
	char digits[PREFIX_MAX + 2] = "";
	const struct messenger_prefix key = {.digits = digits}, *found = NULL;

	strncpy(digits, number, sizeof(digits) - 1);
	for (size_t len = strlen(digits); len >= 2 && !found && messenger->prefix_count; len--) {
		digits[len] = '\0';
		found = bsearch(&key, messenger->prefixes, messenger->prefix_count, sizeof(key),
				order);
	}
	return found ? found->to : NULL;
}

const struct messenger_operator *messenger_operator(const struct messenger *messenger,
						    const char *name)
{
	for (size_t i = 0; i < messenger->operator_count; i++) {
		if (strcmp(messenger->operators[i].name, name) == 0)
			return &messenger->operators[i];
	}
	return NULL;
}
