#include "provision.h"

static const struct {
	const char *word;
	const char *text;
} steps[] = {
#define STEP(name, word, text) [PROVISION_##name] = {word, text},
	PROVISION_STEPS(STEP)
#undef STEP
};

const char *provision_step_word(enum provision_step step)
{
	return step < PROVISION_STEPS_COUNT ? steps[step].word : "none";
}

const char *provision_step_text(enum provision_step step)
{
	return step < PROVISION_STEPS_COUNT ? steps[step].text : "nothing";
}
