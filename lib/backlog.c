/* SPDX-License-Identifier: ISC */
/* Messages that wait to be written to a stream. */
#include "backlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct backlog_message {
	struct backlog_message *prev, *next;
	size_t len, sent;
	bool droppable; /* and not begun */
	uint8_t data[];
};

void
backlog_init(struct backlog *b, size_t max)
{
	*b = (struct backlog){.max = max};
}

static size_t
cost(size_t len)
{
	return sizeof(struct backlog_message) + len;
}

static void
unlink_message(struct backlog *b, struct backlog_message *m)
{
	if (b->oldest == m)
		b->oldest = m->next;
	if (b->first == m)
		b->first = m->next;
	else
		m->prev->next = m->next;
	if (b->last == m)
		b->last = m->prev;
	else
		m->next->prev = m->prev;
	b->bytes -= cost(m->len);
	free(m);
}

void
backlog_free(struct backlog *b)
{
	while (b->first != NULL)
		unlink_message(b, b->first);
}

/* Returns whether there was something to drop. */
static bool
drop_one(struct backlog *b)
{
	while (b->oldest != NULL && !b->oldest->droppable)
		b->oldest = b->oldest->next;
	if (b->oldest == NULL)
		return false;
	unlink_message(b, b->oldest);
	b->dropped++;
	return true;
}

static void
append(struct backlog *b, struct backlog_message *m)
{
	m->prev = b->last;
	if (b->last != NULL)
		b->last->next = m;
	else
		b->first = m;
	b->last = m;
	if (b->oldest == NULL && m->droppable)
		b->oldest = m;
	b->bytes += cost(m->len);
}

int
backlog_add(struct backlog *b, const void *head, size_t head_len,
    const void *data, size_t len, size_t pad, bool droppable)
{
	size_t all = head_len + len + pad;
	struct backlog_message *m = NULL;
	bool room = cost(all) <= b->max;

	while (room && b->bytes + cost(all) > b->max)
		room = drop_one(b);
	if (room)
		m = malloc(cost(all));
	if (m == NULL) {
		b->dropped += droppable;
		return droppable ? 0 : -ENOBUFS;
	}
	*m = (struct backlog_message){.len = all, .droppable = droppable};
	if (head_len > 0)
		memcpy(m->data, head, head_len);
	if (len > 0)
		memcpy(m->data + head_len, data, len);
	memset(m->data + head_len + len, 0, pad);
	append(b, m);
	return 0;
}

int
backlog_gather(const struct backlog *b, struct iovec *iov, int n)
{
	struct backlog_message *m = b->first;
	int i = 0;

	for (; m != NULL && i < n; m = m->next)
		iov[i++] = (struct iovec){
		    .iov_base = m->data + m->sent, .iov_len = m->len - m->sent};
	return i;
}

size_t
backlog_copy(const struct backlog *b, void *out, size_t cap)
{
	size_t done = 0;

	for (const struct backlog_message *m = b->first;
	     m != NULL && done < cap; m = m->next) {
		size_t n = m->len - m->sent;

		if (n > cap - done)
			n = cap - done;
		memcpy((uint8_t *)out + done, m->data + m->sent, n);
		done += n;
	}
	return done;
}

void
backlog_begin(struct backlog *b, size_t bytes)
{
	struct backlog_message *m = b->first;

	for (; m != NULL && bytes > 0; m = m->next) {
		size_t n = m->len - m->sent;

		m->droppable = false;
		bytes -= n < bytes ? n : bytes;
	}
}

void
backlog_sent(struct backlog *b, size_t bytes)
{
	while (b->first != NULL && bytes > 0) {
		struct backlog_message *m = b->first;
		size_t n = m->len - m->sent;

		if (bytes < n) {
			m->sent += bytes;
			m->droppable = false;
			return;
		}
		bytes -= n;
		unlink_message(b, m);
	}
}

bool
backlog_is_empty(const struct backlog *b)
{
	return b->first == NULL;
}
