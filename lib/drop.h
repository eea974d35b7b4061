/* SPDX-License-Identifier: ISC */
/* Giving privileges up, for good, verified. */
#ifndef NATKIT_DROP_H
#define NATKIT_DROP_H

#include <stdbool.h>
#include <stddef.h>

/* Drops every capability from every set (effective, permitted, inheritable,
 * ambient, and what it may of the bounding set) and sets no_new_privs. With
 * CAP_SETUID and CAP_SETGID the process becomes user first (groups, gid, uid,
 * verified). Without them: explicit, the user was asked for by an option and
 * the call fails; otherwise the ids stay as they are.
 * Returns 0, or -errno and what failed in *what. */
int drop_privileges(const char *user, bool explicit, const char **what);

/* Kills the process on any system call that is not in the list: those of
 * the event loop and allocator, plus extra[0..n) (libseccomp names).
 * Returns 0 or -errno. */
int drop_syscalls(const char *const extra[], size_t n);

/* What every program that parses network bytes calls after its sockets are
 * open: drop_privileges("nobody", false), fatal on failure. */
void drop_all(void);
/* The same for a program with -u: user is its argument, or NULL. */
void drop_to(const char *user);

#endif
