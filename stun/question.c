/* SPDX-License-Identifier: ISC */
/* One Binding request with the attributes of RFC 5780, and its response. */
#include "question.h"

#include <errno.h>
#include <string.h>

/* What may stand in a response without harm: the attributes of RFC 8489 and
 * 5780, and what servers of RFC 3489 sent (section 11.2 there). */
static const uint16_t known[] = {
    STUN_MAPPED_ADDRESS,
    STUN_CHANGE_REQUEST,
    STUN_SOURCE_ADDRESS,
    STUN_CHANGED_ADDRESS,
    STUN_USERNAME,
    STUN_MESSAGE_INTEGRITY,
    STUN_ERROR_CODE,
    STUN_UNKNOWN_ATTRIBUTES,
    0x000b, /* REFLECTED-FROM */
    STUN_REALM,
    STUN_NONCE,
    STUN_MESSAGE_INTEGRITY_SHA256,
    STUN_XOR_MAPPED_ADDRESS,
    STUN_PADDING,
    STUN_RESPONSE_PORT,
};

/* The two forms of RESPONSE-PORT: RFC 5780 section 7.5 has a 16-bit port and
 * 2 bytes of attribute padding; many implementations count those as value. */
static void
put_response_port(struct stun_buf *b, const struct question *q)
{
	uint8_t value[4] = {0};

	put_u16(value, q->response_port);
	stun_put(b, STUN_RESPONSE_PORT, value, q->response_port_long ? 4 : 2);
}

int
question_build(const struct question *q, const uint8_t tid[STUN_TID_LEN],
    uint8_t *out, size_t cap)
{
	struct stun_buf b;
	uint32_t change = (q->change_ip ? STUN_CHANGE_IP : 0) |
			  (q->change_port ? STUN_CHANGE_PORT : 0);

	stun_begin(&b, out, cap, STUN_BINDING, STUN_REQUEST, tid);
	if (change != 0)
		stun_put_u32(&b, STUN_CHANGE_REQUEST, change);
	if (q->response_port != 0)
		put_response_port(&b, q);
	if (q->padding > 0)
		stun_put_space(&b, STUN_PADDING, q->padding);
	if (q->unknown != 0)
		stun_put(&b, q->unknown, "", 0);
	if (q->filler > 0)
		stun_put_space(&b, NATKIT_PADDING, q->filler);
	return stun_end(&b, !q->bare);
}

/* ---- responses */

/* ADDR_NONE when it is not there, or of no use. */
static struct addr
find_addr(const struct stun_msg *m, uint16_t type, uint16_t old)
{
	struct addr a = {0};
	struct stun_attr attr;

	if (stun_find(m, type, &attr) != 0 &&
	    (old == 0 || stun_find(m, old, &attr) != 0))
		return a;
	if (stun_get_addr(&attr, &a) != 0 || !addr_is_sendable(&a))
		return (struct addr){0};
	return a;
}

/* A port 0 or a multicast address is nobody's mapping. */
static int
read_mapped(struct answer *a, const struct stun_msg *m)
{
	struct stun_attr attr;

	a->plain = find_addr(m, STUN_MAPPED_ADDRESS, 0);
	if (stun_find(m, STUN_XOR_MAPPED_ADDRESS, &attr) != 0 &&
	    stun_find(m, STUN_XOR_MAPPED_ADDRESS_OLD, &attr) != 0)
		return a->plain.family != ADDR_NONE ? 0 : -EBADMSG;
	if (stun_get_xor_addr(&attr, m->tid, &a->mapped) != 0 ||
	    !addr_is_sendable(&a->mapped))
		return -EBADMSG;
	return 0;
}

static void
read_unknown(struct answer *a, const struct stun_msg *m)
{
	struct stun_attr attr;
	struct cursor c;

	if (stun_find(m, STUN_UNKNOWN_ATTRIBUTES, &attr) != 0)
		return;
	cursor_init(&c, attr.value, attr.len);
	while (cursor_left(&c) >= 2 && a->unknowns < ANSWER_UNKNOWN_MAX)
		a->unknown[a->unknowns++] = cursor_u16(&c);
}

static int
read_success(struct answer *a, const struct stun_msg *m)
{
	struct stun_attr attr;

	a->origin = find_addr(m, STUN_RESPONSE_ORIGIN, STUN_SOURCE_ADDRESS);
	a->other = find_addr(m, STUN_OTHER_ADDRESS, STUN_CHANGED_ADDRESS);
	if (stun_find(m, STUN_PADDING, &attr) == 0) {
		a->padded = true;
		a->padding = attr.len;
	}
	return read_mapped(a, m);
}

uint16_t
answer_unknown(const struct stun_msg *m)
{
	return stun_unknown(m, known, sizeof(known) / sizeof(known[0]));
}

int
answer_parse(struct answer *out, uint8_t tid[STUN_TID_LEN], const void *data,
    size_t len, const struct addr *from, const struct addr *local)
{
	struct answer a = {.len = len, .from = *from, .local = *local};
	struct stun_msg m;

	if (stun_parse(&m, data, len) != 0 || m.method != STUN_BINDING ||
	    answer_unknown(&m) != 0)
		return -EBADMSG;
	if (m.class == STUN_ERROR) {
		if ((a.error = stun_get_error(&m)) < 0)
			return -EBADMSG;
		read_unknown(&a, &m);
	} else if (m.class != STUN_SUCCESS || read_success(&a, &m) != 0) {
		return -EBADMSG;
	}
	memcpy(tid, m.tid, STUN_TID_LEN);
	*out = a;
	return 0;
}

const struct addr *
answer_endpoint(const struct answer *a)
{
	return a->mapped.family != ADDR_NONE ? &a->mapped : &a->plain;
}

bool
answer_refuses(const struct answer *a, uint16_t type)
{
	if (a->error != 420)
		return false;
	for (size_t i = 0; i < a->unknowns; i++)
		if (a->unknown[i] == type)
			return true;
	return false;
}

bool
answer_other_is_askable(const struct addr *other, const struct addr *server)
{
	return other->family == server->family && addr_is_sendable(other) &&
	       addr_is_loopback(other) == addr_is_loopback(server) &&
	       addr_is_link_local(other) == addr_is_link_local(server) &&
	       (!addr_is_public4(server) || addr_is_public4(other));
}
