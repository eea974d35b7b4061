/* SPDX-License-Identifier: ISC */
/* Streams of a peer that are for a socket of this host. */
#include "callee.h"

#include <stdlib.h>
#include <unistd.h>

#include "target.h"

struct callee {
	struct callees *set; /* NULL: let go */
	struct callee *next;
	struct joint *joint;
	struct target *target; /* NULL: connected */
	struct opening what;
};

static void
leave(struct callee *c)
{
	struct callee **p;

	if (c->set == NULL)
		return;
	for (p = &c->set->first; *p != c; p = &(*p)->next)
		;
	*p = c->next;
	c->set->open--;
	c->set = NULL;
}

static void
tell_failed(struct callees *set, struct joint *j, const struct opening *what,
    enum opening_reason r)
{
	set->refused++;
	if (set->failed != NULL)
		set->failed(set->arg, j, what, r);
}

static void
refuse(struct callee *c, enum opening_reason r)
{
	struct joint *j = c->joint;

	tell_failed(c->set, j, &c->what, r);
	leave(c);
	free(c);
	joint_refuse(j, r);
}

static void
ended_cb(void *arg, const struct joint_result *r)
{
	(void)r;
	leave(arg);
	free(arg);
}

static void
connected_cb(void *arg, int fd, enum opening_reason reason)
{
	struct callee *c = arg;
	int rc;

	c->target = NULL;
	if (fd < 0) {
		refuse(c, reason);
		return;
	}
	rc = joint_accept(c->joint, 0,
	    &(struct joint_config){
		.in = fd,
		.out = fd,
		.ended = ended_cb,
		.arg = c,
	    });
	if (rc != 0) {
		close(fd);
		refuse(c, OPENING_FAILED);
	} else if (c->set->opened != NULL) {
		c->set->opened(c->set->arg, c->joint, &c->what);
	}
}

/* The peer does not want it any more. */
static void
gone_cb(void *arg, struct joint *j)
{
	struct callee *c = arg;

	(void)j;
	target_cancel(c->target);
	leave(c);
	free(c);
}

void
callee_take(struct callees *set, struct joint *j, const struct opening *what)
{
	struct callee *c = calloc(1, sizeof(*c));

	set->total++;
	if (c == NULL || target_connect(&c->target, set->loop, set->resolver,
			     what, CALLEES_CONNECT_MS, connected_cb, c) != 0) {
		free(c);
		tell_failed(set, j, what, OPENING_FAILED);
		joint_refuse(j, OPENING_FAILED);
		return;
	}
	c->set = set;
	c->joint = j;
	c->what = *what;
	c->next = set->first;
	set->first = c;
	set->open++;
	joint_on_gone(j, gone_cb, c);
}

void
callees_end(struct callees *set, bool let_go)
{
	struct callee *next = NULL;

	set->failed = NULL; /* it is no news */
	for (struct callee *c = set->first; c != NULL; c = next) {
		struct joint *j = c->joint;

		next = c->next;
		if (c->target != NULL) {
			target_cancel(c->target);
			c->target = NULL;
			refuse(c, OPENING_NOBODY);
			continue;
		}
		leave(c);
		if (!let_go)
			joint_cancel(j, false);
	}
}
