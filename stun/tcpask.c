/* SPDX-License-Identifier: ISC */
/* One Binding request over TCP (RFC 8489 section 6.2.2). */
#include "tcpask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "question.h"

struct tcpask {
	struct conn *conn;
	struct event *limit;
	struct addr server;
	uint8_t tid[STUN_TID_LEN];
	bool over;
	tcpask_fn *fn;
	void *arg;
};

static void
finish(struct tcpask *t, bool answered)
{
	if (t->over)
		return;
	t->over = true;
	event_del(t->limit);
	t->fn(t->arg, answered);
}

/* fn may have freed both. */
static bool
message_cb(void *arg, const uint8_t *data, size_t len)
{
	struct tcpask *t = arg;
	uint8_t tid[STUN_TID_LEN];
	struct answer a;
	bool ours =
	    answer_parse(&a, tid, data, len, &t->server, &t->server) == 0 &&
	    memcmp(tid, t->tid, STUN_TID_LEN) == 0;

	conn_free(t->conn);
	t->conn = NULL;
	finish(t, ours);
	return false;
}

static void
closed_cb(void *arg, const char *why)
{
	(void)why;
	finish(arg, false);
}

static void
limit_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	finish(arg, false);
}

int
tcpask_start(struct tcpask **out, struct loop *loop, const struct addr *server,
    uint32_t wait_ms, tcpask_fn *fn, void *arg)
{
	struct conn_config config = {.message_max = STUN_MAX,
	    .message = message_cb,
	    .closed = closed_cb};
	struct tcpask *t = calloc(1, sizeof(*t));
	struct question q = {0};
	uint8_t request[64];
	int rc;

	if (t == NULL)
		return -ENOMEM;
	t->server = *server;
	t->fn = fn;
	t->arg = arg;
	stun_new_tid(t->tid);
	config.arg = t;
	rc = conn_connect(&t->conn, loop, server, wait_ms, &config);
	if (rc != 0) {
		free(t);
		return rc;
	}
	rc = question_build(&q, t->tid, request, sizeof(request));
	if (rc > 0)
		conn_send(t->conn, request, (size_t)rc, NULL, 0, false);
	t->limit = loop_event(loop, -1, 0, limit_cb, t);
	loop_at(t->limit, now_ms() + wait_ms);
	*out = t;
	return 0;
}

void
tcpask_free(struct tcpask *t)
{
	if (t == NULL)
		return;
	event_free(t->limit);
	conn_free(t->conn);
	free(t);
}
