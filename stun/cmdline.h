/* SPDX-License-Identifier: ISC */
/* The command line of nat-stun, and of its commands (getopt(3)). */
#ifndef NATKIT_CMDLINE_H
#define NATKIT_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port.h"
#include "servers.h"

#define CMDLINE_EXCLUDE 32

struct cmdline {
	bool v4, v6; /* families to use */
	bool follow;
	bool json;
	const char *path; /* of a port socket, or NULL */
	uint16_t port;	  /* 0: any */
	uint32_t wait_ms;
	bool timed; /* by -w */
	uint32_t keepalive_ms;
	const char *exclude[CMDLINE_EXCLUDE];
	size_t excludes;
	const char *server[SERVERS_NAMES];
	size_t servers;
};

/* letters is getopt's string, usage and help as option_begin takes them.
 * Checks everything but what the network must tell; a mistake ends the
 * program with exit code 100 and -h with 0. Operands are left at optind. */
void cmdline_parse(struct cmdline *o, int argc, char *argv[],
    const char *letters, const char *usage, const char *help);
/* A server that the command line names: -S or an operand. */
void cmdline_server(struct cmdline *o, const char *text);
/* May this address be asked through the port? */
bool cmdline_use(
    const struct cmdline *o, const struct port *p, const struct addr *a);

#endif
