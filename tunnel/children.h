/* SPDX-License-Identifier: ISC */
/* Programs that this one starts and outlives: each in a process group of its
 * own, with no descriptor of ours but standard error and the two it is given,
 * no signal ignored or blocked; reaped when it ends. */
#ifndef NATKIT_CHILDREN_H
#define NATKIT_CHILDREN_H

#include <stdint.h>

#include "loop.h"

#define CHILDREN_KILL_MS 5000 /* from SIGHUP to SIGKILL */

struct children; /* of one loop */
struct child;

int children_new(struct children **out, struct loop *l);
/* Those that still run get SIGHUP and are nobody's any more. */
void children_free(struct children *set);

struct child_config {
	char *const *argv; /* argv[0] is looked for in PATH */
	char *const *envp;
	int in, out; /* its standard input and output; -1: /dev/null */
	/* It has ended, by itself or by child_stop; status as waitpid(2) has it.
	 * The child is gone. Never from within. */
	void (*ended)(void *arg, int status);
	void *arg;
};

/* From now on programs get the limit of descriptors that this one has now,
 * however it is raised later: who uses select(2) does not survive a higher one. */
void children_keep_limit(void);

/* The descriptors stay the caller's. Returns 0, or -errno: also when the program
 * can't be run (-ENOENT, -EACCES, -ENOEXEC...). */
int child_start(
    struct child **out, struct children *set, const struct child_config *c);
/* Its group gets SIGHUP, and SIGKILL CHILDREN_KILL_MS later, or (now) at once. */
void child_stop(struct child *c, bool now);
/* ended isn't called any more. NULL does nothing. */
void child_forget(struct child *c);

#endif
