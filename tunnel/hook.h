/* SPDX-License-Identifier: ISC */
/* A program that decides whether a peer may have what it wants: exit code 0 is
 * yes; anything else, a signal, or no answer in time is no. */
#ifndef NATKIT_HOOK_H
#define NATKIT_HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "children.h"

struct hook;

/* The hook is over. */
typedef void hook_fn(void *arg, bool yes);

/* Its standard input and output are /dev/null. fn is called once, never from
 * within. Returns 0 or -errno: it can't be run. */
int hook_ask(struct hook **out, struct loop *l, struct children *set,
    const char *path, char *const *envp, uint32_t timeout_ms, hook_fn *fn,
    void *arg);
/* Nobody wants to know any more: it is killed. NULL does nothing. */
void hook_cancel(struct hook *h);

#endif
