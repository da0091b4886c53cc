#include "applet.h"

#include "chain.h"
#include "key_set.h"
#include "log.h"
#include "records.h"
#include "response.h"
#include "../crypto/selftest.h"
#include "secure.h"
#include "wipe.h"

static bool load_lifecycle(struct applet *applet)
{
	uint8_t value = record_byte(applet, RECORD_LIFECYCLE, LIFECYCLE_FACTORY, 0);

	applet->lifecycle = (enum lifecycle)value;
	return value == LIFECYCLE_FACTORY || value == LIFECYCLE_PERSONALISED ||
	       value == LIFECYCLE_TERMINATED;
}

static bool issuer_valid(const struct port_issuer *issuer)
{
	return issuer && issuer->enc && issuer->mac && issuer->dek && issuer->key_version >= 1 &&
	       issuer->key_version <= 0x7F &&
	       (issuer->key_len == 16 || issuer->key_len == 24 || issuer->key_len == 32);
}

enum journal_result applet_open(struct applet *applet, const struct port *port)
{
	enum journal_result result;

	*applet = (struct applet){.port = port};
	if (!issuer_valid(port->issuer))
		return JOURNAL_UNUSABLE;
	if (port->seeded && port->debug_status != PORT_DEBUG_ENABLED)
		return JOURNAL_UNUSABLE; /* repeatable keys never pass for hardware */
	result = journal_open(&applet->journal, port);
	if (result != JOURNAL_OK)
		return result;
	if (!journal_has(&applet->journal, RECORD_DIVERSIFICATION)) /* memory as it came */
		result = key_set_install(applet);
	if (result != JOURNAL_OK)
		return result;
	(void)wipe_finish(&applet->journal); /* if it fails, next time; the card works */
	if (!load_lifecycle(applet) || !log_counter(applet, &applet->counter))
		return JOURNAL_CORRUPT;
	applet_reset(applet, APPLET_T1);
	return JOURNAL_OK;
}

void applet_reset(struct applet *applet, enum applet_protocol protocol)
{
	chain_forget_blocks(applet);
	chain_drop(applet);
	response_drop(applet);
	secure_end(applet);
	applet->status_next = 0;
	applet->protocol = protocol;
	memset(applet->channels, 0, sizeof applet->channels);
	applet->channels[0].open = true;
	applet->port->alive(applet->port->context);
	applet->shut = !selftest_passes();
}
