/* SPDX-License-Identifier: ISC */
/* Readiness, the s6 way: a newline on a descriptor that the option names. */
#ifndef NATKIT_READY_H
#define NATKIT_READY_H

/* text is -N's argument. Returns the descriptor, or -EBADMSG; it must be open
 * and above 2. */
int ready_parse(const char *text);
/* Writes a newline and closes. fd -1 does nothing. */
void ready_tell(int fd);

#endif
