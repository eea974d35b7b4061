/* SPDX-License-Identifier: ISC */
/* Our own candidates, from the records of nat-stun gather. */
#include "feed.h"

#include <string.h>

#include "record.h"

void
feed_init(struct feed *f)
{
	memset(f, 0, sizeof(*f));
}

static enum feed_result
bad(struct feed *f, const char *why)
{
	f->why = why;
	return FEED_BAD;
}

/* The place for one more: a free one, or that of the least priority if it is
 * less. NULL when there is none. */
static struct offer_candidate *
place(struct feed *f, const struct offer_candidate *c)
{
	struct offer_candidate *least = &f->reading[0];

	for (size_t i = 0; i < f->reading_n; i++)
		if (addr_equal(&f->reading[i].addr, &c->addr))
			return NULL;
	if (f->reading_n < OFFER_CANDIDATES)
		return &f->reading[f->reading_n++];
	f->left_out = true;
	for (size_t i = 1; i < f->reading_n; i++)
		if (f->reading[i].priority < least->priority)
			least = &f->reading[i];
	return least->priority < c->priority ? least : NULL;
}

static enum feed_result
read_candidate(struct feed *f, const struct record_view *r)
{
	const char *type = record_get(r, "type");
	struct offer_candidate c = {0}, *to;
	uint64_t priority;

	f->seen++;
	if (type == NULL || offer_type_parse(type) < 0)
		return bad(f, "a candidate needs type=host, srflx or relay");
	if (record_get_addr(r, "endpoint", &c.addr) != 0)
		return bad(f, "a candidate needs endpoint=address:port");
	if (!addr_is_sendable(&c.addr))
		return bad(f, "nothing can be sent to this endpoint");
	if (record_get_u64(r, "priority", &priority) != 0 ||
	    priority > UINT32_MAX)
		return bad(f, "a candidate needs a priority below 2^32");
	c.type = (uint8_t)offer_type_parse(type);
	c.priority = (uint32_t)priority;
	to = place(f, &c);
	if (to != NULL)
		*to = c;
	return FEED_NOTHING;
}

static enum feed_result
complete(struct feed *f)
{
	f->why = f->left_out ? "too many candidates: the 16 of the highest "
			       "priority are used"
			     : f->why;
	memcpy(f->list, f->reading, sizeof(f->list));
	f->n = f->reading_n;
	f->reading_n = 0;
	f->seen = 0;
	f->left_out = false;
	f->complete = true;
	return FEED_GENERATION;
}

enum feed_result
feed_line(struct feed *f, const char *line, size_t len)
{
	struct record_view r;
	uint64_t count;

	f->why = NULL;
	if (len == 0)
		return FEED_NOTHING;
	if (record_parse(&r, line, len) != 0)
		return bad(f, "not a record");
	if (record_is(&r, "candidate"))
		return read_candidate(f, &r);
	if (!record_is(&r, "candidates"))
		return FEED_NOTHING;
	if (record_get_u64(&r, "count", &count) != 0 || count != f->seen)
		f->why = "the count is not that of the candidates before it";
	return complete(f);
}

enum feed_result
feed_end(struct feed *f)
{
	f->why = NULL;
	if (f->complete)
		return FEED_NOTHING;
	f->why = "input ended before a candidates record";
	return complete(f);
}
