/* SPDX-License-Identifier: ISC */
/* stun/pair: two files of whatever, the second after a line "--". */
#include "pair.h"

#include <stdlib.h>
#include <string.h>

#include "line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct feed {
	struct pair_side side[2];
	int at;
};

static void
line_cb(void *arg, const char *text, size_t len)
{
	struct feed *f = arg;

	if (strcmp(text, "--") == 0)
		f->at = 1;
	else
		pair_line(&f->side[f->at], text, len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pair_judgement j, back;
	struct feed f = {0};
	struct line l;

	line_init(&l);
	line_feed(&l, data, size, line_cb, &f);
	line_end(&l, line_cb, &f);
	pair_judge(&j, &f.side[0], &f.side[1]);
	pair_judge(&back, &f.side[1], &f.side[0]);
	/* nothing depends on who is A; a yes or no has its reason and way */
	if (j.direct != back.direct || j.confidence != back.confidence)
		abort();
	if (j.reason[0] == '\0' || j.confidence > PAIR_CERTAIN ||
	    strchr(j.reason, '%') != NULL)
		abort();
	if (j.direct != PAIR_DIRECT_UNKNOWN && j.method == NULL)
		abort();
	if (pair_direct_name(j.direct) == NULL)
		abort();
	return 0;
}
