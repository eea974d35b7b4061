/* SPDX-License-Identifier: ISC */
/* A byte stream in pieces: the lines that come out do not depend on where it
 * was cut, and none is longer than it may be. The first byte seeds the cuts. */
#include "line.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct digest {
	uint64_t hash;
	size_t lines;
};

static void
digest_cb(void *arg, const char *line, size_t len)
{
	struct digest *d = arg;
	size_t i;

	if (len > LINE_MAX_LEN || line[len] != '\0' ||
	    memchr(line, '\n', len) != NULL)
		abort();
	for (i = 0; i <= len; i++)
		d->hash = (d->hash ^ (uint8_t)line[i]) * 0x100000001b3;
	d->lines++;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct digest whole = {0}, pieces = {0};
	struct line a, b;
	unsigned seed;
	size_t at = 0, n;

	if (len == 0)
		return 0;
	seed = data[0];
	data++;
	len--;
	line_init(&a);
	line_feed(&a, data, len, digest_cb, &whole);
	line_end(&a, digest_cb, &whole);
	line_init(&b);
	while (at < len) {
		seed = seed * 1103515245 + 12345;
		n = 1 + (seed >> 16) % (seed & 1 ? 8 : 2000);
		if (n > len - at)
			n = len - at;
		line_feed(&b, data + at, n, digest_cb, &pieces);
		at += n;
	}
	line_end(&b, digest_cb, &pieces);
	if (whole.hash != pieces.hash || whole.lines != pieces.lines ||
	    a.too_long != b.too_long)
		abort();
	return 0;
}
