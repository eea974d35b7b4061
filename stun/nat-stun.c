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
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static size_t
find(const char *name)
{
	size_t i = 0;

	while (i < COMMANDS && strcmp(name, commands[i].name) != 0)
		i++;
	return i;
}

bool
stun_command_exists(const char *name)
{
	return find(name) < COMMANDS;
}

int
main(int argc, char *argv[])
{
	size_t i = argc > 1 ? find(argv[1]) : COMMANDS;

	log_init("nat-stun", 0);
	if (i < COMMANDS)
		return commands[i].run(argc - 1, argv + 1);
	return stun_command_mapped(argc, argv);
}
