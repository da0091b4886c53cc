#include "access.h"
#include "registry.h"

#define FORM_TLV  0x02 /* bits of P2 */
#define FORM_NEXT 0x01

#define LOADED 0x01 /* lifecycle of every load file */

/* Security domain, delegated management and so on (Card Specification 2.3.1 table 6-1): the domain
 * has them all, the attestation applet none. */
static const uint8_t privileges[][3] = {
	[APPLICATION_DOMAIN] = {0x9E, 0xFE, 0x80},
	[APPLICATION_ATTESTATION] = {0x00, 0x00, 0x00},
};

/* What the command asks for. */
struct wish {
	struct bytes name; /* the AID or its first bytes */
	struct bytes tags; /* list of tags; empty: all */
};

static bool parse(struct bytes data, struct wish *wish)
{
	struct ber object;

	*wish = (struct wish){0};
	if (!ber_next(&data, &object) || object.tag != TAG_STATUS_AID)
		return false;
	wish->name = object.value;
	while (data.len > 0) {
		if (!ber_next(&data, &object))
			return false;
		if (object.tag == TAG_STATUS_TAGS)
			wish->tags = object.value;
	}
	return true;
}

static bool is_file(uint8_t p1)
{
	return p1 == STATUS_OF_LOAD_FILE || p1 == STATUS_OF_LOAD_FILE_AND_MODULES;
}

static struct bytes name_of(uint8_t p1, enum application application)
{
	struct registry_entry entry = registry_entry(application);

	return is_file(p1) ? entry.load_file : entry.aid;
}

static bool fits(const struct wish *wish, uint8_t p1, enum application application)
{
	if (p1 == STATUS_OF_DOMAIN && application != APPLICATION_DOMAIN)
		return false;
	if (p1 == STATUS_OF_APPLICATION && application == APPLICATION_DOMAIN)
		return false;
	return registry_begins(name_of(p1, application), wish->name);
}

/* Whether the list, of tags of one or two bytes, has this one. */
static bool wanted(struct bytes tags, uint16_t tag)
{
	for (size_t i = 0; i < tags.len; i++) {
		uint16_t listed = tags.ptr[i];

		if ((listed & 0x1F) == 0x1F && i + 1 < tags.len)
			listed = (uint16_t)(listed << 8 | tags.ptr[++i]);
		if (listed == tag)
			return true;
	}
	return tags.len == 0;
}

static void put(struct writer *out, const struct wish *wish, uint16_t tag, struct bytes value)
{
	if (wanted(wish->tags, tag))
		ber_put(out, tag, value);
}

static void put_tlv(const struct applet *applet, uint8_t p1, const struct wish *wish,
		    enum application application, struct writer *out)
{
	static const uint8_t version[] = {APPLET_VERSION_MAJOR, APPLET_VERSION_MINOR};
	const struct registry_entry entry = registry_entry(application);
	const uint8_t lifecycle = is_file(p1) ? LOADED : registry_lifecycle(applet, application);
	size_t template = ber_open(out, TAG_STATUS_ENTRY);

	put(out, wish, TAG_STATUS_AID, name_of(p1, application));
	put(out, wish, TAG_STATUS_LIFECYCLE, bytes_of(&lifecycle, 1));
	if (!is_file(p1))
		put(out, wish, TAG_STATUS_PRIVILEGES,
		    bytes_of(privileges[application], sizeof privileges[application]));
	if (p1 == STATUS_OF_APPLICATION) {
		put(out, wish, TAG_STATUS_LOAD_FILE, entry.load_file);
		put(out, wish, TAG_STATUS_DOMAIN, registry_entry(APPLICATION_DOMAIN).aid);
	}
	if (is_file(p1))
		put(out, wish, TAG_STATUS_LOAD_FILE_VERSION, bytes_of(version, sizeof version));
	if (p1 == STATUS_OF_LOAD_FILE_AND_MODULES)
		put(out, wish, TAG_STATUS_MODULE, entry.aid);
	ber_close(out, template);
}

/* The older form: AID with its length, lifecycle, first byte of the privileges. */
static void put_plain(const struct applet *applet, uint8_t p1, enum application application,
		      struct writer *out)
{
	const struct bytes name = name_of(p1, application);
	const uint8_t len = (uint8_t)name.len;
	const uint8_t state[] = {
		is_file(p1) ? LOADED : registry_lifecycle(applet, application),
		is_file(p1) ? 0 : privileges[application][0],
	};

	writer_put(out, bytes_of(&len, 1));
	writer_put(out, name);
	writer_put(out, bytes_of(state, sizeof state));
}

/* One entry an answer: cards of one application need no more, and readers no long answers. */
uint16_t cmd_get_status(struct applet *applet, struct command *command)
{
	unsigned application = command->p2 & FORM_NEXT ? applet->status_next : APPLICATION_DOMAIN;
	struct wish wish;

	if (!access_issuer(applet, command))
		return SW_NOT_SATISFIED;
	if (!parse(command->data, &wish))
		return SW_WRONG_DATA;
	while (application < APPLICATIONS_COUNT &&
	       !fits(&wish, command->p1, (enum application)application))
		application++;
	if (application == APPLICATIONS_COUNT)
		return SW_DATA_NOT_FOUND;
	if (command->p2 & FORM_TLV)
		put_tlv(applet, command->p1, &wish, (enum application)application, &command->out);
	else
		put_plain(applet, command->p1, (enum application)application, &command->out);
	do
		application++;
	while (application < APPLICATIONS_COUNT &&
	       !fits(&wish, command->p1, (enum application)application));
	applet->status_next = (uint8_t)application;
	return application < APPLICATIONS_COUNT ? SW_MORE_DATA : SW_OK;
}
