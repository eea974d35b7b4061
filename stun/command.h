/* SPDX-License-Identifier: ISC */
/* The commands of nat-stun, one file each. argv[0] is the command's name, the
 * return value the exit code. */
#ifndef NATKIT_STUN_COMMAND_H
#define NATKIT_STUN_COMMAND_H

#include <stdbool.h>

#define STUN_COMMANDS "behaviour, check, gather, lifetime, pair"

bool stun_command_exists(const char *name);
int stun_command_mapped(int argc, char *argv[]);
int stun_command_gather(int argc, char *argv[]);
int stun_command_behaviour(int argc, char *argv[]);
int stun_command_check(int argc, char *argv[]);
int stun_command_lifetime(int argc, char *argv[]);
int stun_command_pair(int argc, char *argv[]);

#endif
