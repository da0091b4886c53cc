/*
 * SCP11b with fixed keys, on both sides, and a card that lies. The values come from an independent
 * computation, in integers, of P-256, X9.63, AES and CMAC.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core_card.h"
#include "scp11.h"

#define POINT_AT 18 /* of the host's point in the request */

static const char host_ephemeral[] =
	"3CAC0E3D37EA97E23AE0F20623E3263C159AA90DF7FCF73D2B19628C1033369D";
static const char card_static[] =
	"57DBF6C79E5FA7ECB4E5F0EE44D067DB168CFACE05FABB84A9F61FDC487842E2";
static const char card_ephemeral[] =
	"06BA74D0E53D5CD9378359250C8487E024BD225849C136150A2D8E1F01971C44";
static const char card_point[] = "0431CA30D52A7881F288546B0F158F733EC4C951EB0C1A8C9ED3746ED281F3DE"
				 "59888FC34B1B68EE2C500477BB5615AE66D38095CDA5508E9C8FFA6724219F4E"
				 "EE";
static const char request[] = "A60D9002110095013C8001888101105F494104A0F4F2AA266223C1B7D05BF012"
			      "6AE65A480023E6DE7AE891BE6E2B7F0588596501DE30E131505E752C6113FA59"
			      "D74DD412A380A3271DAB0BADA5F753FD1FC6DE";
static const char answer[] = "5F49410411D24BBF3336F5EFB33B2D425F57F859654F7AAD9BCB0AA1B324DF37"
			     "5F0427A33AE9D7F3FA00D72159B58B5B8ABE529E725972EF76AEF235ABA4C743"
			     "2CB298708610031B6A872E93EBF7B8043A41B2526B91";
static const char enc[] = "F69DDB63632E7C5DBACAB0F11D305B08";
static const char mac[] = "F6C4B1187CE5305F2510623F498B0422";
static const char rmac[] = "15AD308238FCAB010A8E010FB9E313D9";
static const char wrapped[] = "0420000118F33AA86DAAD5D2DDBC94FABB1102AD5453D196E80C88D577";
static const char answer_mac[] = "DD1D814EB1E0A166";

#define BYTES(name) (sizeof(name) / 2)

static const char verify_pin[] = "0020000108" CORE_CARD_PIN;

static void hex(const char *text, uint8_t *out, size_t size)
{
	assert_int_equal(core_card_hex(text, out, size), size);
}

/* The host's side up to the answer. */
static void begin(struct scp11 *scp11)
{
	uint8_t key[SCP11_SCALAR_SIZE], command[SCP11_COMMAND_MAX], wanted[BYTES(request)];
	size_t len;

	hex(host_ephemeral, key, sizeof key);
	hex(request, wanted, sizeof wanted);
	assert_int_equal(scp11_begin(scp11, 1, key, command, &len), SCP03_OK);
	assert_int_equal(len, SCP11_COMMAND_MAX);
	assert_memory_equal(command, "\x81\x88\x01\x13\x53", 5);
	assert_memory_equal(command + 5, wanted, sizeof wanted);
}

/* What the host says to an answer of the card of this point. */
static enum scp03_result said(const uint8_t *point, struct bytes got, struct scp03 *scp)
{
	struct scp11 scp11;
	enum scp03_result result;

	begin(&scp11);
	result = scp11_answered(&scp11, point, got, SW_OK, scp);
	assert_int_equal(scp->state, result == SCP03_OK ? SCP03_STATE_OPEN : SCP03_STATE_NONE);
	for (size_t i = 0; i < sizeof scp11.ephemeral; i++)
		assert_int_equal(scp11.ephemeral[i], 0);
	return result;
}

static void host_agrees(void **state)
{
	(void)state;
	uint8_t point[BYTES(card_point)], got[BYTES(answer)], key[BYTES(enc)];
	uint8_t plain[BYTES(verify_pin)], wanted[BYTES(wrapped)], out[64], none[BYTES(answer_mac)];
	struct scp03 scp = {0};
	size_t len;

	hex(card_point, point, sizeof point);
	hex(answer, got, sizeof got);
	assert_int_equal(said(point, bytes_of(got, sizeof got), &scp), SCP03_OK);
	hex(enc, key, sizeof key);
	assert_memory_equal(scp.enc, key, sizeof key);
	hex(mac, key, sizeof key);
	assert_memory_equal(scp.mac, key, sizeof key);
	hex(rmac, key, sizeof key);
	assert_memory_equal(scp.rmac, key, sizeof key);
	hex(verify_pin, plain, sizeof plain);
	plain[0] |= 1; /* the channel */
	assert_int_equal(scp03_wrap(&scp, bytes_of(plain, sizeof plain), out, sizeof out, &len),
			 SCP03_OK);
	hex(wrapped, wanted, sizeof wanted);
	wanted[0] |= 1;
	assert_int_equal(len, sizeof wanted);
	assert_memory_equal(out, wanted, len);
	hex(answer_mac, none, sizeof none);
	assert_int_equal(
		scp03_unwrap(&scp, bytes_of(none, sizeof none), SW_OK, out, sizeof out, &len),
		SCP03_OK);
	assert_int_equal(len, 0);
	scp03_end(&scp);
}

