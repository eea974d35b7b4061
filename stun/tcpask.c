/* SPDX-License-Identifier: ISC */
/* One Binding request over TCP (RFC 8489 section 6.2.2). */
#include "tcpask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "question.h"

struct tcpask {
	int fd;
	struct event *ready, *limit;
	struct addr server;
	uint8_t tid[STUN_TID_LEN];
	uint8_t in[STUN_MAX];
	size_t len;
	bool sent, over;
	tcpask_fn *fn;
	void *arg;
};

static void
finish(struct tcpask *t, bool answered)
{
	if (t->over)
		return;
	t->over = true;
	event_del(t->ready);
	event_del(t->limit);
	t->fn(t->arg, answered);
}

static bool
is_answer(const struct tcpask *t)
{
	uint8_t tid[STUN_TID_LEN];
	struct answer a;

	return answer_parse(&a, tid, t->in, t->len, &t->server, &t->server) ==
		   0 &&
	       memcmp(tid, t->tid, STUN_TID_LEN) == 0;
}

static void
ready_cb(evutil_socket_t fd, short events, void *arg)
{
	struct tcpask *t = arg;
	struct question q = {0};
	uint8_t out[64];
	ssize_t n = 0;
	int len = 0;

	(void)events;
	if (!t->sent) {
		len = question_build(&q, t->tid, out, sizeof(out));
		n = send(fd, out, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n != len) {
			finish(t, false);
			return;
		}
		t->sent = true;
		event_del(t->ready);
		event_assign(t->ready, event_get_base(t->ready), fd,
		    EV_READ | EV_PERSIST, ready_cb, t);
		event_add(t->ready, NULL);
		return;
	}
	n = recv(fd, t->in + t->len, sizeof(t->in) - t->len, MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		finish(t, false);
		return;
	}
	t->len += (size_t)n;
	if (stun_is_stun(t->in, t->len))
		finish(t, is_answer(t));
	else if (t->len == sizeof(t->in))
		finish(t, false);
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
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(server, &ss);
	struct tcpask *t = calloc(1, sizeof(*t));
	int err = 0;

	if (t == NULL)
		return -ENOMEM;
	t->server = *server;
	t->fn = fn;
	t->arg = arg;
	stun_new_tid(t->tid);
	t->fd = socket(server->family == ADDR_V6 ? AF_INET6 : AF_INET,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd == -1 || (connect(t->fd, (struct sockaddr *)&ss, len) == -1 &&
			       errno != EINPROGRESS)) {
		err = -errno;
		if (t->fd != -1)
			close(t->fd);
		free(t);
		return err;
	}
	t->ready = loop_event(loop, t->fd, EV_WRITE, ready_cb, t);
	t->limit = loop_event(loop, -1, 0, limit_cb, t);
	event_add(t->ready, NULL);
	loop_at(t->limit, now_ms() + wait_ms);
	*out = t;
	return 0;
}

void
tcpask_free(struct tcpask *t)
{
	if (t == NULL)
		return;
	event_free(t->ready);
	event_free(t->limit);
	close(t->fd);
	free(t);
}
