/* SPDX-License-Identifier: ISC */
/* What nftables says of a traced packet (NFT_MSG_TRACE), taken apart. */
#include "traceevent.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "cursor.h"
#include "nlattr.h"

/* The kernel gives at most 40 bytes of the network header and 20 of the
 * transport header. */
#define HEADERS_MAX 128

struct headers {
	uint8_t bytes[HEADERS_MAX];
	const uint8_t *network, *transport;
	size_t network_len, transport_len;
};

static bool
verdict_drops(const struct nlattr_view *verdict)
{
	struct nlattr_view a;
	struct cursor c;

	nlattr_nested(verdict, &c);
	while (nlattr_next(&c, &a) == 1)
		if (a.type == NFTA_VERDICT_CODE && a.len == 4)
			return nlattr_u32(&a) == NF_DROP;
	return false;
}

static void
read_attr(struct traceevent *e, struct headers *h, const struct nlattr_view *a)
{
	switch (a->type) {
	case NFTA_TRACE_TABLE:
		nlattr_text(a, e->table, sizeof(e->table));
		break;
	case NFTA_TRACE_CHAIN:
		nlattr_text(a, e->chain, sizeof(e->chain));
		break;
	case NFTA_TRACE_RULE_HANDLE:
		e->handle = nlattr_u64(a);
		break;
	case NFTA_TRACE_TYPE:
		e->policy = nlattr_u32(a) == NFT_TRACETYPE_POLICY;
		break;
	case NFTA_TRACE_VERDICT:
		e->dropped = e->dropped || verdict_drops(a);
		break;
	case NFTA_TRACE_POLICY:
		e->dropped = e->dropped || nlattr_u32(a) == NF_DROP;
		break;
	case NFTA_TRACE_ID:
		e->id = nlattr_u32(a);
		break;
	case NFTA_TRACE_IIF:
		e->iif = nlattr_u32(a);
		break;
	case NFTA_TRACE_NETWORK_HEADER:
		h->network = a->value;
		h->network_len = a->len;
		break;
	case NFTA_TRACE_TRANSPORT_HEADER:
		h->transport = a->value;
		h->transport_len = a->len;
		break;
	default:
		break;
	}
}

static void
read_packet(struct traceevent *e, struct headers *h)
{
	size_t len = h->network_len;

	if (h->network == NULL || len + h->transport_len > sizeof(h->bytes))
		return;
	memcpy(h->bytes, h->network, len);
	if (h->transport != NULL)
		memcpy(h->bytes + len, h->transport, h->transport_len);
	e->has_packet =
	    packet_decode_ip(&e->packet, h->bytes, len + h->transport_len) == 0;
	e->packet.payload = NULL; /* it pointed into h */
	e->packet.payload_len = 0;
}

int
traceevent_parse(
    struct traceevent *out, uint16_t type, const uint8_t *data, size_t len)
{
	struct traceevent e = {0};
	struct headers h = {0};
	struct nlattr_view a;
	struct cursor c;
	int err;

	if (type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE))
		return -EPROTONOSUPPORT;
	cursor_init(&c, data, len);
	e.family = cursor_u8(&c);
	cursor_bytes(&c, sizeof(struct nfgenmsg) - 1);
	if (c.bad)
		return -EBADMSG;
	while ((err = nlattr_next(&c, &a)) == 1)
		read_attr(&e, &h, &a);
	if (err < 0)
		return err;
	read_packet(&e, &h);
	*out = e;
	return 0;
}
