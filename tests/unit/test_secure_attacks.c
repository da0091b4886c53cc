/*
 * Commands of an SCP03 session in an attacker's hands: replayed, reordered, cut, lengthened, with
 * one bit changed, on another channel, in clear, in another session. None is carried out, none
 * writes, and a wrong MAC ends the session.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core_card.h"

/* Carried out in this order; chained, with data and without, one that ends the applet's life. */
static const char *const plain[] = {
	"80 E2 90 00 0C 5A 0A 98881122334455667788", "00 CA 9F 21 00", "90 E2 90 00 03 5A 0A 98",
	"80 E2 90 00 09 891122334455667788",         "80 F0 40 0F",
};
#define COMMANDS_COUNT (sizeof plain / sizeof *plain)
#define WRAPPED_MAX    64

static const uint8_t levels[] = {0x01, 0x03, 0x11, 0x13, 0x33};

/* The card just before each command, and each command as the host wraps it. */
struct moment {
	struct applet applet;
	struct scp03 scp;
	struct flash_sim_image *image;
	uint8_t wrapped[WRAPPED_MAX];
	size_t len;
	bool has_le;
};

struct scene {
	struct core_card card;
	struct moment moments[COMMANDS_COUNT];
	uint16_t sw[COMMANDS_COUNT];
};

static void keep(struct scene *scene, size_t k)
{
	struct moment *moment = &scene->moments[k];
	struct scp03 scp = scene->card.scp;
	uint8_t command[WRAPPED_MAX];
	size_t len = core_card_hex(plain[k], command, sizeof command);

	moment->applet = scene->card.applet;
	moment->scp = scp;
	moment->image = flash_sim_snapshot(&scene->card.sim);
	moment->has_le = len == 5;
	assert_int_equal(scp03_wrap(&scp, bytes_of(command, len), moment->wrapped, WRAPPED_MAX,
				    &moment->len),
			 SCP03_OK);
}

static struct scene *scene_of(uint8_t level)
{
	struct scene *scene = calloc(1, sizeof *scene);

	assert_non_null(scene);
	core_card_init(&scene->card);
	for (unsigned channel = 1; channel < LIMIT_CHANNELS; channel++) {
		assert_int_equal(core_card_send(&scene->card, "00 70 00 0%X", channel), SW_OK);
		assert_int_equal(
			core_card_send(&scene->card, "0%X A4 04 0C 08 " CORE_CARD_AID, channel),
			SW_OK);
	}
	core_card_secure(&scene->card, level);
	for (size_t k = 0; k < COMMANDS_COUNT; k++) {
		keep(scene, k);
		scene->sw[k] = core_card_send(&scene->card, "%s", plain[k]);
	}
	return scene;
}

static void scene_free(struct scene *scene)
{
	for (size_t k = 0; k < COMMANDS_COUNT; k++)
		flash_sim_image_free(scene->moments[k].image);
	core_card_free(&scene->card);
	free(scene);
}

static void back_to(struct scene *scene, size_t k)
{
	flash_sim_restore(&scene->card.sim, scene->moments[k].image);
	scene->card.applet = scene->moments[k].applet;
	scene->card.scp = scene->moments[k].scp;
	flash_sim_reset_counts(&scene->card.sim);
}

/* Sends bytes that must not be carried out. */
static uint16_t attack(struct scene *scene, const uint8_t *command, size_t len)
{
	struct core_card *card = &scene->card;

	flash_sim_reset_counts(&card->sim);
	core_card_raw(card, bytes_of(command, len));
	if (card->answer.sw == SW_OK || card->answer.data.len > 0 ||
	    card->sim.counts.operations > 0)
		fail_msg("carried out: %02X %02X %02X %02X, %zu bytes: %04X", command[0],
			 command[1], command[2], command[3], len, card->answer.sw);
	return card->answer.sw;
}

static void attack_ends_session(struct scene *scene, const uint8_t *command, size_t len)
{
	const struct secure none = {0};

	assert_int_equal(attack(scene, command, len), SW_WRONG_MAC);
	assert_memory_equal(&scene->card.applet.secure, &none, sizeof none);
}

