/* SPDX-License-Identifier: ISC */
/* A program that decides whether a peer may have what it wants. */
#include "hook.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

struct hook {
	struct child *child;
	struct event *timer;
	hook_fn *fn;
	void *arg;
};

static void
finish(struct hook *h, bool yes)
{
	hook_fn *fn = h->fn;
	void *arg = h->arg;

	event_free(h->timer);
	free(h);
	fn(arg, yes);
}

static void
ended_cb(void *arg, int status)
{
	finish(arg, WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	struct hook *h = arg;

	(void)fd;
	(void)events;
	child_stop(h->child, true);
	child_forget(h->child);
	finish(h, false);
}

int
hook_ask(struct hook **out, struct loop *l, struct children *set,
    const char *path, char *const *envp, uint32_t timeout_ms, hook_fn *fn,
    void *arg)
{
	struct hook *h = calloc(1, sizeof(*h));
	char *argv[2] = {(char *)(uintptr_t)path, NULL};
	int rc;

	if (h == NULL)
		return -ENOMEM;
	h->fn = fn;
	h->arg = arg;
	rc = child_start(&h->child, set,
	    &(struct child_config){
		.argv = argv,
		.envp = envp,
		.in = -1,
		.out = -1,
		.ended = ended_cb,
		.arg = h,
	    });
	if (rc != 0) {
		free(h);
		return rc;
	}
	h->timer = loop_event(l, -1, 0, timer_cb, h);
	loop_at(h->timer, now_ms() + timeout_ms);
	*out = h;
	return 0;
}

void
hook_cancel(struct hook *h)
{
	if (h == NULL)
		return;
	child_stop(h->child, true);
	child_forget(h->child);
	event_free(h->timer);
	free(h);
}
