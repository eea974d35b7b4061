/* SPDX-License-Identifier: ISC */
/* STUN messages, the reading half (RFC 8489). The builder is stun_build.c. */
#include "stun.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "integrity.h"

#define FAMILY_IPV4 1 /* RFC 8489 section 14.1 */
#define FAMILY_IPV6 2

bool
stun_is_stun(const uint8_t *data, size_t len)
{
	struct cursor c;
	uint16_t type, length;
	uint32_t cookie;

	cursor_init(&c, data, len);
	type = cursor_u16(&c);
	length = cursor_u16(&c);
	cookie = cursor_u32(&c);
	return cursor_bytes(&c, STUN_TID_LEN) != NULL && (type & 0xc000) == 0 &&
	       length % 4 == 0 && length == cursor_left(&c) &&
	       cookie == STUN_COOKIE;
}

/* Every attribute within bounds; FINGERPRINT last and right.
 * Returns 1 with, 0 without a FINGERPRINT, or -EBADMSG. */
static int
check_attrs(const struct stun_msg *m)
{
	struct cursor c, v;
	struct stun_attr a;
	size_t before;
	int r;

	stun_attrs(&c, m);
	while ((r = stun_attr_next(&c, &a)) == 1) {
		if (a.type != STUN_FINGERPRINT)
			continue;
		if (a.len != FINGERPRINT_LEN || cursor_left(&c) != 0)
			return -EBADMSG;
		before = m->len - 4 - FINGERPRINT_LEN;
		cursor_init(&v, a.value, a.len);
		if (cursor_u32(&v) != integrity_fingerprint(m->raw, before))
			return -EBADMSG;
		return 1;
	}
	return r;
}

int
stun_parse(struct stun_msg *out, const uint8_t *data, size_t len)
{
	struct stun_msg m = {.raw = data, .len = len};
	struct cursor c;
	uint16_t type;
	int r;

	if (!stun_is_stun(data, len))
		return -EBADMSG;
	cursor_init(&c, data, len);
	type = cursor_u16(&c);
	cursor_bytes(&c, 6);
	m.tid = cursor_bytes(&c, STUN_TID_LEN);
	/* the two class bits stand at 4 and 8, amid the method's (section 5) */
	m.class = (enum stun_class)((type >> 4 & 1) | (type >> 7 & 2));
	m.method =
	    (uint16_t)((type & 0xf) | (type >> 1 & 0x70) | (type >> 2 & 0xf80));
	r = check_attrs(&m);
	if (r < 0)
		return r;
	m.fingerprint = r == 1;
	*out = m;
	return 0;
}

void
stun_attrs(struct cursor *c, const struct stun_msg *m)
{
	cursor_init(c, m->raw, m->len);
	cursor_bytes(c, STUN_HEADER_LEN);
}

int
stun_attr_next(struct cursor *c, struct stun_attr *out)
{
	struct stun_attr a;

	if (!c->bad && cursor_left(c) == 0)
		return 0;
	a.type = cursor_u16(c);
	a.len = cursor_u16(c);
	a.value = cursor_bytes(c, a.len);
	cursor_bytes(c, -(size_t)a.len & 3);
	if (c->bad)
		return -EBADMSG;
	*out = a;
	return 1;
}

bool
stun_list_valid(const uint8_t *list, size_t len)
{
	struct stun_attr a;
	struct cursor c;
	int rc;

	cursor_init(&c, list, len);
	while ((rc = stun_attr_next(&c, &a)) == 1)
		;
	return rc == 0;
}

int
stun_list_find(
    const uint8_t *list, size_t len, uint16_t type, struct stun_attr *out)
{
	struct stun_attr a;
	struct cursor c;

	cursor_init(&c, list, len);
	while (stun_attr_next(&c, &a) == 1) {
		if (a.type == type) {
			*out = a;
			return 0;
		}
	}
	return -ENOENT;
}

/* Steps to the next attribute that may be used: after an integrity attribute
 * only those that the RFC names; *last is the integrity attribute passed so
 * far, 0 at first. Returns false at the end. */
static bool
next_usable(struct cursor *c, uint16_t *last, struct stun_attr *out)
{
	while (stun_attr_next(c, out) == 1) {
		bool usable = *last == 0 || out->type == STUN_FINGERPRINT ||
			      (*last == STUN_MESSAGE_INTEGRITY &&
				  out->type == STUN_MESSAGE_INTEGRITY_SHA256);

		if (!usable)
			continue;
		if (out->type == STUN_MESSAGE_INTEGRITY ||
		    out->type == STUN_MESSAGE_INTEGRITY_SHA256)
			*last = out->type;
		return true;
	}
	return false;
}

int
stun_find(const struct stun_msg *m, uint16_t type, struct stun_attr *out)
{
	struct stun_attr a;
	struct cursor c;
	uint16_t last = 0;

	stun_attrs(&c, m);
	while (next_usable(&c, &last, &a)) {
		if (a.type == type) {
			*out = a;
			return 0;
		}
	}
	return -ENOENT;
}

