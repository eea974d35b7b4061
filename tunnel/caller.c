/* SPDX-License-Identifier: ISC */
/* Connections that came to a listener of ours, and the streams they become. */
#include "caller.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "socks.h"

struct caller {
	struct callers *set; /* NULL: let go */
	struct caller *next;
	struct joint *joint;
	/* The same connection as the joint has, which stays open when the joint
	 * ends, to tell the client why; -1 once the peer has said yes. */
	int fd;
	bool socks;
	enum opening_reason reason; /* that there is none */
};

void
caller_reset(int fd)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

/* A reply fits into the buffer of a socket that nothing was written to. */
static void
say(int fd, enum opening_reason r)
{
	uint8_t reply[SOCKS_REPLY_MAX];
	size_t len = socks_reply(r, reply);

	(void)!send(fd, reply, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
turn_away(int fd, bool socks, enum opening_reason r)
{
	struct linger off = {.l_onoff = 0};

	if (!socks) {
		caller_reset(fd);
		return;
	}
	say(fd, r);
	/* the joint has meant to reset it */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
	close(fd);
}

static void
answered_cb(void *arg, enum opening_reason r, uint16_t port)
{
	struct caller *c = arg;

	(void)port;
	c->reason = r;
	if (r != OPENING_OK)
		return; /* ended comes */
	if (c->socks)
		say(c->fd, OPENING_OK);
	close(c->fd);
	c->fd = -1;
	if (c->set != NULL && c->set->opened != NULL)
		c->set->opened(c->set->arg, joint_what(c->joint));
}

static void
tell_failed(struct callers *set, const struct opening *what,
    const struct joint_result *res)
{
	set->refused++;
	if (set->failed != NULL)
		set->failed(set->arg, what, res);
}

static void
leave(struct caller *c)
{
	struct caller **p;

	if (c->set == NULL)
		return;
	for (p = &c->set->first; *p != c; p = &(*p)->next)
		;
	*p = c->next;
	c->set->open--;
	c->set = NULL;
}

static void
ended_cb(void *arg, const struct joint_result *r)
{
	struct caller *c = arg;

	if (c->fd >= 0) {
		if (c->set != NULL)
			tell_failed(c->set, joint_what(c->joint), r);
		turn_away(c->fd, c->socks, c->reason);
	}
	leave(c);
	free(c);
}

static int
begin(struct caller *c, struct link *l, int fd, const struct opening *what)
{
	int rc;

	c->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (c->fd == -1)
		return -errno;
	rc = joint_open(&c->joint, l, what,
	    &(struct joint_config){
		.in = fd,
		.out = fd,
		.wait_ms = CALLERS_WAIT_MS,
		.answered = answered_cb,
		.ended = ended_cb,
		.arg = c,
	    });
	if (rc != 0)
		close(c->fd);
	return rc;
}

void
caller_take(struct callers *set, int fd, const struct opening *what, bool socks)
{
	const struct joint_result busy = {.end = JOINT_CLOSED};
	struct caller *c = NULL;

	set->total++;
	if (set->open < CALLERS_MAX)
		c = calloc(1, sizeof(*c));
	if (c != NULL) {
		c->socks = socks;
		c->reason = OPENING_UNREACHABLE;
		if (begin(c, set->link, fd, what) == 0) {
			c->set = set;
			c->next = set->first;
			set->first = c;
			set->open++;
			return;
		}
		free(c);
	}
	tell_failed(set, what, &busy);
	turn_away(fd, socks, OPENING_BUSY);
}

void
callers_end(struct callers *set, bool let_go)
{
	struct caller *next = NULL;

	for (struct caller *c = set->first; c != NULL; c = next) {
		next = c->next;
		leave(c);
		if (!let_go)
			joint_cancel(c->joint, false);
	}
}
