/* SPDX-License-Identifier: ISC */
/* nat-rendezvous: the client's side of the rendezvous protocol (DESIGN.md),
 * one command a file. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "exitcode.h"
#include "log.h"
#include "verb.h"

static const struct {
	const char *name;
	int (*run)(int argc, char *argv[]);
} verbs[] = {
    {"agent", verb_agent},
    {"key", verb_key},
    {"ping", verb_ping},
};

static const char usage[] = "usage: nat-rendezvous agent|key|ping [options]\n"
			    "       (each explains itself with -h)\n";

int
main(int argc, char *argv[])
{
	log_init("nat-rendezvous", 0);
	if (sodium_init() == -1)
		fatalx(EXIT_INTERNAL, "libsodium does not start");
	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]);
	     i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "-h") == 0) {
		fputs(usage, stdout);
		return EXIT_YES;
	}
	if (argc > 1)
		log_warnx(
		    "%s: no such command; give agent, key or ping", argv[1]);
	else
		log_warnx("give a command: agent, key or ping");
	fputs(usage, stderr);
	return EXIT_USAGE;
}
