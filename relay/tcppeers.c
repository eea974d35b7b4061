/* SPDX-License-Identifier: ISC */
/* What nat-relay tcp knows of the peers. */
#include "tcppeers.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

struct tcppeer *
tcppeers_find(struct tcppeers *t, const uint8_t key[KEY_LEN])
{
	for (size_t i = 0; i < TCPPEERS_MAX; i++)
		if (t->peer[i].used && key_equal(t->peer[i].key, key))
			return &t->peer[i];
	return NULL;
}

static struct tcppeer *
add_peer(struct tcppeers *t, const uint8_t key[KEY_LEN], uint64_t now_ms)
{
	for (size_t i = 0; i < TCPPEERS_MAX; i++) {
		struct tcppeer *p = &t->peer[i];

		if (p->used)
			continue;
		memset(p, 0, sizeof(*p));
		p->used = true;
		memcpy(p->key, key, KEY_LEN);
		p->due_ms = now_ms + TCPPEERS_WAIT_MS;
		return p;
	}
	return NULL;
}

static struct tcpside *
find_side(struct tcppeer *p, const struct relayrecord *r)
{
	for (size_t i = 0; i < TCPPEERS_RELAYS; i++)
		for (size_t k = 0; k < r->n * p->side[i].n; k++)
			if (p->side[i].used &&
			    addr_equal(
				&p->side[i].at[k / r->n], &r->at[k % r->n]))
				return &p->side[i];
	return NULL;
}

/* The number is the same in every run, and in no two sides of a peer at one
 * relay: it is bound to a connection. */
static struct tcpside *
add_side(struct tcppeers *t, struct tcppeer *p, const struct relayrecord *r)
{
	for (size_t i = 0; i < TCPPEERS_RELAYS; i++) {
		struct tcpside *s = &p->side[i];

		if (s->used)
			continue;
		memset(s, 0, sizeof(*s));
		s->used = true;
		s->peer = p;
		s->n = r->n;
		memcpy(s->at, r->at, sizeof(s->at));
		s->told = -1;
		s->bind.channel = (uint16_t)(0x4000 + (p - t->peer));
		streambind_stop(&s->bind);
		return s;
	}
	return NULL;
}

static int
take_relay(struct tcppeers *t, const struct relayrecord *r, uint64_t now_ms)
{
	struct tcppeer *p = tcppeers_find(t, r->key);
	struct tcpside *s = NULL;

	if (r->n == 0) {
		if (p != NULL && p->left_ms == 0)
			p->left_ms = now_ms;
		return 0;
	}
	if (p == NULL && (p = add_peer(t, r->key, now_ms)) == NULL)
		return -ENOSPC;
	if (p->left_ms != 0)
		p->due_ms = now_ms + TCPPEERS_WAIT_MS;
	p->left_ms = 0;
	s = find_side(p, r);
	if (s == NULL && (s = add_side(t, p, r)) == NULL)
		return -ENOSPC;
	memcpy(s->bind.user, r->user, sizeof(s->bind.user));
	memcpy(s->bind.password, r->password, sizeof(s->bind.password));
	s->priority = r->priority;
	s->expiry_ms = now_ms + r->lifetime_s * UINT64_C(1000);
	return 0;
}

/* nat-relay pair's, about its binding at one relay. */
static void
take_candidate(
    struct tcppeer *p, const struct addr *server, bool bound, uint64_t now_ms)
{
	size_t found = TCPPEERS_RELAYS, empty = TCPPEERS_RELAYS;
	bool any = false;

	for (size_t i = 0; i < TCPPEERS_RELAYS; i++) {
		if (p->udp[i].server.family == ADDR_NONE || !p->udp[i].bound)
			empty = i;
		if (p->udp[i].server.family != ADDR_NONE &&
		    addr_equal(&p->udp[i].server, server))
			found = i;
	}
	if (found == TCPPEERS_RELAYS)
		found = empty;
	if (found == TCPPEERS_RELAYS)
		return;
	p->udp[found].server = *server;
	p->udp[found].bound = bound;
	for (size_t i = 0; i < TCPPEERS_RELAYS; i++)
		any |= p->udp[i].bound;
	if (any && p->udp_ms == 0)
		p->udp_ms = now_ms;
	if (!any) { /* not there, or not any more: no use in waiting */
		p->udp_ms = 0;
		p->due_ms = now_ms;
	}
}

static void
read_candidate(struct tcppeers *t, const struct record_view *v, uint64_t now_ms)
{
	const char *type = record_get(v, "type");
	const char *state = record_get(v, "state");
	uint8_t key[KEY_LEN];
	struct tcppeer *p = NULL;
	struct addr server;

	if (type == NULL || strcmp(type, "relay") != 0 || state == NULL ||
	    record_get_key(v, "key", key) != 0 ||
	    record_get_addr(v, "server", &server) != 0 ||
	    (p = tcppeers_find(t, key)) == NULL)
		return;
	if (strcmp(state, "bound") == 0)
		take_candidate(p, &server, true, now_ms);
	else if (strcmp(state, "gone") == 0)
		take_candidate(p, &server, false, now_ms);
}

static void
read_peer(struct tcppeers *t, const struct record_view *v, uint64_t now_ms)
{
	const char *state = record_get(v, "state");
	uint8_t key[KEY_LEN];
	struct tcppeer *p = NULL;

	if (record_get_key(v, "key", key) != 0 ||
	    (p = tcppeers_find(t, key)) == NULL)
		return;
	if (record_is(v, "gone"))
		p->left_ms = now_ms;
	else if (state != NULL && strcmp(state, "introduced") == 0)
		p->left_ms = 0;
}

int
tcppeers_record(struct tcppeers *t, const struct record_view *v,
    uint64_t now_ms, const char **wrong)
{
	struct relayrecord r;
	int rc = 0;

	*wrong = NULL;
	if (record_is(v, "relay")) {
		rc = relayrecord_read(&r, v, wrong);
		if (rc == 0)
			rc = take_relay(t, &r, now_ms);
		sodium_memzero(&r, sizeof(r));
	} else if (record_is(v, "candidate")) {
		read_candidate(t, v, now_ms);
	} else if (record_is(v, "gone") || record_is(v, "peer")) {
		read_peer(t, v, now_ms);
	}
	return rc;
}

static bool
passed(uint64_t then_ms, uint64_t now_ms, uint64_t *at_ms)
{
	if (now_ms >= then_ms)
		return true;
	if (then_ms < *at_ms)
		*at_ms = then_ms;
	return false;
}

bool
tcppeer_needs(const struct tcppeer *p, uint64_t now_ms, uint64_t *at_ms)
{
	return p->used && p->udp_ms == 0 && passed(p->due_ms, now_ms, at_ms);
}

bool
tcppeer_lingers(const struct tcppeer *p, uint64_t now_ms, uint64_t *at_ms)
{
	return p->used && p->udp_ms != 0 &&
	       !passed(p->udp_ms + TCPPEERS_LINGER_MS, now_ms, at_ms);
}

bool
tcppeer_is_over(const struct tcppeer *p, uint64_t now_ms, uint64_t *at_ms)
{
	return p->used && p->left_ms != 0 &&
	       passed(p->left_ms + TCPPEERS_LEFT_MS, now_ms, at_ms);
}