/* Runs an attack on each command of a session at each level. */
static void each_command(void (*act)(struct scene *scene, size_t k))
{
	for (size_t i = 0; i < sizeof levels; i++) {
		struct scene *scene = scene_of(levels[i]);

		for (size_t k = 0; k < COMMANDS_COUNT; k++) {
			back_to(scene, k);
			act(scene, k);
		}
		scene_free(scene);
	}
}

/* Without it the other tests would prove nothing: as recorded, each command fits. */
static void as_recorded(struct scene *scene, size_t k)
{
	core_card_raw(&scene->card, bytes_of(scene->moments[k].wrapped, scene->moments[k].len));
	assert_int_equal(scene->card.answer.sw, scene->sw[k]);
}

static void commands_fit_as_recorded(void **state)
{
	(void)state;
	each_command(as_recorded);
}

static void change_each_bit(struct scene *scene, size_t k)
{
	const struct moment *moment = &scene->moments[k];
	size_t covered = moment->len - moment->has_le;

	for (size_t bit = 0; bit < 8 * covered; bit++) {
		uint8_t changed[WRAPPED_MAX];

		memcpy(changed, moment->wrapped, moment->len);
		changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		back_to(scene, k);
		if (bit >= 8 * 5 || (bit >= 8 * 1 && bit < 8 * 4))
			attack_ends_session(scene, changed, moment->len);
		else /* another channel, in clear, another length */
			attack(scene, changed, moment->len);
	}
}

static void a_changed_bit_is_seen(void **state)
{
	(void)state;
	each_command(change_each_bit);
}

/* As a line cuts it, and as somebody does who mends Lc. */
static void cut_at_each_length(struct scene *scene, size_t k)
{
	const struct moment *moment = &scene->moments[k];
	size_t covered = moment->len - moment->has_le;

	for (size_t len = 0; len < covered; len++) {
		uint8_t cut[WRAPPED_MAX];

		memcpy(cut, moment->wrapped, len);
		back_to(scene, k);
		if (len == 5 && !moment->has_le) /* a header with Le: no MAC at all */
			attack_ends_session(scene, cut, len);
		else
			attack(scene, cut, len);
		if (len < 6)
			continue;
		cut[4] = (uint8_t)(len - 5);
		back_to(scene, k);
		attack_ends_session(scene, cut, len);
	}
}

static void a_cut_command_is_seen(void **state)
{
	(void)state;
	each_command(cut_at_each_length);
}

/* More data, in front of the MAC or behind; the same in the extended form. */
static void lengthen(struct scene *scene, size_t k)
{
	const struct moment *moment = &scene->moments[k];
	size_t covered = moment->len - moment->has_le;

	for (size_t at = 5; at <= covered; at++) {
		uint8_t longer[WRAPPED_MAX + 1];

		memcpy(longer, moment->wrapped, at);
		longer[at] = 0;
		memcpy(longer + at + 1, moment->wrapped + at, covered - at);
		longer[4]++;
		back_to(scene, k);
		attack_ends_session(scene, longer, covered + 1);
	}
}

static void a_lengthened_command_is_seen(void **state)
{
	(void)state;
	each_command(lengthen);
}

static void replay_after(struct scene *scene, size_t k)
{
	const struct moment *moment = &scene->moments[k];

	core_card_raw(&scene->card, bytes_of(moment->wrapped, moment->len));
	assert_int_equal(scene->card.answer.sw, scene->sw[k]);
	attack_ends_session(scene, moment->wrapped, moment->len);
}

static void reorder(struct scene *scene, size_t k)
{
	for (size_t other = 0; other < COMMANDS_COUNT; other++) {
		if (other == k)
			continue;
		back_to(scene, k);
		attack_ends_session(scene, scene->moments[other].wrapped,
				    scene->moments[other].len);
	}
}

static void a_replayed_or_reordered_command_is_seen(void **state)
{
	(void)state;
	each_command(replay_after);
	each_command(reorder);
}

/* There is no session on the other channels; that on channel 0 goes on, but for a chain cut short.
 */
