/* SPDX-License-Identifier: ISC */
/* What a packet says, for people. */
#include "describe.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "stun.h"

#define WG_HEADER 4

__attribute__((format(printf, 2, 3))) static void
more(struct describe *d, const char *fmt, ...)
{
	size_t at = strlen(d->detail);
	va_list ap;

	if (at > 0 && at + 2 < sizeof(d->detail)) {
		memcpy(d->detail + at, ", ", 3);
		at += 2;
	}
	va_start(ap, fmt);
	vsnprintf(d->detail + at, sizeof(d->detail) - at, fmt, ap);
	va_end(ap);
}

static const char *
method_name(uint16_t method)
{
	switch (method) {
	case STUN_BINDING:
		return "Binding";
	case NATKIT_HELLO:
		return "HELLO";
	case NATKIT_SESSION:
		return "SESSION";
	case NATKIT_TWIN_HELLO:
		return "TWIN HELLO";
	case NATKIT_TWIN:
		return "TWIN";
	default:
		return NULL;
	}
}

static const char *class_name(enum stun_class class)
{
	static const char *const names[] = {
	    [STUN_REQUEST] = "request",
	    [STUN_INDICATION] = "indication",
	    [STUN_SUCCESS] = "success",
	    [STUN_ERROR] = "error",
	};

	return names[class & 3];
}

static void
tell_address(struct describe *d, const char *name, const struct stun_msg *m,
    const struct stun_attr *a, bool xored)
{
	struct addr addr;
	char text[ADDR_STRLEN];
	int err = xored ? stun_get_xor_addr(a, m->tid, &addr)
			: stun_get_addr(a, &addr);

	if (err == 0)
		more(d, "%s %s", name, addr_format(&addr, text));
	else
		more(d, "%s malformed", name);
}

static void
tell_change(struct describe *d, const struct stun_attr *a)
{
	uint8_t flags = a->len == 4 ? a->value[3] : 0;

	if ((flags & STUN_CHANGE_IP) != 0 && (flags & STUN_CHANGE_PORT) != 0)
		more(d, "CHANGE-REQUEST address and port");
	else if ((flags & STUN_CHANGE_IP) != 0)
		more(d, "CHANGE-REQUEST address");
	else if ((flags & STUN_CHANGE_PORT) != 0)
		more(d, "CHANGE-REQUEST port");
}

static void
tell_attr(
    struct describe *d, const struct stun_msg *m, const struct stun_attr *a)
{
	switch (a->type) {
	case STUN_XOR_MAPPED_ADDRESS:
		tell_address(d, "XOR-MAPPED-ADDRESS", m, a, true);
		break;
	case STUN_MAPPED_ADDRESS:
		tell_address(d, "MAPPED-ADDRESS", m, a, false);
		break;
	case STUN_OTHER_ADDRESS:
		tell_address(d, "OTHER-ADDRESS", m, a, false);
		break;
	case STUN_RESPONSE_ORIGIN:
		tell_address(d, "RESPONSE-ORIGIN", m, a, false);
		break;
	case STUN_CHANGE_REQUEST:
		tell_change(d, a);
		break;
	case STUN_RESPONSE_PORT:
		if (a->len >= 2)
			more(d, "RESPONSE-PORT %u",
			    a->value[0] << 8 | a->value[1]);
		break;
	case STUN_PADDING:
		more(d, "PADDING %u", a->len);
		break;
	case STUN_USE_CANDIDATE:
		more(d, "USE-CANDIDATE");
		break;
	case STUN_ERROR_CODE:
		if (stun_get_error(m) < 0)
			more(d, "ERROR-CODE malformed");
		else
			more(d, "code %d", stun_get_error(m));
		break;
	default:
		break;
	}
}

static bool
has(const struct stun_msg *m, uint16_t type)
{
	struct stun_attr a;

	return stun_find(m, type, &a) == 0;
}

/* ICE's checks go between peers: a request has a USERNAME and a PRIORITY, an
 * answer has an integrity, which no plain STUN server's answer has. */
static bool
is_check(const struct stun_msg *m)
{
	if (m->method != STUN_BINDING)
		return false;
	if (m->class == STUN_REQUEST)
		return has(m, STUN_USERNAME) && has(m, STUN_PRIORITY);
	return m->class == STUN_SUCCESS &&
	       (has(m, STUN_MESSAGE_INTEGRITY_SHA256) ||
		   has(m, STUN_MESSAGE_INTEGRITY));
}

static bool
tell_stun(struct describe *d, const struct packet *p)
{
	struct stun_attr a;
	struct stun_msg m;
	struct cursor c;
	const char *name;

	if (!stun_is_stun(p->payload, p->payload_len) ||
	    stun_parse(&m, p->payload, p->payload_len) != 0)
		return false;
	name = method_name(m.method);
	d->kind = m.method == STUN_BINDING || name == NULL
		      ? DESCRIBE_STUN
		      : DESCRIBE_RENDEZVOUS;
	if (is_check(&m)) {
		d->kind = DESCRIBE_CHECK;
		name = "check:";
	}
	if (name == NULL)
		snprintf(d->name, sizeof(d->name), "STUN method 0x%03x %s",
		    m.method, class_name(m.class));
	else
		snprintf(d->name, sizeof(d->name), "%s %s", name,
		    class_name(m.class));
	stun_attrs(&c, &m);
	while (stun_attr_next(&c, &a) == 1)
		tell_attr(d, &m, &a);
	return true;
}

