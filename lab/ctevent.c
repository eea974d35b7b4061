/* SPDX-License-Identifier: ISC */
/* Events of the kernel's connection tracking (ctnetlink), taken apart. */
#include "ctevent.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <string.h>

#include "cursor.h"
#include "nlattr.h"

static void
set_ip(struct addr *a, const struct nlattr_view *attr)
{
	if (attr->len != 4 && attr->len != 16)
		return;
	a->family = attr->len == 4 ? ADDR_V4 : ADDR_V6;
	memcpy(a->ip, attr->value, attr->len);
}

static int
read_ips(struct ctevent_tuple *t, const struct nlattr_view *ip)
{
	struct nlattr_view a;
	struct cursor c;
	int err;

	nlattr_nested(ip, &c);
	while ((err = nlattr_next(&c, &a)) == 1) {
		if (a.type == CTA_IP_V4_SRC || a.type == CTA_IP_V6_SRC)
			set_ip(&t->from, &a);
		else if (a.type == CTA_IP_V4_DST || a.type == CTA_IP_V6_DST)
			set_ip(&t->to, &a);
	}
	return err;
}

static int
read_protocol(struct ctevent_tuple *t, const struct nlattr_view *proto)
{
	struct nlattr_view a;
	struct cursor c;
	int err;

	nlattr_nested(proto, &c);
	while ((err = nlattr_next(&c, &a)) == 1) {
		switch (a.type) {
		case CTA_PROTO_NUM:
			t->protocol = nlattr_u8(&a);
			break;
		case CTA_PROTO_SRC_PORT:
			t->from.port = nlattr_u16(&a);
			break;
		case CTA_PROTO_DST_PORT:
			t->to.port = nlattr_u16(&a);
			break;
		case CTA_PROTO_ICMP_ID:
		case CTA_PROTO_ICMPV6_ID:
			t->from.port = t->to.port = nlattr_u16(&a);
			break;
		default:
			break;
		}
	}
	return err;
}

static int
read_tuple(struct ctevent_tuple *t, const struct nlattr_view *tuple)
{
	struct nlattr_view a;
	struct cursor c;
	int err;

	memset(t, 0, sizeof(*t));
	nlattr_nested(tuple, &c);
	while ((err = nlattr_next(&c, &a)) == 1) {
		if (a.type == CTA_TUPLE_IP)
			err = read_ips(t, &a);
		else if (a.type == CTA_TUPLE_PROTO)
			err = read_protocol(t, &a);
		if (err < 0)
			return err;
	}
	return err;
}

static int
read_attr(struct ctevent *e, const struct nlattr_view *a)
{
	switch (a->type) {
	case CTA_TUPLE_ORIG:
		return read_tuple(&e->original, a);
	case CTA_TUPLE_REPLY:
		return read_tuple(&e->reply, a);
	case CTA_STATUS:
		e->status = nlattr_u32(a);
		break;
	case CTA_TIMEOUT:
		e->timeout_s = nlattr_u32(a);
		break;
	case CTA_ID:
		e->id = nlattr_u32(a);
		break;
	default:
		break;
	}
	return 0;
}

int
ctevent_parse(struct ctevent *out, uint16_t type, uint16_t flags,
    const uint8_t *data, size_t len)
{
	struct ctevent e = {0};
	struct nlattr_view a;
	struct cursor c;
	int err;

	if (type >> 8 != NFNL_SUBSYS_CTNETLINK)
		return -EPROTONOSUPPORT;
	switch (type & 0xff) {
	case IPCTNL_MSG_CT_NEW:
		e.kind = flags & NLM_F_CREATE ? CTEVENT_NEW : CTEVENT_UPDATE;
		break;
	case IPCTNL_MSG_CT_DELETE:
		e.kind = CTEVENT_DESTROY;
		break;
	default:
		return -EPROTONOSUPPORT;
	}
	cursor_init(&c, data, len);
	cursor_bytes(&c, sizeof(struct nfgenmsg));
	if (c.bad)
		return -EBADMSG;
	while ((err = nlattr_next(&c, &a)) == 1)
		if ((err = read_attr(&e, &a)) < 0)
			return err;
	if (err < 0 || e.original.from.family == ADDR_NONE ||
	    e.original.to.family == ADDR_NONE ||
	    e.reply.from.family == ADDR_NONE || e.reply.to.family == ADDR_NONE)
		return -EBADMSG;
	*out = e;
	return 0;
}
