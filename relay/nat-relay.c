/* SPDX-License-Identifier: ISC */
/* nat-relay: the client's side of relays, one command a file. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "exitcode.h"
#include "log.h"
#include "relayverb.h"

/* One entry a line: add yours when its file is there. */
static const struct {
	const char *name;
	int (*run)(int argc, char *argv[]);
} verbs[] = {
    {"pair", relay_verb_pair},
    {"tcp", relay_verb_tcp},
    {"turn", relay_verb_turn},
};

static const char usage[] = "usage: nat-relay pair|tcp|turn [options]\n"
			    "       (each explains itself with -h)\n";

int
main(int argc, char *argv[])
{
	log_init("nat-relay", 0);
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
		log_fatalx(
		    "%s: no such command; give pair, tcp or turn", argv[1]);
	else
		log_fatalx("give a command: pair, tcp or turn");
	fputs(usage, stderr);
	return EXIT_USAGE;
}
