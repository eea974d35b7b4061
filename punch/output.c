/* SPDX-License-Identifier: ISC */
/* What a check list wants done: a short queue. */
#include "output.h"

#include <string.h>

const char *
path_state_name(enum path_state state)
{
	static const char *const names[] = {
	    [PATH_WAITING] = "waiting",
	    [PATH_CHECKING] = "checking",
	    [PATH_DIRECT] = "direct",
	    [PATH_FAILED] = "failed",
	    [PATH_LOST] = "lost",
	    [PATH_RELAYED] = "relayed",
	};

	return names[state];
}

struct output *
outputs_add(struct outputs *q)
{
	struct output *o;

	if (q->n == OUTPUT_SLOTS) {
		q->lost++;
		return NULL;
	}
	o = &q->slot[(q->first + q->n++) % OUTPUT_SLOTS];
	memset(o, 0, sizeof(*o));
	return o;
}

bool
outputs_take(struct outputs *q, struct output *out)
{
	if (q->n == 0)
		return false;
	*out = q->slot[q->first];
	q->first = (q->first + 1) % OUTPUT_SLOTS;
	q->n--;
	return true;
}
