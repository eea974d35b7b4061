/* SPDX-License-Identifier: ISC */
/* A line for a wire: refused with a reason and nothing changed, or within all
 * ranges, and then what is shown can be set again. */
#include "change.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check_range(const struct impairment *i)
{
	if (i->loss > IMPAIRMENT_ALL || i->reorder > IMPAIRMENT_ALL ||
	    i->duplicate > IMPAIRMENT_ALL || i->seed > UINT32_MAX ||
	    i->delay_us > 60000000 || i->jitter_us > 60000000 ||
	    i->rate_kbit > 100000000 || i->queue_ms > 60000)
		abort();
}

/* "link key=value ..." as the argument of set. */
static void
check_again(const struct change *c)
{
	struct change d = {.from = {"wa", "wb"}};
	char why[CHANGE_WHY];
	struct record r;

	record_begin(&r, "link");
	impairment_put(&c->is[0], &r);
	if (r.overflow || change_line(&d, r.text + strlen("link "), why) != 0 ||
	    memcmp(&d.is[0], &c->is[0], sizeof(d.is[0])) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct change c = {.from = {"wa", "wb"}}, before;
	char why[CHANGE_WHY] = "", *line = calloc(1, len + 1);

	if (line == NULL)
		return 0;
	memcpy(line, data, len);
	impairment_init(&c.is[0], 1);
	impairment_init(&c.is[1], 2);
	before = c;
	if (change_line(&c, line, why) != 0) {
		if (memcmp(&c, &before, sizeof(c)) != 0 || why[0] == '\0')
			abort();
	} else {
		check_range(&c.is[0]);
		check_range(&c.is[1]);
		check_again(&c);
	}
	free(line);
	return 0;
}
