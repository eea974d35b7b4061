/* SPDX-License-Identifier: ISC */
/* The command line of nat-stun, and of its commands (getopt(3)). */
#include "cmdline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "option.h"
#include "resolve.h"

#define WAIT_S 5
#define KEEPALIVE_S 25 /* RFC 8445 section 11 asks for 15 or more */

void
cmdline_server(struct cmdline *o, const char *text)
{
	char host[RESOLVE_HOST];
	uint16_t port = 0;

	if (resolve_parse(text, RESOLVE_STUN_PORT, host, &port) != 0)
		option_fail(
		    "server %s: give host, host:port, 192.0.2.1:port or "
		    "[2001:db8::1]:port",
		    text);
	if (o->servers == SERVERS_NAMES)
		option_fail("too many servers: give at most %d", SERVERS_NAMES);
	o->server[o->servers++] = text;
}

static void
option(struct cmdline *o, int letter, const char *arg)
{
	switch (letter) {
	case '4':
		o->v4 = true;
		break;
	case '6':
		o->v6 = true;
		break;
	case 'f':
		o->follow = true;
		break;
	case 'j':
		o->json = true;
		break;
	case 'p':
		o->port = (uint16_t)option_number("-p", arg, 1, 65535);
		break;
	case 's':
		o->path = arg;
		break;
	case 'S':
		cmdline_server(o, arg);
		break;
	case 't':
		o->keepalive_ms = option_number("-t", arg, 1, 3600) * 1000;
		break;
	case 'w':
		o->timed = true;
		o->wait_ms = option_number("-w", arg, 1, 3600) * 1000;
		break;
	case 'x':
		if (o->excludes == CMDLINE_EXCLUDE)
			option_fail(
			    "too many -x: give at most %d", CMDLINE_EXCLUDE);
		o->exclude[o->excludes++] = arg;
		break;
	}
}

void
cmdline_parse(struct cmdline *o, int argc, char *argv[], const char *letters,
    const char *usage, const char *help)
{
	int ch = 0;

	*o = (struct cmdline){
	    .wait_ms = WAIT_S * 1000,
	    .keepalive_ms = KEEPALIVE_S * 1000,
	};
	option_begin(usage, help);
	while ((ch = option_next(argc, argv, letters)) != -1)
		option(o, ch, optarg);
	if (!o->v4 && !o->v6)
		o->v4 = o->v6 = true;
	if (o->path != NULL && o->port != 0)
		option_fail(
		    "-s and -p exclude each other: give the port socket "
		    "or a port of its own");
}

bool
cmdline_use(const struct cmdline *o, const struct port *p, const struct addr *a)
{
	return (a->family == ADDR_V6 ? o->v6 : o->v4) &&
	       port_has_family(p, a->family);
}