/* Types 1 to 4, then three zero bytes; all have a least length. */
static bool
tell_wireguard(struct describe *d, const struct packet *p)
{
	static const struct {
		const char *name;
		size_t len;
		bool exact;
	} types[] = {
	    [1] = {"WireGuard initiation", 148, true},
	    [2] = {"WireGuard response", 92, true},
	    [3] = {"WireGuard cookie", 64, true},
	    [4] = {"WireGuard data", 32, false},
	};
	const uint8_t *b = p->payload;

	if (p->payload_len < WG_HEADER || b[0] < 1 || b[0] > 4 || b[1] != 0 ||
	    b[2] != 0 || b[3] != 0 || p->payload_len < types[b[0]].len ||
	    (types[b[0]].exact && p->payload_len != types[b[0]].len))
		return false;
	d->kind = DESCRIBE_WIREGUARD;
	snprintf(d->name, sizeof(d->name), "%s", types[b[0]].name);
	if (b[0] == 4 && p->payload_len == 32)
		more(d, "keepalive");
	return true;
}

static void
tell_udp(struct describe *d, const struct packet *p)
{
	char text[24];
	size_t n = p->payload_len < sizeof(text) - 1 ? p->payload_len
						     : sizeof(text) - 1;

	if (tell_stun(d, p) || tell_wireguard(d, p))
		return;
	snprintf(d->name, sizeof(d->name), "UDP, %s%zu byte%s",
	    p->part ? "first fragment, " : "", p->payload_len,
	    p->payload_len == 1 ? "" : "s");
	for (size_t i = 0; i < n; i++) {
		if (p->payload[i] < ' ' || p->payload[i] > '~')
			n = i;
		else
			text[i] = (char)p->payload[i];
	}
	text[n] = '\0';
	if (n > 1)
		more(d, "\"%s\"%s", text, n < p->payload_len ? "..." : "");
}

static void
tell_tcp(struct describe *d, const struct packet *p)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} flags[] = {
	    {0x02, " SYN"}, {0x01, " FIN"}, {0x04, " RST"}, {0x10, " ACK"}};
	size_t at;

	d->kind = DESCRIBE_TCP;
	snprintf(d->name, sizeof(d->name), "TCP");
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if ((p->tcp_flags & flags[i].bit) == 0)
			continue;
		at = strlen(d->name);
		snprintf(
		    d->name + at, sizeof(d->name) - at, "%s", flags[i].name);
	}
	if (p->payload_len > 0)
		more(d, "%zu bytes", p->payload_len);
}

static const char *
icmp4_name(const struct packet *p)
{
	static const char *const unreachable[] = {"network unreachable",
	    "host unreachable", "protocol unreachable", "port unreachable",
	    "too big"};

	switch (p->icmp_type) {
	case 0:
		return "echo reply";
	case 3:
		return p->icmp_code < 5	    ? unreachable[p->icmp_code]
		       : p->icmp_code == 13 ? "prohibited"
					    : "unreachable";
	case 5:
		return "redirect";
	case 8:
		return "echo request";
	case 11:
		return "time exceeded";
	default:
		return NULL;
	}
}

static const char *
icmp6_name(const struct packet *p)
{
	switch (p->icmp_type) {
	case 1:
		return p->icmp_code == 4   ? "port unreachable"
		       : p->icmp_code == 1 ? "prohibited"
					   : "unreachable";
	case 2:
		return "too big";
	case 3:
		return "time exceeded";
	case 128:
		return "echo request";
	case 129:
		return "echo reply";
	default:
		return NULL;
	}
}

static void
tell_icmp(struct describe *d, const struct packet *p)
{
	const char *name =
	    p->protocol == PACKET_ICMP ? icmp4_name(p) : icmp6_name(p);
	char from[ADDR_STRLEN], to[ADDR_STRLEN];

	d->kind = DESCRIBE_ICMP;
	if (name != NULL)
		snprintf(d->name, sizeof(d->name), "ICMP %s", name);
	else
		snprintf(d->name, sizeof(d->name), "ICMP type %u code %u",
		    p->icmp_type, p->icmp_code);
	if (p->error && p->about_from.family != ADDR_NONE)
		more(d, "about %s > %s", addr_format(&p->about_from, from),
		    addr_format(&p->about_to, to));
}

void
describe_packet(struct describe *out, const struct packet *p)
{
	memset(out, 0, sizeof(*out));
	if (p->fragment) {
		snprintf(out->name, sizeof(out->name), "fragment, %zu bytes",
		    p->payload_len);
		return;
	}
	switch (p->protocol) {
	case PACKET_UDP:
		tell_udp(out, p);
		break;
	case PACKET_TCP:
		tell_tcp(out, p);
		break;
	case PACKET_ICMP:
	case PACKET_ICMP6:
		tell_icmp(out, p);
		break;
	default:
		snprintf(
		    out->name, sizeof(out->name), "protocol %u", p->protocol);
		break;
	}
}

const char *
describe_kind_name(enum describe_kind kind)
{
	static const char *const names[DESCRIBE_KINDS] = {
	    [DESCRIBE_OTHER] = "other",
	    [DESCRIBE_STUN] = "stun",
	    [DESCRIBE_CHECK] = "check",
	    [DESCRIBE_RENDEZVOUS] = "rendezvous",
	    [DESCRIBE_WIREGUARD] = "wireguard",
	    [DESCRIBE_ICMP] = "icmp",
	    [DESCRIBE_TCP] = "tcp",
	};

	return names[kind];
}
