/* SPDX-License-Identifier: ISC */
/* Any datagram to nat-probe's server: nothing is read beyond it, a call is
 * within its time, and no answer is a question, whatever it begins with. */
#include "asked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check_answer(const char *text)
{
	uint32_t ms;

	if (asked_parse((const uint8_t *)text, strlen(text), &ms) !=
	    ASKED_FOR_NOTHING)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint32_t ms = UINT32_MAX;
	char text[32];

	switch (asked_parse(data, len, &ms)) {
	case ASKED_FOR_CALL:
		if (ms > ASKED_CALL_MAX_MS)
			abort();
		check_answer(ASKED_CALL);
		break;
	case ASKED_FOR_COUNT:
		snprintf(text, sizeof(text), ASKED_COUNTED " %zu", len);
		check_answer(text);
		break;
	case ASKED_FOR_FRAGMENTS:
		if (asked_pattern_is((const char *)data, len))
			abort();
		break;
	case ASKED_FOR_NOTHING:
		if (ms != UINT32_MAX)
			abort();
		break;
	}
	return 0;
}
