/* SPDX-License-Identifier: ISC */
/* The commands of nat-relay: argv[0] is the command's name. Each returns the
 * exit code. */
#ifndef NATKIT_RELAYVERB_H
#define NATKIT_RELAYVERB_H

int relay_verb_pair(int argc, char *argv[]); /* pairfilter.c */
int relay_verb_tcp(int argc, char *argv[]);
int relay_verb_turn(int argc, char *argv[]);

#endif
