#include "holder.h"

#include "output.h"

#define ROOT_MAX 16384

/* What the card is held against. `root` keeps the file's bytes. */
static int read_trust(const struct common_options *common, const struct holder_way *way,
		      uint8_t root[static ROOT_MAX], struct simtie_card_trust *trust)
{
	*trust = (struct simtie_card_trust){.point = way->key.len ? way->key.bytes : NULL};
	if (!way->root)
		return TOOL_DONE;
	if (input_file(way->root, root, ROOT_MAX, &trust->root_len))
		return card_failed(common, NULL, "cannot read the root", SIMTIE_ERR_FILE);
	if (trust->root_len == 0 || trust->root_len > ROOT_MAX)
		return card_refused(common, TOOL_IO, "CERTIFICATE",
				    "the root is not a certificate, DER or PEM");
	trust->root = root;
	return TOOL_DONE;
}

static int secure(const struct common_options *common, struct simtie_session *session,
		  const struct simtie_card_trust *trust)
{
	bool verified;
	int error = simtie_secure_open_card(session, trust, &verified);

	if (error == SIMTIE_ERR_CARD)
		return card_refused(common, card_exit_code(error), card_error_code(error),
				    "the PIN was not sent: the card has no key to take it "
				    "encrypted; --pin-in-clear sends it for all to hear");
	if (error)
		return card_failed(common, session, "the PIN was not sent", error);
	if (!verified)
		output_error("caution: nobody listens, but whose card this is was not checked; "
			     "--root FILE does");
	return TOOL_DONE;
}

int holder_open(const struct common_options *common, const struct holder_way *way,
		struct simtie_session **session)
{
	uint8_t root[ROOT_MAX];
	struct simtie_card_trust trust;
	int result = read_trust(common, way, root, &trust);
	bool named = trust.root || trust.point;

	*session = NULL;
	if (result == TOOL_DONE && named && way->in_clear)
		result = card_refused(common, TOOL_USAGE, "USAGE",
				      "--pin-in-clear contradicts --root and --channel-key");
	if (result == TOOL_DONE)
		result = card_open_applet(common, session, NULL);
	if (result != TOOL_DONE || (!named && !simtie_session_over_the_air(*session)))
		return result;
	if (way->in_clear)
		output_error("caution: the PIN goes over the air in clear; whoever listens has it");
	else
		result = secure(common, *session, &trust);
	if (result != TOOL_DONE)
		simtie_close(session);
	return result;
}
