/* SPDX-License-Identifier: ISC */
/* The commands of nat-rendezvous: argv[0] is the command's name. Each returns
 * the exit code. */
#ifndef NATKIT_VERB_H
#define NATKIT_VERB_H

int verb_agent(int argc, char *argv[]);
int verb_key(int argc, char *argv[]);
int verb_ping(int argc, char *argv[]);

#endif
