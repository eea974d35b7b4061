/* SPDX-License-Identifier: ISC */
/* The rendezvous server's TCP. */
#include "connections.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUTPUT_MAX 16384 /* bytes for a client that does not read */

int
connections_bind(struct connections *c, const struct addr *at, bool extra)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr *got = &c->at[c->n];
	int fd;

	if (c->n == CONNECTIONS_SOCKETS)
		return -ENOSPC;
	fd = stream_bind(at, false);
	if (fd < 0)
		return fd;
	*got = *at;
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		addr_from_sockaddr(got, (struct sockaddr *)&ss);
	got->tcp = true;
	c->extra[c->n] = extra;
	c->fd[c->n++] = fd;
	return 0;
}

bool
connections_is_extra(const struct connections *c, int i)
{
	return c->extra[i];
}

/* Which client spoke there? The number may be wrong later, and is checked
 * then. */
static void
remember(struct connections *c, const struct path *from, const uint8_t *data,
    size_t len)
{
	const uint8_t *id = NULL;
	struct stun_msg m;
	uint32_t client;

	if (stun_parse(&m, data, len) == 0 && m.method == NATKIT_SESSION)
		id = wire_session_id(&m);
	if (id == NULL)
		return;
	client = registry_by_id(&c->server->registry, id);
	if (client != REGISTRY_NONE)
		streams_mark(c->streams, from, client);
}

static bool
is_kept_cb(void *arg, const struct path *p, uint32_t client)
{
	const struct connections *c = arg;
	const struct registry *r = &c->server->registry;

	return client < r->max && r->clients[client].used &&
	       path_equal(&r->clients[client].path, p);
}

/* What is no message of ours costs the connection: nobody else is behind it. */
static bool
message_cb(void *arg, const struct path *from, const uint8_t *data, size_t len)
{
	struct connections *c = arg;
	uint64_t malformed = c->server->stats.malformed;

	server_step(c->server, from, data, len, now_ms());
	remember(c, from, data, len);
	c->stepped(c->arg);
	return c->server->stats.malformed == malformed;
}

static void
tell_cb(void *arg, enum stream_fate what)
{
	((struct connections *)arg)->count[what]++;
}

/* As many descriptors as there may be connections, twice. */
static void
raise_limit(uint32_t max)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1 || r.rlim_cur >= 2 * max)
		return;
	r.rlim_cur = r.rlim_max < 2 * max ? r.rlim_max : 2 * max;
	setrlimit(RLIMIT_NOFILE, &r);
}

int
connections_start(struct connections *c, struct loop *l, struct server *server,
    void (*stepped)(void *arg), void *arg)
{
	struct stream_config config = {
	    .message_max = STUN_MAX,
	    .output_max = OUTPUT_MAX,
	    .message = message_cb,
	    .tell = tell_cb,
	    .is_kept = is_kept_cb,
	    .arg = c,
	};
	uint32_t max = server->config.clients + STREAM_MAX;
	int rc;

	if (max > CONNECTIONS_MAX)
		max = CONNECTIONS_MAX;
	raise_limit(max);
	config.max = (int)max;
	c->server = server;
	c->stepped = stepped;
	c->arg = arg;
	rc = streams_new(&c->streams, l, &config);
	for (int i = 0; rc == 0 && i < c->n; i++)
		streams_listen(c->streams, c->fd[i], 0);
	return rc;
}

void
connections_send(
    struct connections *c, const struct path *to, const void *data, size_t len)
{
	if (c->streams != NULL)
		streams_send(c->streams, to, data, len);
}

void
connections_stop(struct connections *c)
{
	streams_free(c->streams);
	for (int i = 0; i < c->n; i++)
		close(c->fd[i]);
}
