/* SPDX-License-Identifier: ISC */
/* Any netfilter messages, one after the other: type (16), flags (8), length
 * (8), bytes. All that comes out is a record that can be parsed. */
#include "watchbox.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
record_cb(void *arg, const struct record *r)
{
	struct record_view view;

	(void)arg;
	if (r->overflow || record_parse(&view, r->text, r->len) != 0 ||
	    record_get(&view, "box") == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct watchbox b;
	uint64_t now_ms = 1;
	size_t n;

	if (watchbox_init(&b, "na", "nat-watch-1", record_cb, NULL) != 0)
		abort();
	b.telling = b.forwards = true;
	while (len >= 4) {
		n = data[3] < len - 4 ? data[3] : len - 4;
		watchbox_feed(&b, (uint16_t)(data[0] << 8 | data[1]),
		    (uint16_t)(data[2] << 8), data + 4, n, now_ms, now_ms);
		data += 4 + n;
		len -= 4 + n;
		now_ms += 20;
		watchbox_tick(&b, now_ms);
	}
	watchbox_tick(&b, now_ms + 1000);
	watchbox_free(&b);
	return 0;
}
