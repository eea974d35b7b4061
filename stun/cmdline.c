/* SPDX-License-Identifier: ISC */
/* The command line of nat-stun, and of its commands (getopt(3)). */
#include "cmdline.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exitcode.h"
#include "log.h"
#include "resolve.h"

#define WAIT_S 5
#define KEEPALIVE_S 25 /* RFC 8445 section 11 asks for 15 or more */

void
cmdline_fail(const char *usage, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	/* clang-tidy's checker errs when it sees more than one file:
	 * NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_init(log_prog(), 0); /* -q does not silence this */
	log_warnx("%s", text);
	fprintf(stderr, "usage: nat-stun %s\n", usage);
	exit(EXIT_USAGE);
}

static uint32_t
number(char letter, const char *text, uint32_t min, uint32_t max,
    const char *usage)
{
	uint64_t v = 0;
	size_t len = strlen(text);

	if (len == 0 || len > 9 || strspn(text, "0123456789") != len)
		cmdline_fail(usage, "-%c %s: give a number from %u to %u",
		    letter, text, min, max);
	v = strtoull(text, NULL, 10);
	if (v < min || v > max)
		cmdline_fail(usage, "-%c %s: give a number from %u to %u",
		    letter, text, min, max);
	return (uint32_t)v;
}

void
cmdline_server(struct cmdline *o, const char *text, const char *usage)
{
	char host[RESOLVE_HOST];
	uint16_t port = 0;

	if (resolve_parse(text, RESOLVE_STUN_PORT, host, &port) != 0)
		cmdline_fail(usage,
		    "server %s: give host, host:port, 192.0.2.1:port or "
		    "[2001:db8::1]:port",
		    text);
	if (o->servers == SERVERS_NAMES)
		cmdline_fail(
		    usage, "too many servers: give at most %d", SERVERS_NAMES);
	o->server[o->servers++] = text;
}

static void
option(struct cmdline *o, int letter, const char *arg, const char *usage)
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
		o->port = (uint16_t)number('p', arg, 1, 65535, usage);
		break;
	case 'q':
		log_quiet();
		break;
	case 's':
		o->path = arg;
		break;
	case 'S':
		cmdline_server(o, arg, usage);
		break;
	case 't':
		o->keepalive_ms = number('t', arg, 1, 3600, usage) * 1000;
		break;
	case 'v':
		log_more();
		break;
	case 'w':
		o->wait_ms = number('w', arg, 1, 3600, usage) * 1000;
		break;
	case 'x':
		if (o->excludes == CMDLINE_EXCLUDE)
			cmdline_fail(usage, "too many -x: give at most %d",
			    CMDLINE_EXCLUDE);
		o->exclude[o->excludes++] = arg;
		break;
	}
}

void
cmdline_parse(struct cmdline *o, int argc, char *argv[], const char *letters,
    const char *usage)
{
	int ch = 0;

	*o = (struct cmdline){
	    .wait_ms = WAIT_S * 1000,
	    .keepalive_ms = KEEPALIVE_S * 1000,
	};
	opterr = 0;
	while ((ch = getopt(argc, argv, letters)) != -1) {
		if (ch == 'h') {
			printf("usage: nat-stun %s\n", usage);
			exit(fflush(stdout) == 0 ? EXIT_YES : EXIT_TEMP);
		}
		if (ch == ':')
			cmdline_fail(usage, "-%c needs an argument", optopt);
		if (ch == '?')
			cmdline_fail(usage,
			    "no option -%c here: see nat-stun(1)", optopt);
		option(o, ch, optarg, usage);
	}
	if (!o->v4 && !o->v6)
		o->v4 = o->v6 = true;
	if (o->path != NULL && o->port != 0)
		cmdline_fail(usage,
		    "-s and -p exclude each other: give the port socket "
		    "or a port of its own");
}

struct port *
cmdline_port(const struct cmdline *o)
{
	struct port *p = NULL;
	int err = 0;

	if (o->path != NULL) {
		if ((err = port_connect(&p, o->path)) == 0)
			return p;
		errno = -err;
		fatal(err == -EACCES || err == -EPERM ? EXIT_USAGE : EXIT_TEMP,
		    "port socket %s (is nat-port running?)", o->path);
	}
	if ((err = port_bind(&p, o->port)) == 0)
		return p;
	errno = -err;
	if (err == -EADDRINUSE)
		fatal(EXIT_USAGE,
		    "port %u belongs to another program: lend it with "
		    "nat-port and give its socket with -s",
		    o->port);
	fatal(err == -EACCES ? EXIT_USAGE : EXIT_TEMP, "port %u", o->port);
}

bool
cmdline_use(const struct cmdline *o, const struct port *p, const struct addr *a)
{
	return (a->family == ADDR_V6 ? o->v6 : o->v4) &&
	       port_has_family(p, a->family);
}