static void card_agrees(void **state)
{
	(void)state;
	struct messaging session = {.level = SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC};
	uint8_t key[BYTES(card_static)], ephemeral[BYTES(card_ephemeral)];
	uint8_t asked[BYTES(request)], got[BYTES(answer)], wanted[BYTES(enc)];
	uint8_t command[BYTES(wrapped)], pin[BYTES(CORE_CARD_PIN)], sent[BYTES(answer_mac)],
		out[16];
	size_t len = sizeof command - 5;

	hex(card_static, key, sizeof key);
	hex(card_ephemeral, ephemeral, sizeof ephemeral);
	hex(request, asked, sizeof asked);
	hex(answer, got, sizeof got);
	assert_true(crypto_init());
	assert_true(messaging_agree(&session, key, ephemeral, bytes_of(asked, sizeof asked),
				    bytes_of(got, sizeof got - 2 - LIMIT_RECEIPT_SIZE)));
	assert_memory_equal(session.chaining, got + sizeof got - LIMIT_RECEIPT_SIZE,
			    LIMIT_RECEIPT_SIZE);
	hex(enc, wanted, sizeof wanted);
	assert_memory_equal(session.enc, wanted, sizeof wanted);
	hex(mac, wanted, sizeof wanted);
	assert_memory_equal(session.mac, wanted, sizeof wanted);
	hex(rmac, wanted, sizeof wanted);
	assert_memory_equal(session.rmac, wanted, sizeof wanted);
	hex(wrapped, command, sizeof command);
	assert_int_equal(messaging_unwrap(&session, command, command + 5, &len), MESSAGING_RIGHT);
	hex(CORE_CARD_PIN, pin, sizeof pin);
	assert_int_equal(len, sizeof pin);
	assert_memory_equal(command + 5, pin, len);
	len = 0;
	assert_true(messaging_wrap(&session, SW_OK, out, sizeof out, &len));
	hex(answer_mac, sent, sizeof sent);
	assert_int_equal(len, sizeof sent);
	assert_memory_equal(out, sent, len);
	asked[POINT_AT + 1] ^= 1; /* off the curve */
	assert_false(messaging_agree(&session, key, ephemeral, bytes_of(asked, sizeof asked),
				     bytes_of(got, 3)));
}

/* Every byte of the answer counts. */
static void altered_answers_are_refused(void **state)
{
	(void)state;
	uint8_t point[BYTES(card_point)], got[BYTES(answer)];
	struct scp03 scp = {0};

	hex(card_point, point, sizeof point);
	for (size_t at = 0; at < sizeof got; at++) {
		enum scp03_result wanted = SCP03_MALFORMED;

		hex(answer, got, sizeof got);
		got[at] ^= 1;
		if (at >= 3 && at < 3 + LIMIT_POINT_SIZE)
			wanted = SCP03_POINT;
		else if (at >= sizeof got - LIMIT_RECEIPT_SIZE)
			wanted = SCP03_RECEIPT;
		assert_int_equal(said(point, bytes_of(got, sizeof got), &scp), wanted);
	}
	hex(answer, got, sizeof got);
	assert_int_equal(said(point, bytes_of(got, sizeof got - 1), &scp), SCP03_MALFORMED);
	assert_int_equal(said(point, bytes_of(got, 0), &scp), SCP03_MALFORMED);
}

/* An answer to the same request by who has another key than the certificate says. */
static void another_card_is_refused(void **state)
{
	(void)state;
	uint8_t point[BYTES(card_point)], got[BYTES(answer)];
	struct scp03 scp = {0};
	struct scp11 scp11;

	hex(answer, got, sizeof got);
	memcpy(point, got + 3, sizeof point); /* some point, and no card's */
	assert_int_equal(said(point, bytes_of(got, sizeof got), &scp), SCP03_RECEIPT);
	memset(point, 1, sizeof point);
	assert_int_equal(said(point, bytes_of(got, sizeof got), &scp), SCP03_POINT);
	begin(&scp11);
	assert_int_equal(scp11_answered(&scp11, point, bytes_of(NULL, 0), SW_WRONG_DATA, &scp),
			 SCP03_REFUSED);
	assert_int_equal(scp11_answered(&scp11, point, bytes_of(got, sizeof got), SW_OK, &scp),
			 SCP03_ORDER);
}

static void keys_that_are_none_are_refused(void **state)
{
	(void)state;
	uint8_t key[SCP11_SCALAR_SIZE] = {0}, other[SCP11_SCALAR_SIZE];
	uint8_t command[SCP11_COMMAND_MAX];
	struct scp11 scp11;
	size_t len;

	assert_int_equal(scp11_begin(&scp11, 0, key, command, &len), SCP03_FAILED);
	memset(key, 0xFF, sizeof key);
	assert_int_equal(scp11_begin(&scp11, 0, key, command, &len), SCP03_FAILED);
	assert_int_equal(scp11_draw(key), SCP03_OK);
	assert_int_equal(scp11_draw(other), SCP03_OK);
	assert_memory_not_equal(key, other, sizeof key);
	assert_int_equal(scp11_begin(&scp11, 0, key, command, &len), SCP03_OK);
	assert_int_equal(scp11_begin(&scp11, LIMIT_CHANNELS, key, command, &len), SCP03_ARGUMENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_agrees),
		cmocka_unit_test(card_agrees),
		cmocka_unit_test(altered_answers_are_refused),
		cmocka_unit_test(another_card_is_refused),
		cmocka_unit_test(keys_that_are_none_are_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
