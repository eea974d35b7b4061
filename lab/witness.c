/* SPDX-License-Identifier: ISC */
/* The netlink socket by which one namespace is watched. */
#include "witness.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cursor.h"
#include "traced.h"

#define BATCH_MAX 4096
#define READ_MAX 65536
#define RECEIVE_BUFFER (16 << 20)
#define ANSWER_MS 5000

/* Before defragmentation (-400), and again after it and after what the NAT
 * does by then; last means after everything that the lab's rules use. */
#define PRIORITY_EARLY (-500)
#define PRIORITY_FIRST (-350)
#define PRIORITY_LAST 350

struct batch {
	_Alignas(NLMSG_ALIGNTO) uint8_t data[BATCH_MAX];
	size_t len;
	size_t message; /* where the open one begins */
	uint32_t seq;
};

static void
put(struct batch *b, const void *data, size_t len)
{
	if (b->len + NLMSG_ALIGN(len) > sizeof(b->data))
		return; /* can't be: all that is put is known */
	memset(b->data + b->len, 0, NLMSG_ALIGN(len));
	memcpy(b->data + b->len, data, len);
	b->len += NLMSG_ALIGN(len);
}

static void
message(struct batch *b, uint16_t type, uint16_t flags, uint8_t family,
    uint16_t resource)
{
	struct nlmsghdr h = {
	    .nlmsg_type = type,
	    .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
	    .nlmsg_seq = ++b->seq,
	};
	struct nfgenmsg g = {.nfgen_family = family};

	put_u16((uint8_t *)&g.res_id, resource);
	b->message = b->len;
	put(b, &h, sizeof(h));
	put(b, &g, sizeof(g));
}

static void
message_end(struct batch *b)
{
	uint32_t len = (uint32_t)(b->len - b->message);

	memcpy(b->data + b->message, &len, sizeof(len));
}

static void
attr(struct batch *b, uint16_t type, const void *value, size_t len)
{
	uint16_t head[2] = {(uint16_t)(len + 4), type};

	put(b, head, sizeof(head));
	put(b, value, len);
}

static void
attr_u32(struct batch *b, uint16_t type, uint32_t v)
{
	uint8_t be[4];

	put_u32(be, v);
	attr(b, type, be, sizeof(be));
}

static void
attr_text(struct batch *b, uint16_t type, const char *s)
{
	attr(b, type, s, strlen(s) + 1);
}

static size_t
nest(struct batch *b, uint16_t type)
{
	size_t at = b->len;

	attr(b, type | NLA_F_NESTED, "", 0);
	return at;
}

static void
nest_end(struct batch *b, size_t at)
{
	uint16_t len = (uint16_t)(b->len - at);

	memcpy(b->data + at, &len, sizeof(len));
}

