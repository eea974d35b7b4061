/* SPDX-License-Identifier: ISC */
/* A queue of bytes in blocks. Every block but the first and the last is full. */
#include "blockq.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

void
blockq_init(struct blockq *q, struct purse *purse)
{
	*q = (struct blockq){.purse = purse};
}

static void
give_chain(struct blockq *q, struct block *b)
{
	while (b != NULL) {
		struct block *next = b->next;

		block_give(q->purse, b);
		b = next;
	}
}

void
blockq_clear(struct blockq *q)
{
	struct block *b = q->head;

	q->head = q->fill = q->cursor = NULL;
	q->begin = q->mark = q->end;
	give_chain(q, b);
}

/* The block after b, taken if need be; b NULL: the first. */
static struct block *
block_after(struct blockq *q, struct block *b)
{
	struct block **link = b == NULL ? &q->head : &b->next;

	if (*link == NULL) {
		*link = block_take(q->purse);
		if (*link != NULL)
			(*link)->at = b == NULL ? q->end : b->at + BLOCK_LEN;
	}
	return *link;
}

size_t
blockq_room(struct blockq *q, struct iovec *iov, size_t n, size_t len)
{
	struct block *b = q->fill;
	size_t i = 0;
	uint64_t at = q->end;

	while (i < n && len > 0) {
		size_t off, part;

		if (b == NULL || at == b->at + BLOCK_LEN)
			b = block_after(q, b);
		if (b == NULL)
			break;
		off = (size_t)(at - b->at);
		part = BLOCK_LEN - off < len ? BLOCK_LEN - off : len;
		iov[i].iov_base = b->data + off;
		iov[i++].iov_len = part;
		at += part;
		len -= part;
	}
	return i;
}

void
blockq_grow(struct blockq *q, size_t len)
{
	struct block *b = q->fill != NULL ? q->fill : q->head;
	struct block *spare;

	q->end += len;
	if (b == NULL)
		return;
	if (q->begin == q->end) { /* nothing in it at all */
		blockq_clear(q);
		return;
	}
	while (b->at + BLOCK_LEN < q->end)
		b = b->next;
	q->fill = b;
	spare = b->next;
	b->next = NULL;
	give_chain(q, spare);
}

int
blockq_append(struct blockq *q, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t left = len;
	struct block *b = q->fill;
	uint64_t at = q->end;

	while (left > 0) {
		size_t off, part;

		if (b == NULL || at == b->at + BLOCK_LEN)
			b = block_after(q, b);
		if (b == NULL) {
			blockq_grow(q, 0);
			return -ENOMEM;
		}
		off = (size_t)(at - b->at);
		part = BLOCK_LEN - off < left ? BLOCK_LEN - off : left;
		memcpy(b->data + off, p, part);
		p += part;
		at += part;
		left -= part;
	}
	blockq_grow(q, len);
	return 0;
}

size_t
blockq_peek(const struct blockq *q, struct iovec *iov, size_t n, size_t len,
    size_t *got)
{
	struct block *b = q->cursor != NULL ? q->cursor : q->head;
	uint64_t at = q->mark;
	size_t i = 0;

	*got = 0;
	while (i < n && *got < len && at < q->end) {
		uint64_t stop;
		size_t part;

		if (at == b->at + BLOCK_LEN)
			b = b->next;
		stop = b->at + BLOCK_LEN < q->end ? b->at + BLOCK_LEN : q->end;
		part = (size_t)(stop - at);
		if (part > len - *got)
			part = len - *got;
		iov[i].iov_base = b->data + (size_t)(at - b->at);
		iov[i++].iov_len = part;
		*got += part;
		at += part;
	}
	return i;
}

void
blockq_advance(struct blockq *q, uint64_t len)
{
	struct block *b = q->cursor != NULL ? q->cursor : q->head;

	if (len > blockq_ahead(q))
		len = blockq_ahead(q);
	q->mark += len;
	while (b != NULL && q->mark > b->at + BLOCK_LEN)
		b = b->next;
	q->cursor = b;
}

void
blockq_release(struct blockq *q, uint64_t len)
{
	if (len > q->mark - q->begin)
		len = q->mark - q->begin;
	q->begin += len;
	if (q->begin == q->end) {
		blockq_clear(q);
		return;
	}
	while (q->head != NULL && q->begin >= q->head->at + BLOCK_LEN) {
		struct block *b = q->head;

		q->head = b->next;
		if (q->cursor == b)
			q->cursor = NULL;
		block_give(q->purse, b);
	}
}
