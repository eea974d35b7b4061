/* SPDX-License-Identifier: ISC */
/* nat-stun: which address and port do STUN servers (RFC 8489) see us from? */
#include <string.h>

#include "command.h"
#include "log.h"

static const struct {
	const char *name;
	int (*run)(int argc, char *argv[]);
} commands[] = {
    {"behaviour", stun_command_behaviour},
    {"gather", stun_command_gather},
    {"check", stun_command_check},
    {"lifetime", stun_command_lifetime},
    {"pair", stun_command_pair},
};

int
main(int argc, char *argv[])
{
	log_init("nat-stun", 0);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (argc > 1 && strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return stun_command_mapped(argc, argv);
}