static void on_other_channels(struct scene *scene, size_t k)
{
	const struct moment *moment = &scene->moments[k];

	for (uint8_t channel = 1; channel < LIMIT_CHANNELS; channel++) {
		uint8_t moved[WRAPPED_MAX];

		memcpy(moved, moment->wrapped, moment->len);
		moved[0] |= channel;
		back_to(scene, k);
		assert_int_equal(attack(scene, moved, moment->len), SW_NOT_SATISFIED);
		assert_int_equal(scene->card.applet.secure.state,
				 moment->applet.chaining ? SECURE_NONE : SECURE_OPEN);
	}
}

static void in_clear(struct scene *scene, size_t k)
{
	uint8_t command[WRAPPED_MAX];
	size_t len = core_card_hex(plain[k], command, sizeof command);

	assert_int_equal(attack(scene, command, len), SW_NOT_SATISFIED);
	assert_int_equal(scene->card.applet.secure.state, SECURE_NONE);
	assert_int_equal(attack(scene, scene->moments[k].wrapped, scene->moments[k].len),
			 SW_NOT_SATISFIED);
}

static void a_command_elsewhere_is_refused(void **state)
{
	(void)state;
	each_command(on_other_channels);
	each_command(in_clear);
}

/* A chain's last link, alone, would pass for a whole command, MAC and all: whatever drops the links
 * before it ends the session. */
static void the_rest_of_a_chain_is_no_command(void **state)
{
	static const char *const interruptions[] = {
		"00",
		"00 70 80 00",
		"01 CA 9F 21 00",
		"00 A4 04 0C 01 99",
		"80 50 00 00 07 00",
		"00 C0 00 01 01",
		"08 CA 9F 21 00",
		"90 E2 90 01 03 5A 0A 98",
	};
	struct scene *scene = scene_of(0x33);

	(void)state;
	for (size_t i = 0; i < sizeof interruptions / sizeof *interruptions; i++) {
		back_to(scene, 3);
		scp03_end(&scene->card.scp);
		core_card_send(&scene->card, "%s", interruptions[i]);
		assert_int_equal(attack(scene, scene->moments[3].wrapped, scene->moments[3].len),
				 SW_NOT_SATISFIED);
	}
	scene_free(scene);
}

/* After each end of the session, its next command is worth nothing. */
static void after_the_end(struct scene *scene, size_t k)
{
	static const char *const ends[] = {
		("00 A4 04 0C 08 " CORE_CARD_AID),
		"80 50 00 00 08 0102030405060708 00",
		"84 82 33 00 10 000102030405060708090A0B0C0D0E0F",
	};
	const struct moment *moment = &scene->moments[k];

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		back_to(scene, k);
		scp03_end(&scene->card.scp);
		core_card_send(&scene->card, "%s", ends[i]);
		assert_int_equal(attack(scene, moment->wrapped, moment->len), SW_NOT_SATISFIED);
	}
	back_to(scene, k);
	applet_reset(&scene->card.applet, APPLET_T1);
	scp03_end(&scene->card.scp);
	core_card_select(&scene->card);
	assert_int_equal(attack(scene, moment->wrapped, moment->len), SW_NOT_SATISFIED);
}

/* The next session has the same static keys, level and host challenge, but not its commands. */
static void in_the_next_session(struct scene *scene, size_t k)
{
	for (size_t other = 0; other < COMMANDS_COUNT; other++) {
		back_to(scene, k);
		scp03_end(&scene->card.scp);
		core_card_send(&scene->card, "00 C0 00 00 01"); /* drops a chain */
		core_card_secure(&scene->card, scene->moments[k].scp.level);
		attack_ends_session(scene, scene->moments[other].wrapped,
				    scene->moments[other].len);
	}
}

static void a_command_after_its_session_is_refused(void **state)
{
	(void)state;
	each_command(after_the_end);
	each_command(in_the_next_session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_fit_as_recorded),
		cmocka_unit_test(a_changed_bit_is_seen),
		cmocka_unit_test(a_cut_command_is_seen),
		cmocka_unit_test(a_lengthened_command_is_seen),
		cmocka_unit_test(a_replayed_or_reordered_command_is_seen),
		cmocka_unit_test(a_command_elsewhere_is_refused),
		cmocka_unit_test(the_rest_of_a_chain_is_no_command),
		cmocka_unit_test(a_command_after_its_session_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