uint16_t
stun_unknown(const struct stun_msg *m, const uint16_t *known, size_t n)
{
	struct stun_attr a;
	struct cursor c;
	uint16_t last = 0;
	size_t i;

	stun_attrs(&c, m);
	while (next_usable(&c, &last, &a)) {
		if (a.type >= 0x8000)
			continue;
		for (i = 0; i < n && known[i] != a.type; i++)
			;
		if (i == n)
			return a.type;
	}
	return 0;
}

/* mask is the cookie and the transaction id, or zeros:
 *
 *  |0 0 0 0 0 0 0 0|    family     |           port (16)           |
 *  |                     address (32 or 128)                       |
 */
static int
get_addr(const struct stun_attr *a, const uint8_t mask[16], struct addr *out)
{
	uint8_t ip[16] = {0};
	const uint8_t *value;
	struct sockaddr_storage ss;
	struct addr raw = {0};
	struct cursor c;
	uint8_t family;
	size_t len;

	cursor_init(&c, a->value, a->len);
	cursor_u8(&c);
	family = cursor_u8(&c);
	raw.port = cursor_u16(&c) ^ (uint16_t)(mask[0] << 8 | mask[1]);
	if (c.bad)
		return -EBADMSG;
	if (family != FAMILY_IPV4 && family != FAMILY_IPV6)
		return -EPROTONOSUPPORT;
	raw.family = family == FAMILY_IPV4 ? ADDR_V4 : ADDR_V6;
	len = addr_ip_len(&raw);
	value = cursor_bytes(&c, len);
	if (value == NULL || cursor_left(&c) != 0)
		return -EBADMSG;
	for (size_t i = 0; i < len; i++)
		ip[i] = value[i] ^ mask[i];
	memcpy(raw.ip, ip, sizeof(raw.ip));
	addr_to_sockaddr(&raw, &ss); /* and back: it unmaps 4-in-6 */
	return addr_from_sockaddr(out, (const struct sockaddr *)&ss);
}

int
stun_get_addr(const struct stun_attr *a, struct addr *out)
{
	static const uint8_t zeros[16];

	return get_addr(a, zeros, out);
}

int
stun_get_xor_addr(
    const struct stun_attr *a, const uint8_t *tid, struct addr *out)
{
	uint8_t mask[16];

	put_u32(mask, STUN_COOKIE);
	memcpy(mask + 4, tid, STUN_TID_LEN);
	return get_addr(a, mask, out);
}

int
stun_get_mapped(const struct stun_msg *m, struct addr *out)
{
	struct stun_attr a;
	int r;

	if (stun_find(m, STUN_XOR_MAPPED_ADDRESS, &a) == 0 ||
	    stun_find(m, STUN_XOR_MAPPED_ADDRESS_OLD, &a) == 0)
		r = stun_get_xor_addr(&a, m->tid, out);
	else if (stun_find(m, STUN_MAPPED_ADDRESS, &a) == 0)
		r = stun_get_addr(&a, out);
	else
		return -ENOENT;
	return r == 0 ? 0 : -EBADMSG;
}

int
stun_get_error(const struct stun_msg *m)
{
	struct stun_attr a;
	struct cursor c;
	unsigned int hundreds, rest;

	if (stun_find(m, STUN_ERROR_CODE, &a) != 0)
		return -EBADMSG;
	cursor_init(&c, a.value, a.len);
	cursor_u16(&c);
	hundreds = cursor_u8(&c) & 7;
	rest = cursor_u8(&c);
	if (c.bad || hundreds < 3 || hundreds > 6 || rest > 99)
		return -EBADMSG;
	return (int)(hundreds * 100 + rest);
}

/* Where the attribute's own header begins. */
static size_t
offset_of(const struct stun_msg *m, const struct stun_attr *a)
{
	return (size_t)(a->value - m->raw) - 4;
}

int
stun_check_integrity_sha256(
    const struct stun_msg *m, const void *key, size_t key_len)
{
	uint8_t want[INTEGRITY_SHA256_LEN];
	struct stun_attr a;

	if (stun_find(m, STUN_MESSAGE_INTEGRITY_SHA256, &a) != 0)
		return -ENOENT;
	/* a server may truncate to no less than 16 (section 14.6) */
	if (a.len < 16 || a.len > sizeof(want) || a.len % 4 != 0)
		return -EACCES;
	integrity_sha256(want, m->raw, offset_of(m, &a), a.len, key, key_len);
	return sodium_memcmp(want, a.value, a.len) == 0 ? 0 : -EACCES;
}

int
stun_check_integrity(const struct stun_msg *m, const void *key, size_t key_len)
{
	uint8_t want[INTEGRITY_SHA1_LEN];
	struct stun_attr a;

	if (stun_find(m, STUN_MESSAGE_INTEGRITY, &a) != 0)
		return -ENOENT;
	if (a.len != sizeof(want))
		return -EACCES;
	integrity_sha1(want, m->raw, offset_of(m, &a), a.len, key, key_len);
	return sodium_memcmp(want, a.value, a.len) == 0 ? 0 : -EACCES;
}
