/* SPDX-License-Identifier: ISC */
/* A byte stream, cut up as the first bytes say and whole: the same frames have
 * to come out, each no longer than allowed. */
#include <stdlib.h>
#include <string.h>

#include "framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX 600

struct frames {
	size_t n, bytes;
	uint64_t sum;
	int rc;
};

static void
take(struct frames *r, const uint8_t *frame, size_t len)
{
	if (len < 4 || len > MAX)
		abort();
	r->n++;
	r->bytes += len;
	for (size_t i = 0; i < len; i++)
		r->sum = r->sum * 31 + frame[i];
}

static struct frames
feed(const uint8_t *data, size_t size, bool channel_data, size_t piece)
{
	struct frames r = {0};
	const uint8_t *frame;
	struct framing f;
	struct cursor c;
	size_t len;

	framing_init(&f, channel_data, MAX);
	for (size_t i = 0; i < size && r.rc == 0; i += piece) {
		size_t n = piece < size - i ? piece : size - i;
		/* so that a read past the end is seen */
		uint8_t *copy = malloc(n);

		if (copy == NULL)
			abort();
		memcpy(copy, data + i, n);
		cursor_init(&c, copy, n);
		while ((r.rc = framing_next(&f, &c, &frame, &len)) == 1)
			take(&r, frame, len);
		free(copy);
	}
	framing_free(&f);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frames whole, cut;
	bool channel_data;
	size_t piece;

	if (size < 2)
		return 0;
	channel_data = data[0] & 1;
	piece = (data[0] >> 1) + 1u;
	data++;
	size--;
	whole = feed(data, size, channel_data, size);
	cut = feed(data, size, channel_data, piece);
	if (whole.n != cut.n || whole.bytes != cut.bytes ||
	    whole.sum != cut.sum || whole.rc != cut.rc)
		abort();
	return 0;
}
