/* SPDX-License-Identifier: ISC */
/* A frame that the kernel left uncut: whatever it is, the segments are no
 * longer than they say and their payloads are the frame's, in order. The first
 * ten bytes are the offload header. */
#include "segment.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct virtio_net_hdr v;
	struct segment s;
	size_t n, at = 0;

	if (len < sizeof(v))
		return 0;
	memcpy(&v, data, sizeof(v));
	data += sizeof(v);
	len -= sizeof(v);
	if (segment_begin(&s, data, len, &v) != 0) {
		if (segment_len(&s) != 0)
			abort();
		return 0;
	}
	while ((n = segment_len(&s)) > 0) {
		uint8_t *out = malloc(n);

		if (out == NULL)
			break;
		segment_next(&s, out);
		if (n <= s.header || n - s.header > v.gso_size ||
		    memcmp(out + s.header, data + s.header + at,
			n - s.header) != 0)
			abort();
		at += n - s.header;
		free(out);
	}
	if (at != len - s.header)
		abort();
	return 0;
}
