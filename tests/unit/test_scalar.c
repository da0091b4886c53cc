/* Scalars modulo n against OpenSSL's big numbers, on random and on edge values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/bn.h>

#include "../../applet/crypto/scalar.h"

#define ROUNDS 2000

static const char order_hex[] = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";

static BIGNUM *order;

static void random_fill(uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(rand() >> 7);
}

/* An edge now and then: all zeros, all ones, n - 1, n, n + 1 in the low bytes. */
static void pick(uint8_t *out, size_t len, int round)
{
	random_fill(out, len);
	if (round % 8 == 0)
		memset(out, round % 16 ? 0 : 0xFF, len);
	if (round % 8 == 1) {
		BIGNUM *edge = BN_dup(order);

		BN_add_word(edge, (BN_ULONG)(round % 3));
		BN_sub_word(edge, 1);
		memset(out, 0, len);
		BN_bn2binpad(edge, out + len - 32, 32);
		BN_free(edge);
	}
}

static void reduce_agrees_with_openssl(void **state)
{
	BN_CTX *context = BN_CTX_new();
	uint8_t wide[SCALAR_WIDE_SIZE], ours[32], theirs[32];

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		BIGNUM *number = BN_new();

		pick(wide, sizeof wide, i);
		BN_bin2bn(wide, sizeof wide, number);
		BN_nnmod(number, number, order, context);
		BN_bn2binpad(number, theirs, sizeof theirs);
		scalar_reduce(wide, ours);
		assert_memory_equal(ours, theirs, sizeof ours);
		BN_free(number);
	}
	BN_CTX_free(context);
}

static void add_agrees_with_openssl(void **state)
{
	BN_CTX *context = BN_CTX_new();
	uint8_t wide[SCALAR_WIDE_SIZE], a[32], b[32], ours[32], theirs[32];

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		BIGNUM *x = BN_new(), *y = BN_new();

		pick(wide, sizeof wide, i);
		scalar_reduce(wide, a);
		pick(wide, sizeof wide, i / 8);
		scalar_reduce(wide, b);
		BN_bin2bn(a, sizeof a, x);
		BN_bin2bn(b, sizeof b, y);
		BN_mod_add(x, x, y, order, context);
		BN_bn2binpad(x, theirs, sizeof theirs);
		scalar_add(a, b, ours);
		assert_memory_equal(ours, theirs, sizeof ours);
		BN_free(x);
		BN_free(y);
	}
	BN_CTX_free(context);
}

static void valid_is_one_to_n_minus_one(void **state)
{
	uint8_t number[32] = {0};
	BIGNUM *edge = BN_dup(order);

	(void)state;
	assert_false(scalar_valid(number));
	number[31] = 1;
	assert_true(scalar_valid(number));
	BN_bn2binpad(edge, number, sizeof number);
	assert_false(scalar_valid(number));
	BN_sub_word(edge, 1);
	BN_bn2binpad(edge, number, sizeof number);
	assert_true(scalar_valid(number));
	memset(number, 0xFF, sizeof number);
	assert_false(scalar_valid(number));
	BN_free(edge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reduce_agrees_with_openssl),
		cmocka_unit_test(add_agrees_with_openssl),
		cmocka_unit_test(valid_is_one_to_n_minus_one),
	};
	int failed;

	BN_hex2bn(&order, order_hex);
	srand(1);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	BN_free(order);
	return failed;
}