static void
put_table(struct batch *b, const char *table)
{
	message(b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE,
	    NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, NFPROTO_INET, 0);
	attr_text(b, NFTA_TABLE_NAME, table);
	attr_u32(b, NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
	message_end(b);
}

static void
put_chain(struct batch *b, const char *table, const char *name, uint32_t hook,
    int priority)
{
	size_t at;

	message(b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN,
	    NLM_F_CREATE | NLM_F_ACK, NFPROTO_INET, 0);
	attr_text(b, NFTA_CHAIN_TABLE, table);
	attr_text(b, NFTA_CHAIN_NAME, name);
	at = nest(b, NFTA_CHAIN_HOOK);
	attr_u32(b, NFTA_HOOK_HOOKNUM, hook);
	attr_u32(b, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	nest_end(b, at);
	attr_text(b, NFTA_CHAIN_TYPE, "filter");
	attr_u32(b, NFTA_CHAIN_POLICY, NF_ACCEPT);
	message_end(b);
}

static size_t
put_rule(struct batch *b, const char *table, const char *chain)
{
	message(b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE,
	    NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK, NFPROTO_INET, 0);
	attr_text(b, NFTA_RULE_TABLE, table);
	attr_text(b, NFTA_RULE_CHAIN, chain);
	return nest(b, NFTA_RULE_EXPRESSIONS);
}

/* One expression: a name, and what data holds. */
static size_t
expression(struct batch *b, const char *name, size_t *data)
{
	size_t at = nest(b, NFTA_LIST_ELEM);

	attr_text(b, NFTA_EXPR_NAME, name);
	*data = nest(b, NFTA_EXPR_DATA);
	return at;
}

static void
expression_end(struct batch *b, size_t at, size_t data)
{
	nest_end(b, data);
	nest_end(b, at);
}

/* meta nftrace set 1 */
static void
put_trace_rule(struct batch *b, const char *table, const char *chain)
{
	size_t list = put_rule(b, table, chain), at, data, value;

	at = expression(b, "immediate", &data);
	attr_u32(b, NFTA_IMMEDIATE_DREG, NFT_REG_1);
	value = nest(b, NFTA_IMMEDIATE_DATA);
	attr(b, NFTA_DATA_VALUE, "\1", 1);
	nest_end(b, value);
	expression_end(b, at, data);
	at = expression(b, "meta", &data);
	attr_u32(b, NFTA_META_KEY, NFT_META_NFTRACE);
	attr_u32(b, NFTA_META_SREG, NFT_REG_1);
	expression_end(b, at, data);
	nest_end(b, list);
	message_end(b);
}

/* socket wildcard { 0, 1 } accept: the rule ends where no socket is. */
static void
put_socket_rule(struct batch *b, const char *table, const char *chain)
{
	size_t list = put_rule(b, table, chain), at, data, value, verdict;

	at = expression(b, "socket", &data);
	attr_u32(b, NFTA_SOCKET_KEY, NFT_SOCKET_WILDCARD);
	attr_u32(b, NFTA_SOCKET_DREG, NFT_REG_1);
	expression_end(b, at, data);
	at = expression(b, "immediate", &data);
	attr_u32(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	value = nest(b, NFTA_IMMEDIATE_DATA);
	verdict = nest(b, NFTA_DATA_VERDICT);
	attr_u32(b, NFTA_VERDICT_CODE, NF_ACCEPT);
	nest_end(b, verdict);
	nest_end(b, value);
	expression_end(b, at, data);
	nest_end(b, list);
	message_end(b);
}

static void
put_batch(struct batch *b, const char *table)
{
	message(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	message_end(b);
	put_table(b, table);
	put_chain(b, table, TRACED_EARLY, NF_INET_PRE_ROUTING, PRIORITY_EARLY);
	put_chain(b, table, TRACED_FIRST, NF_INET_PRE_ROUTING, PRIORITY_FIRST);
	put_chain(b, table, TRACED_THROUGH, NF_INET_FORWARD, PRIORITY_LAST);
	put_chain(b, table, TRACED_INSIDE, NF_INET_LOCAL_IN, PRIORITY_LAST);
	put_chain(b, table, TRACED_OUT, NF_INET_LOCAL_OUT, PRIORITY_EARLY);
	put_chain(b, table, TRACED_AWAY, NF_INET_POST_ROUTING, PRIORITY_LAST);
	put_trace_rule(b, table, TRACED_EARLY);
	put_trace_rule(b, table, TRACED_FIRST);
	put_trace_rule(b, table, TRACED_OUT);
	put_socket_rule(b, table, TRACED_INSIDE);
	message(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	message_end(b);
}

static int
send_batch(int fd, const struct batch *b)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	if (sendto(fd, b->data, b->len, 0, (struct sockaddr *)&kernel,
		sizeof(kernel)) == -1)
		return -errno;
	return 0;
}

struct reading {
	witness_fn *fn;
	void *arg;
	uint32_t until; /* the answer to this one ends it; 0: none does */
	bool done;
	int err;
};

static void
read_message(struct reading *r, const struct nlmsghdr *h)
{
	const uint8_t *data = (const uint8_t *)NLMSG_DATA(h);
	size_t len = h->nlmsg_len - NLMSG_HDRLEN;
	int err = 0;

	if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
		if (h->nlmsg_type == NLMSG_ERROR && len >= sizeof(err))
			memcpy(&err, data, sizeof(err));
		if (err != 0 && r->err == 0)
			r->err = err;
		if (r->until != 0 && (err != 0 || h->nlmsg_seq == r->until))
			r->done = true;
		return;
	}
	if (h->nlmsg_type >= NLMSG_MIN_TYPE)
		r->fn(r->arg, h->nlmsg_type, h->nlmsg_flags, data, len);
}

/* One datagram. Returns 0 or -errno. */
static int
read_datagram(int fd, struct reading *r)
{
	static union {
		struct nlmsghdr h;
		uint8_t bytes[READ_MAX];
	} buf;
	struct sockaddr_nl from = {0};
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(
	    fd, &buf, sizeof(buf), 0, (struct sockaddr *)&from, &from_len);
	size_t left;

	if (n == -1)
		return errno == EINTR ? 0 : -errno;
	if (from.nl_pid != 0)
		return 0; /* not from the kernel */
	left = (size_t)n;
	for (struct nlmsghdr *h = &buf.h; NLMSG_OK(h, left);
	     h = NLMSG_NEXT(h, left))
		read_message(r, h);
	return 0;
}

/* The answers to a request, up to the one with that number. */
static int
read_answer(struct witness *w, uint32_t seq, witness_fn *fn, void *arg)
{
	struct reading r = {.fn = fn, .arg = arg, .until = seq};
	struct pollfd p = {.fd = w->fd, .events = POLLIN};
	int err;

	while (!r.done) {
		err = read_datagram(w->fd, &r);
		if (err == -EAGAIN && poll(&p, 1, ANSWER_MS) < 1)
			return -ETIMEDOUT;
		if (err != 0 && err != -EAGAIN)
			return err;
	}
	return r.err;
}

static int
make_table(struct witness *w, witness_fn *fn, void *arg)
{
	struct batch b = {.seq = 0};
	int err;

	put_batch(&b, w->table);
	err = send_batch(w->fd, &b);
	/* the end of a batch is not answered; the last rule is */
	return err != 0 ? err : read_answer(w, b.seq - 1, fn, arg);
}

static int
dump(struct witness *w, uint16_t type, uint32_t seq, witness_fn *fn, void *arg)
{
	struct batch b = {.seq = seq - 1};
	int err;

	message(&b, type, NLM_F_DUMP, AF_UNSPEC, 0);
	message_end(&b);
	err = send_batch(w->fd, &b);
	return err != 0 ? err : read_answer(w, seq, fn, arg);
}

static int
join(int fd)
{
	static const int groups[] = {NFNLGRP_NFTABLES, NFNLGRP_CONNTRACK_NEW,
	    NFNLGRP_CONNTRACK_UPDATE, NFNLGRP_CONNTRACK_DESTROY,
	    NFNLGRP_NFTRACE};

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
			&groups[i], sizeof(groups[i])) == -1)
			return -errno;
	return 0;
}

static int
open_socket(struct witness *w)
{
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK};
	socklen_t len = sizeof(nl);
	int size = RECEIVE_BUFFER;

	w->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    NETLINK_NETFILTER);
	if (w->fd == -1 || bind(w->fd, (struct sockaddr *)&nl, len) == -1 ||
	    getsockname(w->fd, (struct sockaddr *)&nl, &len) == -1)
		return -errno;
	if (setsockopt(
		w->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) == -1)
		setsockopt(w->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	snprintf(w->table, sizeof(w->table), "nat-watch-%u", nl.nl_pid);
	return 0;
}

int
witness_open(struct witness *w, witness_fn *fn, void *arg, const char **what)
{
	int err;

	memset(w, 0, sizeof(*w));
	*what = "a netfilter socket";
	err = open_socket(w);
	if (err == 0) {
		*what = "the table that traces (nf_tables)";
		err = make_table(w, fn, arg);
	}
	if (err == 0) {
		*what = "the events (nf_conntrack, nf_tables)";
		err = join(w->fd);
	}
	if (err == 0) {
		*what = "the rules that are there (nf_tables)";
		err = dump(w, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE, 1000,
		    fn, arg);
	}
	if (err == 0) {
		*what = "the entries that are there (nf_conntrack)";
		err = dump(w, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
		    1001, fn, arg);
	}
	if (err != 0)
		witness_close(w);
	return err;
}

void
witness_close(struct witness *w)
{
	if (w->fd != -1)
		close(w->fd);
	w->fd = -1;
}

int
witness_read(struct witness *w, witness_fn *fn, void *arg)
{
	struct reading r = {.fn = fn, .arg = arg};
	int err;

	do
		err = read_datagram(w->fd, &r);
	while (err == 0);
	return err == -EAGAIN ? 0 : err;
}
