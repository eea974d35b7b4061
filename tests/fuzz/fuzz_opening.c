/* SPDX-License-Identifier: ISC */
/* The first line of a stream, from whoever opened it. What is taken for an
 * opening holds only hosts, ports and paths that are good, in one spelling, and
 * is written and parsed to the same; so is an answer. */
#include "opening.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static bool
is_host(const char *host)
{
	char again[HOSTPORT_HOST];

	return hostport_host(again, host) == 0 && strcmp(again, host) == 0;
}

static void
check(const struct opening *o)
{
	char text[OPENING_TEXT];
	struct opening again;
	struct record r;

	switch (o->to) {
	case OPENING_TCP:
	case OPENING_UDP:
		require(is_host(o->host) && o->port != 0);
		break;
	case OPENING_UNIX:
		require(opening_path_is_good(o->path));
		break;
	case OPENING_LISTEN:
		require(o->path[0] == '\0' ||
			(opening_path_is_good(o->path) && o->host[0] == '\0'));
		require(o->host[0] == '\0' || strcmp(o->host, "*") == 0 ||
			(is_host(o->host) && hostport_is_address(o->host)));
		break;
	default:
		require(o->host[0] == '\0' && o->path[0] == '\0');
	}
	require(strlen(opening_format(o, text)) < OPENING_TEXT - 1);
	require(opening_write(o, &r) == 0);
	memset(&again, 'x', sizeof(again));
	require(opening_parse(&again, r.text, r.len) == 0);
	require(opening_equal(o, &again));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum opening_reason reason, reason2;
	uint16_t port, port2;
	struct opening o;
	struct record r;
	char *line;

	/* a copy of exactly this size, so that a read past it is seen */
	line = malloc(size > 0 ? size : 1);
	require(line != NULL);
	if (size > 0)
		memcpy(line, data, size);
	memset(&o, 'x', sizeof(o));
	if (opening_parse(&o, line, size) == 0)
		check(&o);
	if (opening_answer_parse(&reason, &port, line, size) == 0) {
		require(reason == OPENING_OK || port == 0);
		require(opening_answer_write(reason, port, &r) == 0);
		require(
		    opening_answer_parse(&reason2, &port2, r.text, r.len) == 0);
		require(reason == reason2 && port == port2);
	}
	free(line);
	return 0;
}
