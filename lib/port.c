/* SPDX-License-Identifier: ISC */
/* The port socket's packets: header codec and error names. */
#include "port.h"

#include <errno.h>
#include <string.h>

#include "cursor.h"

static const char *const error_names[] = {
    [PORT_E_NONE] = "none",
    [PORT_E_UNREACHABLE] = "unreachable",
    [PORT_E_DENIED] = "denied",
    [PORT_E_INVALID] = "invalid",
    [PORT_E_OTHER] = "other",
};

#define ERRORS (sizeof(error_names) / sizeof(error_names[0]))

const char *
port_error_name(int error)
{
	if (error < 0 || (size_t)error >= ERRORS)
		return "other";
	return error_names[error];
}

size_t
port_encode(const struct port_msg *m, uint8_t out[PORT_HEADER_LEN])
{
	memset(out, 0, PORT_HEADER_LEN);
	out[0] = m->op;
	out[1] = m->ttl;
	out[2] = m->error;
	out[4] = m->remote.family;
	out[5] = m->local.family;
	put_u16(out + 6, m->remote.port);
	put_u16(out + 8, m->local.port);
	memcpy(out + 12, m->remote.ip, 16);
	memcpy(out + 28, m->local.ip, 16);
	return PORT_HEADER_LEN;
}

static bool
is_family(uint8_t family)
{
	return family == ADDR_NONE || family == ADDR_V4 || family == ADDR_V6;
}

/* An address has no byte set that its family doesn't use: two headers that
 * say the same are the same bytes. */
static bool
is_clean(const struct addr *a)
{
	size_t i;

	for (i = addr_ip_len(a); i < sizeof(a->ip); i++)
		if (a->ip[i] != 0)
			return false;
	return true;
}

/* What each op may and must hold. */
static bool
is_sound(const struct port_msg *m)
{
	switch (m->op) {
	case PORT_HELLO:
		return m->len == 0 && m->error == PORT_E_NONE;
	case PORT_DATAGRAM:
		return m->remote.family != ADDR_NONE &&
		       m->len <= PORT_MAX_PAYLOAD && m->error == PORT_E_NONE;
	case PORT_ERROR:
		return m->len == 0 && m->error != PORT_E_NONE &&
		       m->error < ERRORS;
	default:
		return false;
	}
}

int
port_decode(struct port_msg *out, const uint8_t *data, size_t len)
{
	struct port_msg m = {.op = 0};
	struct cursor c;
	const uint8_t *remote, *local;
	unsigned int zero;

	if (len < PORT_HEADER_LEN)
		return -EBADMSG;
	cursor_init(&c, data, len);
	m.op = cursor_u8(&c);
	m.ttl = cursor_u8(&c);
	m.error = cursor_u8(&c);
	zero = cursor_u8(&c);
	m.remote.family = cursor_u8(&c);
	m.local.family = cursor_u8(&c);
	m.remote.port = cursor_u16(&c);
	m.local.port = cursor_u16(&c);
	zero |= cursor_u16(&c);
	remote = cursor_bytes(&c, 16);
	local = cursor_bytes(&c, 16);
	zero |= cursor_u32(&c);
	m.len = cursor_left(&c);
	m.payload = cursor_bytes(&c, m.len);
	if (c.bad || zero != 0 || remote == NULL || local == NULL ||
	    !is_family(m.remote.family) || !is_family(m.local.family))
		return -EBADMSG;
	memcpy(m.remote.ip, remote, 16);
	memcpy(m.local.ip, local, 16);
	if (!is_clean(&m.remote) || !is_clean(&m.local) || !is_sound(&m))
		return -EBADMSG;
	*out = m;
	return 0;
}
