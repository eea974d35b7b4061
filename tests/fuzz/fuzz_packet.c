/* SPDX-License-Identifier: ISC */
/* Any captured bytes: decoded without a read out of bounds, and what is said
 * of them is printing ASCII. The first byte picks the link type. */
#include "packet.h"

#include <stdlib.h>
#include <string.h>

#include "describe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check_text(const char *s, size_t size)
{
	if (memchr(s, '\0', size) == NULL)
		abort();
	for (; *s != '\0'; s++)
		if (*s < ' ' || *s > '~')
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const int links[] = {1, 12, 101, 276};
	struct describe d;
	struct packet p;

	if (len == 0 ||
	    packet_decode(&p, links[data[0] & 3], data + 1, len - 1) != 0)
		return 0;
	if (p.payload != NULL &&
	    (p.payload < data + 1 || p.payload + p.payload_len > data + len))
		abort();
	describe_packet(&d, &p);
	check_text(d.name, sizeof(d.name));
	check_text(d.detail, sizeof(d.detail));
	packet_is_unicast(&p);
	return 0;
}
