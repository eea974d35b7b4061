/* SPDX-License-Identifier: ISC */
/* One box that is watched: netfilter's messages in, records out. */
#include "watchbox.h"

#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>

#include "ctevent.h"
#include "reason.h"
#include "traceevent.h"

#define RULE_LEN 128

int
watchbox_init(struct watchbox *b, const char *name, const char *table,
    watchbox_fn *fn, void *arg)
{
	int err;

	memset(b, 0, sizeof(*b));
	snprintf(b->name, sizeof(b->name), "%s", name);
	b->fn = fn;
	b->arg = arg;
	err = rulebook_init(&b->rules);
	if (err == 0)
		err = flowtable_init(&b->flows);
	if (err == 0)
		err = traced_init(&b->traced, table);
	return err;
}

void
watchbox_free(struct watchbox *b)
{
	rulebook_free(&b->rules);
	flowtable_free(&b->flows);
	traced_free(&b->traced);
}

static bool
is_local(void *arg, const struct addr *ip)
{
	const struct watchbox *b = arg;

	for (size_t i = 0; i < b->naddr; i++)
		if (addr_equal_ip(&b->addr[i].ip, ip))
			return true;
	return false;
}

/* An address that the box may share out: only IPv4 is translated. */
static bool
is_public(const struct watchbox *b, const struct addr *ip)
{
	if (!b->forwards || ip->family != ADDR_V4)
		return false;
	for (size_t i = 0; i < b->naddr; i++)
		if (b->addr[i].ifindex == b->outside &&
		    addr_equal_ip(&b->addr[i].ip, ip))
			return true;
	return false;
}

static bool
is_broadcast(const struct watchbox *b, const struct addr *ip)
{
	for (size_t i = 0; i < b->naddr; i++)
		if (addr_equal_ip(&b->addr[i].broadcast, ip) &&
		    !addr_equal_ip(&b->addr[i].ip, ip))
			return true;
	return false;
}

static const char *
family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_BRIDGE:
		return "bridge";
	case NFPROTO_NETDEV:
		return "netdev";
	default:
		return "other";
	}
}

/* As nft(8) finds it: family, table, chain, and the rule's handle. */
static void
format_rule(const struct traceevent *e, char out[RULE_LEN])
{
	int n = snprintf(out, RULE_LEN, "%s/%s/%s/", family_name(e->family),
	    e->table, e->chain);

	if (e->policy)
		snprintf(out + n, RULE_LEN - (size_t)n, "policy");
	else
		snprintf(out + n, RULE_LEN - (size_t)n, "%llu",
		    (unsigned long long)e->handle);
}

static void
tell_drop(struct watchbox *b, const struct traced_packet *p, const char *reason,
    const char *rule)
{
	struct record r;
	char number[8];

	record_begin(&r, "drop");
	record_put(&r, "box", b->name);
	record_put(&r, "protocol", packet_protocol(p->packet.protocol, number));
	record_put_addr(&r, "from", &p->packet.from);
	record_put_addr(&r, "to", &p->packet.to);
	record_put(&r, "reason", reason);
	record_put(&r, "rule", rule);
	record_put_u64(&r, "time_us", p->wall_us);
	b->fn(b->arg, &r);
}

static void
end_packet(struct watchbox *b, enum traced_end end,
    const struct traced_packet *p, const struct traceevent *e)
{
	const struct addr *to = &p->packet.to;
	struct reason_facts f = {
	    .end = end,
	    .ttl = p->packet.ttl,
	    .public = is_public(b, to),
	    .hairpin = p->iif != b->outside,
	    .mapped = flowtable_mapped(&b->flows, p->packet.protocol, to),
	};
	char reason[REASON_LEN], rule[RULE_LEN];

	/* a ping or an ICMP error that the box itself takes is no loss */
	if (end == TRACED_UNWANTED && p->packet.protocol != PACKET_UDP &&
	    p->packet.protocol != PACKET_TCP)
		return;
	if (is_broadcast(b, to))
		return;
	if (end == TRACED_VANISHED && p->latest.whole != 0)
		f.too_big = p->latest.whole > netns_mtu(&p->latest.to);
	snprintf(rule, sizeof(rule), "%s",
	    end == TRACED_UNWANTED ? "input" : "forward");
	if (end == TRACED_DROPPED) {
		f.comment = e->policy ? NULL : rulebook_comment(&b->rules, e);
		format_rule(e, rule);
	}
	reason_find(&f, reason);
	tell_drop(b, p, reason, rule);
}

static void
tell_mapping(struct watchbox *b, const struct flow_news *n, uint64_t wall_us)
{
	static const char *const states[] = {
	    [FLOW_MADE] = "made",
	    [FLOW_REFRESHED] = "refreshed",
	    [FLOW_EXPIRED] = "expired",
	};
	const struct flow *f = &n->flow;
	struct record r;
	char number[8];

	if (addr_is_multicast(&f->remote) || addr_is_link_local(&f->remote) ||
	    addr_is_loopback(&f->remote) || addr_is_multicast(&f->external))
		return;
	record_begin(&r, "mapping");
	record_put(&r, "box", b->name);
	record_put(&r, "state", states[n->state]);
	record_put(&r, "protocol", packet_protocol(f->protocol, number));
	record_put_addr(&r, "internal", &f->internal);
	record_put_addr(&r, "external", &f->external);
	record_put_addr(&r, "remote", &f->remote);
	if (n->state != FLOW_EXPIRED && n->timeout_s != 0)
		record_put_u64(&r, "timeout_s", n->timeout_s);
	if (n->clash)
		record_put(&r, "reason", "clash");
	else if (f->own && b->forwards && n->state == FLOW_MADE)
		record_put(&r, "reason", "own");
	record_put_u64(&r, "time_us", wall_us);
	b->fn(b->arg, &r);
}

void
watchbox_feed(struct watchbox *b, uint16_t type, uint16_t flags,
    const uint8_t *data, size_t len, uint64_t now_ms, uint64_t wall_us)
{
	struct traced_packet packet;
	struct traceevent trace;
	struct flow_news news;
	struct ctevent event;
	enum traced_end end;

	if (ctevent_parse(&event, type, flags, data, len) == 0) {
		flowtable_step(&b->flows, &event, is_local, b, &news);
		if (b->telling)
			tell_mapping(b, &news, wall_us);
	} else if (traceevent_parse(&trace, type, data, len) == 0) {
		end = traced_step(&b->traced, &trace, now_ms, wall_us, &packet);
		if (end != TRACED_GOES_ON && b->telling)
			end_packet(b, end, &packet, &trace);
	} else {
		rulebook_feed(&b->rules, type, data, len);
	}
}

uint64_t
watchbox_tick(struct watchbox *b, uint64_t now_ms)
{
	struct traced_packet packet;

	while (traced_vanished(&b->traced, now_ms, &packet))
		end_packet(b, TRACED_VANISHED, &packet, NULL);
	return traced_next_ms(&b->traced);
}
