/* SPDX-License-Identifier: ISC */
/* Any bytes as lines of candidate records: what comes out can be offered. */
#include <stdlib.h>
#include <string.h>

#include "feed.h"
#include "line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check(const struct feed *f)
{
	struct offer o = {.generation = 1, .n = f->n};
	uint8_t buf[OFFER_MAX];

	if (f->n > OFFER_CANDIDATES)
		abort();
	memset(o.user, 'u', OFFER_USER_LEN);
	memset(o.password, 'p', OFFER_PASSWORD_LEN);
	memcpy(o.candidate, f->list, sizeof(o.candidate));
	if (offer_encode(&o, buf, sizeof(buf)) < 0)
		abort();
}

static void
line_cb(void *arg, const char *line, size_t len)
{
	if (feed_line(arg, line, len) == FEED_GENERATION)
		check(arg);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct line line;
	struct feed feed;

	line_init(&line);
	feed_init(&feed);
	line_feed(&line, data, len, line_cb, &feed);
	line_end(&line, line_cb, &feed);
	if (feed_end(&feed) == FEED_GENERATION)
		check(&feed);
	return 0;
}
