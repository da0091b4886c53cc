/* Sentences: one for each error and each status word, and each its own. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "contract.h"
#include "simtie.h"

static void every_error_has_its_own(void **state)
{
	const char *unknown = simtie_strerror(1);

	(void)state;
	assert_string_equal(unknown, "unknown error");
	assert_string_equal(simtie_strerror(SIMTIE_ERR_SECURE - 1), unknown);
	for (int a = SIMTIE_OK; a >= SIMTIE_ERR_SECURE; a--) {
		assert_string_not_equal(simtie_strerror(a), unknown);
		for (int b = SIMTIE_OK; b > a; b--)
			assert_string_not_equal(simtie_strerror(a), simtie_strerror(b));
	}
}

/* What the user can do about it. */
static void advice(void **state)
{
	(void)state;
	assert_non_null(strstr(simtie_strerror(SIMTIE_ERR_SERVICE), "systemctl"));
	assert_non_null(strstr(simtie_strerror(SIMTIE_ERR_ACCESS), "polkit"));
	assert_non_null(strstr(simtie_strerror(SIMTIE_ERR_AMBIGUOUS), "--reader"));
	assert_non_null(strstr(simtie_strerror(SIMTIE_ERR_STATE), "simtie-card --reset"));
}

static void every_status_word(void **state)
{
	static const struct {
		uint16_t value, mask;
		const char *text, *advice;
	} rows[] = {
#define ROW(name, value, mask, text, advice) {value, mask, text, advice},
		STATUS_WORDS(ROW)
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *text = simtie_sw_text(rows[i].value);

		assert_int_equal(strncmp(text, rows[i].text, strlen(rows[i].text)), 0);
		assert_non_null(strstr(text, rows[i].advice));
		assert_true(rows[i].advice[0] || strcmp(text, rows[i].text) == 0);
		/* Whatever number stands in it. */
		assert_ptr_equal(simtie_sw_text(rows[i].value | (uint16_t)~rows[i].mask), text);
	}
	assert_string_equal(simtie_sw_text(0x1234), "unknown status word");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_has_its_own),
		cmocka_unit_test(advice),
		cmocka_unit_test(every_status_word),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
