/* SPDX-License-Identifier: ISC */
/* A SOCKS client. Fed byte by byte, in pieces of the first byte's size and all
 * at once, it comes to the same: state, answer, target, and how much was
 * taken; what follows the request is not touched. */
#include "socks.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct socks s;
	size_t used, reply_len;
	uint8_t reply[2 * SOCKS_REPLY_MAX];
};

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
feed(struct run *r, const uint8_t *data, size_t size, size_t step)
{
	uint8_t *piece = malloc(step), reply[SOCKS_REPLY_MAX];
	size_t used, len, n, at;

	require(piece != NULL);
	memset(r, 0, sizeof(*r));
	memset(&r->s, 'x', sizeof(r->s));
	socks_init(&r->s);
	for (at = 0; at < size; at += n) {
		n = size - at < step ? size - at : step;
		memcpy(piece, data + at, n);
		socks_feed(&r->s, piece, n, &used, reply, &len);
		require(used <= n && len <= sizeof(reply));
		require(used == n || r->s.state == SOCKS_DONE ||
			r->s.state == SOCKS_REFUSED);
		require(r->reply_len + len <= SOCKS_REPLY_MAX);
		memcpy(r->reply + r->reply_len, reply, len);
		r->used += used;
		r->reply_len += len;
	}
	free(piece);
}

static void
same(const struct run *a, const struct run *b)
{
	require(a->s.state == b->s.state && a->used == b->used);
	require(a->reply_len == b->reply_len &&
		memcmp(a->reply, b->reply, a->reply_len) == 0);
	require(opening_equal(&a->s.want, &b->s.want));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run whole, bytes, pieces;
	struct opening again;
	struct record r;

	if (size == 0)
		return 0;
	feed(&whole, data + 1, size - 1, size);
	feed(&bytes, data + 1, size - 1, 1);
	feed(&pieces, data + 1, size - 1, (size_t)data[0] + 1);
	same(&whole, &bytes);
	same(&whole, &pieces);
	if (whole.s.state != SOCKS_DONE) {
		require(whole.s.want.host[0] == '\0');
		return 0;
	}
	/* what it wants can be asked of a peer */
	require(opening_write(&whole.s.want, &r) == 0);
	require(opening_parse(&again, r.text, r.len) == 0);
	require(opening_equal(&whole.s.want, &again));
	return 0;
}
