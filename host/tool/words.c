#include "words.h"

#include "contract.h"

#include <stdio.h>

const char *words_lifecycle(uint8_t lifecycle)
{
	switch (lifecycle) {
	case LIFECYCLE_FACTORY:
		return "factory";
	case LIFECYCLE_PERSONALISED:
		return "personalised";
	case LIFECYCLE_TERMINATED:
		return "terminated";
	}
	return "unknown";
}

const char *words_purpose(uint8_t purpose)
{
	switch (purpose) {
	case PURPOSE_GENERIC:
		return "generic";
	case PURPOSE_REGISTRATION:
		return "registration";
	case PURPOSE_PROVISIONING:
		return "provisioning";
	}
	return "unknown";
}

const char *words_consent(uint8_t consent)
{
	switch (consent) {
	case CONSENT_NONE:
		return "none";
	case CONSENT_PIN:
		return "PIN";
	case CONSENT_TERMINAL:
		return "terminal";
	}
	return "unknown";
}

#define WORDS_ROW(format, number, text) {format, number, text},

static const struct {
	enum tag_format format;
	unsigned number;
	const char *text;
} texts[] = {ENUM_TEXTS(WORDS_ROW)};

const char *words_debug_status(uint8_t status)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].format == FORMAT_DEBUG_STATUS && texts[i].number == status)
			return texts[i].text;
	}
	return "unknown";
}

char *words_version(const uint8_t version[static 3], char text[static 16])
{
	snprintf(text, 16, "%u.%u.%u", version[0], version[1], version[2]);
	return text;
}
