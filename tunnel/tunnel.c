/* SPDX-License-Identifier: ISC */
/* The engine of nat-pipe: one key, one UDP port, a link to each peer. Whose
 * datagram it is is told by where it comes from; links have their turns one
 * after the other. */
#include "tunnel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "linkpart.h"
#include "netport.h"

#define ARENA (1 << 20) /* bytes that may wait for netport_flush */
#define ALIGN 64

struct tunnel {
	struct tunnel_config config;
	struct netport *port;
	struct link *link[TUNNEL_PEERS]; /* the first n */
	size_t n;
	struct link *last; /* where the last datagram was from */
	bool shared;	   /* two links have one endpoint */
	struct event *work;
	struct link *first, **end; /* touched */
	size_t waiting;
	unsigned int depth; /* calls of ours that a callback may be within */
	bool armed;
	size_t used;
	uint8_t arena[ARENA];
};

const struct tunnel_config *
tunnel_config_of(const struct tunnel *t)
{
	return &t->config;
}

/* ---- sending ---- */

uint8_t *
tunnel_room(struct tunnel *t)
{
	if (ARENA - t->used < QUIC_WRITE_MAX) {
		netport_flush(t->port);
		t->used = 0;
	}
	return t->arena + t->used;
}

void
tunnel_put(struct tunnel *t, const struct addr *to, size_t len, size_t seg)
{
	netport_send(t->port, to, t->arena + t->used, len, seg);
	t->used += (len + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

void
tunnel_send(
    struct tunnel *t, const struct addr *to, const uint8_t *data, size_t len)
{
	netport_send(t->port, to, data, len, len);
	netport_flush(t->port);
}

/* ---- turns ---- */

static void
wake(struct tunnel *t)
{
	if (t->first == NULL || t->depth > 0 || t->armed)
		return;
	t->armed = true;
	event_active(t->work, EV_TIMEOUT, 0);
}

void
tunnel_touch(struct tunnel *t, struct link *l)
{
	if (l->touched || l->dead)
		return;
	l->touched = true;
	l->next = NULL;
	*t->end = l;
	t->end = &l->next;
	t->waiting++;
	wake(t);
}

static struct link *
take_touched(struct tunnel *t)
{
	struct link *l = t->first;

	t->first = l->next;
	if (t->first == NULL)
		t->end = &t->first;
	t->waiting--;
	return l;
}

static void
forget_touched(struct tunnel *t, const struct link *l)
{
	struct link **at = &t->first;

	while (*at != NULL && *at != l)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = l->next;
	t->waiting--;
	while (*at != NULL)
		at = &(*at)->next;
	t->end = at;
}

static void
tell_changes(struct tunnel *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct link *l = t->link[i];

		if (!l->changed || l->dead)
			continue;
		l->changed = false;
		if (t->config.changed != NULL)
			t->config.changed(t->config.arg, l);
	}
}

static void
find_shared(struct tunnel *t)
{
	t->last = NULL;
	t->shared = false;
	for (size_t i = 0; i < t->n; i++)
		for (size_t k = 0; k < t->n; k++)
			if (i != k &&
			    t->link[i]->endpoint.family != ADDR_NONE &&
			    link_is_at(t->link[k], &t->link[i]->endpoint))
				t->shared = true;
}

static void
remove_dead(struct tunnel *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (!t->link[i]->dead) {
			t->link[n++] = t->link[i];
			continue;
		}
		forget_touched(t, t->link[i]);
		link_free(t->link[i]);
	}
	if (n == t->n)
		return;
	t->n = n;
	find_shared(t);
}

/* Everybody who waits now has one turn; who has more to do then waits until
 * the sockets were looked at. */
static void
work(struct tunnel *t)
{
	const struct timeval now = {0, 0};
	size_t n = t->waiting;

	t->depth++;
	for (; n > 0 && t->first != NULL; n--) {
		struct link *l = take_touched(t);

		if (l->dead) {
			l->touched = false;
			continue;
		}
		if (link_turn(l))
			tunnel_touch(t, l);
	}
	netport_flush(t->port);
	t->used = 0;
	tell_changes(t);
	if (--t->depth > 0)
		return;
	remove_dead(t);
	t->armed = t->first != NULL;
	if (t->armed)
		event_add(t->work, &now);
}

static void
work_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	work(arg);
}

void
tunnel_turn(struct tunnel *t, struct link *l)
{
	t->depth++;
	tunnel_touch(t, l);
	t->depth--;
	work(t);
}

