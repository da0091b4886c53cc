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
	uint8_t p1;
	bool files;        /* load files, not what was made from them */
	struct bytes name; /* the AID or its first bytes */
	struct bytes tags; /* list of tags; empty: all */
};

static bool parse(const struct command *command, struct wish *wish)
{
	struct bytes data = command->data;
	struct ber object;

	*wish = (struct wish){
		.p1 = command->p1,
		.files = command->p1 == STATUS_OF_LOAD_FILE ||
			 command->p1 == STATUS_OF_LOAD_FILE_AND_MODULES,
	};
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

static const struct bytes *name_of(const struct wish *wish, unsigned application)
{
	const struct registry_entry *entry = &registry[application];

	return wish->files ? &entry->load_file : &entry->aid;
}

/* The first application from this one on that is asked for; APPLICATIONS_COUNT. */
static unsigned find(const struct wish *wish, unsigned application)
{
	for (; application < APPLICATIONS_COUNT; application++) {
		bool domain = application == APPLICATION_DOMAIN;

		if (wish->p1 == (domain ? STATUS_OF_APPLICATION : STATUS_OF_DOMAIN))
			continue;
		if (registry_begins(*name_of(wish, application), wish->name))
			break;
	}
	return application;
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

static void put_tlv(const struct wish *wish, unsigned application, uint8_t lifecycle,
		    struct writer *out)
{
	static const uint8_t version[] = {APPLET_VERSION_MAJOR, APPLET_VERSION_MINOR};
	const struct registry_entry *entry = &registry[application];
	size_t template = ber_open(out, TAG_STATUS_ENTRY);

	put(out, wish, TAG_STATUS_AID, *name_of(wish, application));
	put(out, wish, TAG_STATUS_LIFECYCLE, bytes_of(&lifecycle, 1));
	if (wish->files)
		put(out, wish, TAG_STATUS_LOAD_FILE_VERSION, bytes_of(version, sizeof version));
	else
		put(out, wish, TAG_STATUS_PRIVILEGES,
		    bytes_of(privileges[application], sizeof privileges[application]));
	if (wish->p1 == STATUS_OF_APPLICATION) {
		put(out, wish, TAG_STATUS_LOAD_FILE, entry->load_file);
		put(out, wish, TAG_STATUS_DOMAIN, registry[APPLICATION_DOMAIN].aid);
	}
	if (wish->p1 == STATUS_OF_LOAD_FILE_AND_MODULES)
		put(out, wish, TAG_STATUS_MODULE, entry->aid);
	ber_close(out, template);
}

/* The older form: AID with its length, lifecycle, first byte of the privileges. */
static void put_plain(const struct wish *wish, unsigned application, uint8_t lifecycle,
		      struct writer *out)
{
	const struct bytes name = *name_of(wish, application);
	const uint8_t len = (uint8_t)name.len;
	const uint8_t state[] = {lifecycle, wish->files ? 0 : privileges[application][0]};

	writer_put(out, bytes_of(&len, 1));
	writer_put(out, name);
	writer_put(out, bytes_of(state, sizeof state));
}

/* One entry an answer: cards of one application need no more, and readers no long answers. */
uint16_t cmd_get_status(struct applet *applet, struct command *command)
{
	unsigned application = command->p2 & FORM_NEXT ? applet->status_next : APPLICATION_DOMAIN;
	uint8_t lifecycle;
	struct wish wish;

	if (!access_issuer(applet, command))
		return SW_NOT_SATISFIED;
	if (!parse(command, &wish))
		return SW_WRONG_DATA;
	application = find(&wish, application);
	if (application == APPLICATIONS_COUNT)
		return SW_DATA_NOT_FOUND;
	lifecycle = wish.files ? LOADED : registry_lifecycle(applet, (enum application)application);
	if (command->p2 & FORM_TLV)
		put_tlv(&wish, application, lifecycle, &command->out);
	else
		put_plain(&wish, application, lifecycle, &command->out);
	applet->status_next = (uint8_t)find(&wish, application + 1);
	return applet->status_next < APPLICATIONS_COUNT ? SW_MORE_DATA : SW_OK;
}
