#include "domain.h"

#include "output.h"
#include "tlv.h"

#include "contract.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX   256
#define KEY_TYPE_AES 0x88 /* GlobalPlatform Card Specification table 11-16 */

/* The key set that a virtual card comes with. */
#define TEST_SET_VERSION 0x30
#define TEST_SET_LEN     16

/* The object identifier of a secure channel protocol, up to its number and its options
 * (GlobalPlatform Card Specification §H.2). */
static const uint8_t protocol_id[] = {0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x04};

/* GET DATA. An object that the card does not have counts as an empty one. */
static int get(struct simtie_session *session, uint16_t tag, uint8_t answer[static ANSWER_MAX],
	       struct bytes *value)
{
	const uint8_t command[] = {CLA_GET_DATA, INS_GET_DATA, (uint8_t)(tag >> 8), (uint8_t)tag,
				   0};
	size_t len;
	int error = simtie_transmit(session, command, sizeof command, answer, ANSWER_MAX, &len);

	*value = bytes_of(NULL, 0);
	if (error == SIMTIE_ERR_MEMORY)
		return 0;
	if (!error && simtie_status_word(session) == SIMTIE_SW_OK &&
	    !tlv_only(bytes_of(answer, len), tag, value))
		*value = bytes_of(NULL, 0);
	return error;
}

static int read_value(struct simtie_session *session, uint16_t tag, struct domain_value *value)
{
	uint8_t answer[ANSWER_MAX];
	struct bytes found;
	int error = get(session, tag, answer, &found);

	if (error || found.len == 0 || found.len > sizeof value->bytes)
		return error;
	value->len = found.len;
	memcpy(value->bytes, found.ptr, found.len);
	return 0;
}

static int read_protocol(struct simtie_session *session, struct domain *domain)
{
	uint8_t answer[ANSWER_MAX];
	struct bytes card_data;
	int error = get(session, TAG_CARD_DATA, answer, &card_data);
	const uint8_t *at = NULL;

	if (!error && card_data.len > 0)
		at = memmem(card_data.ptr, card_data.len, protocol_id, sizeof protocol_id);
	if (at && (size_t)(card_data.ptr + card_data.len - at) >= sizeof protocol_id + 2) {
		domain->protocol = at[sizeof protocol_id];
		domain->options = at[sizeof protocol_id + 1];
	}
	return error;
}

/* What a card may well refuse. */
static int lenient(int error)
{
	return error == SIMTIE_ERR_CARD || error == SIMTIE_ERR_PROTOCOL ? 0 : error;
}

int domain_read(struct simtie_session *session, struct domain *domain)
{
	int error = simtie_select_domain(session);

	*domain = (struct domain){.there = error == 0};
	if (error)
		return lenient(error);
	error = lenient(simtie_get_key_sets(session, domain->sets, &domain->set_count));
	if (!error)
		error = read_protocol(session, domain);
	if (!error)
		error = read_value(session, TAG_DIVERSIFICATION, &domain->diversification);
	if (!error)
		error = read_value(session, TAG_ISSUER_NUMBER, &domain->issuer_number);
	if (!error)
		error = read_value(session, TAG_IMAGE_NUMBER, &domain->image_number);
	return error;
}

/* "AES-128"; a type of another kind as it stands. */
static const char *kind_of(const struct simtie_key_set *set, char text[static 16])
{
	if (set->type == KEY_TYPE_AES)
		snprintf(text, 16, "AES-%u", 8 * set->len);
	else
		snprintf(text, 16, "type %02X", set->type);
	return text;
}

static void print_value(const char *name, const struct domain_value *value)
{
	char text[OUTPUT_HEX_SIZE(DOMAIN_VALUE_MAX)];

	if (value->len > 0)
		output_line(name, "%s", output_hex(value->bytes, value->len, text));
}

void domain_print(const struct domain *domain)
{
	char kind[16];

	if (domain->protocol)
		output_line("secure channel", "SCP%02X, i %02X", domain->protocol, domain->options);
	for (size_t i = 0; i < domain->set_count; i++)
		output_line("key set", "%02X, %s", domain->sets[i].version,
			    kind_of(&domain->sets[i], kind));
	print_value("diversifier", &domain->diversification);
	print_value("issuer number", &domain->issuer_number);
	print_value("image number", &domain->image_number);
}

static void put_value(json_t *object, const char *name, const struct domain_value *value)
{
	char text[OUTPUT_HEX_SIZE(DOMAIN_VALUE_MAX)];

	if (value->len > 0)
		json_object_set_new(object, name,
				    json_string(output_hex(value->bytes, value->len, text)));
}

void domain_json(const struct domain *domain, json_t *object)
{
	json_t *sets = json_array();
	char version[3], options[3], kind[16];

	if (!domain->there) {
		json_decref(sets);
		return;
	}
	for (size_t i = 0; i < domain->set_count; i++) {
		snprintf(version, sizeof version, "%02X", domain->sets[i].version);
		json_array_append_new(sets, json_pack("{s:s,s:s}", "version", version, "kind",
						      kind_of(&domain->sets[i], kind)));
	}
	json_object_set_new(object, "keySets", sets);
	snprintf(version, sizeof version, "%02X", domain->protocol);
	snprintf(options, sizeof options, "%02X", domain->options);
	if (domain->protocol)
		json_object_set_new(
			object, "secureChannel",
			json_pack("{s:s,s:s}", "protocol", version, "options", options));
	put_value(object, "diversification", &domain->diversification);
	put_value(object, "issuerNumber", &domain->issuer_number);
	put_value(object, "imageNumber", &domain->image_number);
}

bool domain_is_as_made(const struct domain *domain)
{
	return domain->set_count == 1 && domain->sets[0].version == TEST_SET_VERSION &&
	       domain->sets[0].type == KEY_TYPE_AES && domain->sets[0].len == TEST_SET_LEN;
}