/* ---- what comes ---- */

static struct link *
find_from(struct tunnel *t, const struct addr *from)
{
	if (t->last != NULL && link_is_at(t->last, from))
		return t->last;
	for (size_t i = 0; i < t->n; i++)
		if (!t->link[i]->dead && link_is_at(t->link[i], from))
			return t->last = t->link[i];
	return NULL;
}

/* Two peers behind one endpoint: the connection id tells, and who has no
 * connection yet is asked for its proof by each. */
static void
packet_shared(
    struct tunnel *t, const struct addr *from, const uint8_t *data, size_t len)
{
	struct quic_head head;
	size_t i;

	if (quic_peek(&head, data, len) != 0)
		return;
	for (i = 0; i < t->n; i++)
		if (link_is_at(t->link[i], from) &&
		    link_owns(t->link[i], &head)) {
			link_packet(t->link[i], from, data, len);
			return;
		}
	for (i = 0; i < t->n; i++)
		if (!t->link[i]->dead && link_is_at(t->link[i], from))
			link_packet(t->link[i], from, data, len);
}

static void
packet_cb(void *arg, const struct addr *from, const uint8_t *data, size_t len,
    size_t seg)
{
	struct tunnel *t = arg;
	struct link *l = find_from(t, from);

	if (l == NULL || len == 0)
		return;
	t->depth++;
	for (size_t at = 0; at < len; at += seg) {
		size_t n = len - at < seg ? len - at : seg;

		if (t->shared)
			packet_shared(t, from, data + at, n);
		else if (!l->dead)
			link_packet(l, from, data + at, n);
	}
	t->depth--;
}

static void
batch_cb(void *arg)
{
	work(arg);
}

void
tunnel_moved(struct tunnel *t, struct link *l)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->link[i] != l)
			link_lose(t->link[i], &l->endpoint);
	find_shared(t);
}

/* ---- the tunnel ---- */

int
tunnel_new(struct tunnel **out, const struct tunnel_config *config)
{
	struct tunnel *t = calloc(1, sizeof(*t));
	struct netport_config c = {
	    .loop = config->loop,
	    .port = config->port,
	    .path = config->path,
	    .user = config->user,
	    .gso = config->gso,
	    .packet = packet_cb,
	    .batch = batch_cb,
	    .arg = t,
	};
	int rc;

	if (t == NULL)
		return -ENOMEM;
	t->config = *config;
	t->end = &t->first;
	if ((rc = netport_open(&t->port, &c)) != 0) {
		free(t);
		return rc;
	}
	t->work = loop_event(config->loop, -1, 0, work_cb, t);
	*out = t;
	return 0;
}

void
tunnel_free(struct tunnel *t)
{
	if (t == NULL)
		return;
	t->depth++; /* nothing is to be armed any more */
	for (size_t i = 0; i < t->n; i++)
		link_close(t->link[i]);
	for (size_t i = 0; i < t->n; i++)
		link_free(t->link[i]);
	event_free(t->work);
	netport_free(t->port);
	free(t);
}

uint16_t
tunnel_port(const struct tunnel *t)
{
	return netport_number(t->port);
}

const uint8_t *
tunnel_key(const struct tunnel *t)
{
	return t->config.pub;
}

struct link *
tunnel_find(struct tunnel *t, const uint8_t key[KEY_LEN])
{
	for (size_t i = 0; i < t->n; i++)
		if (!t->link[i]->dead &&
		    memcmp(t->link[i]->key, key, KEY_LEN) == 0)
			return t->link[i];
	return NULL;
}

struct link *
tunnel_link(struct tunnel *t, const uint8_t key[KEY_LEN])
{
	struct link *l = tunnel_find(t, key);

	if (l != NULL)
		return l;
	if (t->n == TUNNEL_PEERS || link_new(&l, t, key) != 0)
		return NULL;
	t->link[t->n++] = l;
	return l;
}

struct link *
tunnel_each(struct tunnel *t, size_t i)
{
	for (size_t k = 0; k < t->n; k++)
		if (!t->link[k]->dead && i-- == 0)
			return t->link[k];
	return NULL;
}

void
tunnel_forget(struct tunnel *t, struct link *l)
{
	t->depth++;
	link_close(l);
	if (--t->depth > 0)
		return;
	remove_dead(t);
	wake(t); /* who was touched meanwhile */
}
