/* SPDX-License-Identifier: ISC */
/* The STUN servers that gather asks, all from one port: transactions (RFC
 * 8489), keepalives (RFC 8445 section 11) and rounds. */
#include "servers.h"

#include <string.h>

void
servers_init(struct servers *s, uint32_t keepalive_ms)
{
	*s = (struct servers){
	    .keepalive_ms = keepalive_ms,
	};
}

static void
ask(struct servers *s, struct server *v, uint64_t now_us)
{
	binding_start(&v->binding, &v->addr, v->rtt_us, now_us);
	v->unreachable = false;
	v->next_ms =
	    s->keepalive_ms > 0 ? now_us / 1000 + s->keepalive_ms : UINT64_MAX;
}

static struct server *
find(struct servers *s, const struct addr *addr)
{
	for (size_t i = 0; i < s->n; i++)
		if (addr_equal(&s->list[i].addr, addr))
			return &s->list[i];
	return NULL;
}

bool
servers_set(struct servers *s, size_t name, const struct addr *list, size_t n,
    uint64_t now_us)
{
	uint32_t bit = UINT32_C(1) << name;
	struct server *v = NULL;
	bool lost = false;
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++)
		s->list[i].names &= ~bit;
	for (size_t i = 0; i < n; i++) {
		if ((v = find(s, &list[i])) == NULL) {
			if (s->n == SERVERS_MAX)
				continue;
			v = &s->list[s->n++];
			*v = (struct server){.addr = list[i]};
			ask(s, v, now_us);
		}
		v->names |= bit;
	}
	for (size_t i = 0; i < s->n; i++) {
		if (s->list[i].names != 0)
			s->list[kept++] = s->list[i];
		else if (s->list[i].known)
			lost = true;
	}
	s->n = kept;
	return lost;
}

void
servers_round(struct servers *s, uint64_t now_us, uint32_t limit_ms,
    uint32_t after_first_ms)
{
	s->open = true;
	s->close_ms = now_us / 1000 + limit_ms;
	s->after_first_ms = after_first_ms;
	for (size_t i = 0; i < s->n; i++) {
		s->list[i].known = false;
		s->list[i].failures = 0;
		ask(s, &s->list[i], now_us);
	}
}

bool
servers_over(const struct servers *s, uint64_t now_us)
{
	if (now_us / 1000 >= s->close_ms)
		return true;
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i].binding.state == BINDING_OPEN &&
		    !s->list[i].unreachable)
			return false;
	return true;
}

/* The keepalive before this one is still without a mapping: a failure. */
static enum servers_event
keepalive(struct servers *s, struct server *v, uint64_t now_us)
{
	bool answered = v->binding.state == BINDING_MAPPED;

	ask(s, v, now_us);
	if (answered)
		return SERVERS_NOTHING;
	v->failures++;
	if (v->known && v->failures >= SERVERS_FAILURES) {
		v->known = false;
		return SERVERS_FORGOTTEN;
	}
	return SERVERS_SILENT;
}

enum servers_event
servers_step(struct servers *s, uint64_t now_us,
    uint8_t out[BINDING_REQUEST_MAX], size_t *len, struct server **who)
{
	enum servers_event event = SERVERS_NOTHING;

	for (size_t i = 0; i < s->n; i++) {
		struct server *v = &s->list[i];
		int n = 0;

		*who = v;
		if (now_us / 1000 >= v->next_ms &&
		    (event = keepalive(s, v, now_us)) != SERVERS_NOTHING)
			return event;
		if ((n = binding_step(&v->binding, now_us, out)) > 0) {
			*len = (size_t)n;
			return SERVERS_SEND;
		}
	}
	*who = NULL;
	return SERVERS_NOTHING;
}

uint64_t
servers_next(const struct servers *s)
{
	uint64_t next = s->open ? s->close_ms : UINT64_MAX;

	for (size_t i = 0; i < s->n; i++) {
		const struct server *v = &s->list[i];

		if (v->next_ms < next)
			next = v->next_ms;
		if (v->binding.state == BINDING_OPEN &&
		    v->binding.t.next_ms < next)
			next = v->binding.t.next_ms;
	}
	return next;
}

static enum servers_event
answered(struct servers *s, struct server *v, uint64_t now_us)
{
	const struct binding *b = &v->binding;
	uint64_t soon_ms = now_us / 1000 + s->after_first_ms;
	bool first = !v->known;
	bool same = v->known && addr_equal(&v->mapped, &b->mapped) &&
		    addr_equal(&v->base, &b->local);

	v->known = true;
	v->mapped = b->mapped;
	v->base = b->local;
	v->failures = 0;
	v->unreachable = false;
	if (b->t.sent == 1) /* else it's not known which one was answered */
		v->rtt_us = b->rtt_us;
	if (s->open && soon_ms < s->close_ms)
		s->close_ms = soon_ms;
	if (first)
		return SERVERS_ANSWER;
	return same ? SERVERS_NOTHING : SERVERS_REMAPPED;
}

enum servers_event
servers_reply(struct servers *s, const void *data, size_t len,
    const struct addr *from, const struct addr *local, uint64_t now_us,
    struct server **who)
{
	struct server *v = find(s, from);

	*who = v;
	if (v == NULL ||
	    !binding_reply(&v->binding, data, len, from, local, now_us))
		return SERVERS_NOTHING;
	if (v->binding.state == BINDING_REFUSED)
		return SERVERS_REFUSED;
	return answered(s, v, now_us);
}

struct server *
servers_unreachable(struct servers *s, const struct addr *addr)
{
	struct server *v = find(s, addr);

	if (v == NULL || v->unreachable || v->binding.state != BINDING_OPEN)
		return NULL;
	v->unreachable = true;
	return v;
}
