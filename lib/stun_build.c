/* SPDX-License-Identifier: ISC */
/* STUN messages, the writing half (RFC 8489). The header's length is right
 * after every put, which is what the integrity attributes are over. */
#include "stun.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "integrity.h"

#define REASON_MAX 763 /* bytes of a reason phrase, RFC 8489 section 14.8 */

void
stun_begin_list(struct stun_buf *b, void *data, size_t cap)
{
	*b = (struct stun_buf){.data = data, .cap = cap, .list = true};
}

void
stun_begin(struct stun_buf *b, void *data, size_t cap, uint16_t method,
    enum stun_class class, const uint8_t tid[STUN_TID_LEN])
{
	unsigned int type =
	    (method & 0xfu) | (method & 0x70u) << 1 | (method & 0xf80u) << 2 |
	    ((unsigned int)class & 1) << 4 | ((unsigned int)class & 2) << 7;

	*b = (struct stun_buf){.data = data, .cap = cap};
	if (cap < STUN_HEADER_LEN) {
		b->overflow = true;
		return;
	}
	put_u16(b->data, (uint16_t)type);
	put_u16(b->data + 2, 0);
	put_u32(b->data + 4, STUN_COOKIE);
	memcpy(b->data + 8, tid, STUN_TID_LEN);
	b->len = STUN_HEADER_LEN;
}

uint8_t *
stun_put_space(struct stun_buf *b, uint16_t type, size_t len)
{
	size_t padded = (len + 3) & ~(size_t)3;
	uint8_t *p;

	/* the header counts in 16 bits, itself not included */
	if (b->overflow || len > UINT16_MAX || b->cap - b->len < 4 + padded ||
	    (!b->list && b->len + 4 + padded > STUN_HEADER_LEN + UINT16_MAX)) {
		b->overflow = true;
		return NULL;
	}
	p = b->data + b->len;
	put_u16(p, type);
	put_u16(p + 2, (uint16_t)len);
	memset(p + 4, 0, padded);
	b->len += 4 + padded;
	if (!b->list)
		put_u16(b->data + 2, (uint16_t)(b->len - STUN_HEADER_LEN));
	return p + 4;
}

void
stun_put(struct stun_buf *b, uint16_t type, const void *value, size_t len)
{
	uint8_t *p = stun_put_space(b, type, len);

	if (p != NULL && len > 0)
		memcpy(p, value, len);
}

void
stun_put_u32(struct stun_buf *b, uint16_t type, uint32_t v)
{
	uint8_t *p = stun_put_space(b, type, 4);

	if (p != NULL)
		put_u32(p, v);
}

void
stun_put_u64(struct stun_buf *b, uint16_t type, uint64_t v)
{
	uint8_t *p = stun_put_space(b, type, 8);

	if (p != NULL)
		put_u64(p, v);
}

/* mask is what the port and the address are XORed with (section 14.2). */
static void
put_addr(struct stun_buf *b, uint16_t type, const struct addr *a,
    const uint8_t mask[16])
{
	size_t len = addr_ip_len(a);
	uint8_t *p;

	if (len == 0) { /* no such message: the end call must say so */
		b->overflow = true;
		return;
	}
	p = stun_put_space(b, type, 4 + len);
	if (p == NULL)
		return;
	p[1] = a->family == ADDR_V4 ? 1 : 2;
	put_u16(p + 2, a->port ^ (uint16_t)(mask[0] << 8 | mask[1]));
	for (size_t i = 0; i < len; i++)
		p[4 + i] = a->ip[i] ^ mask[i];
}

void
stun_put_addr(struct stun_buf *b, uint16_t type, const struct addr *a)
{
	static const uint8_t zeros[16];

	put_addr(b, type, a, zeros);
}

void
stun_put_xor_addr(struct stun_buf *b, uint16_t type, const struct addr *a)
{
	uint8_t mask[16];

	if (b->list) /* has no transaction id to XOR with */
		b->overflow = true;
	if (b->overflow)
		return;
	memcpy(mask, b->data + 4, sizeof(mask)); /* cookie, transaction id */
	put_addr(b, type, a, mask);
}

void
stun_put_error(struct stun_buf *b, int code, const char *reason)
{
	size_t len = reason != NULL ? strlen(reason) : 0;
	uint8_t *p;

	if (code < 300 || code > 699 || len > REASON_MAX) {
		b->overflow = true;
		return;
	}
	p = stun_put_space(b, STUN_ERROR_CODE, 4 + len);
	if (p == NULL)
		return;
	p[2] = (uint8_t)(code / 100);
	p[3] = (uint8_t)(code % 100);
	if (len > 0) /* on the wire it has no NUL */
		/* NOLINTNEXTLINE(bugprone-not-null-terminated-result) */
		memcpy(p + 4, reason, len);
}

/* Space for an attribute about the bytes before it, which a list, without a
 * header, can't have. */
static uint8_t *
put_check(struct stun_buf *b, uint16_t type, size_t len)
{
	if (b->list)
		b->overflow = true;
	return stun_put_space(b, type, len);
}

void
stun_put_integrity_sha256(struct stun_buf *b, const void *key, size_t key_len)
{
	size_t before = b->len;
	uint8_t *p =
	    put_check(b, STUN_MESSAGE_INTEGRITY_SHA256, INTEGRITY_SHA256_LEN);

	if (p != NULL)
		integrity_sha256(
		    p, b->data, before, INTEGRITY_SHA256_LEN, key, key_len);
}

void
stun_put_integrity(struct stun_buf *b, const void *key, size_t key_len)
{
	size_t before = b->len;
	uint8_t *p = put_check(b, STUN_MESSAGE_INTEGRITY, INTEGRITY_SHA1_LEN);

	if (p != NULL)
		integrity_sha1(
		    p, b->data, before, INTEGRITY_SHA1_LEN, key, key_len);
}

int
stun_end(struct stun_buf *b, bool fingerprint)
{
	size_t before = b->len;
	uint8_t *p;

	if (fingerprint) {
		p = put_check(b, STUN_FINGERPRINT, FINGERPRINT_LEN);
		if (p != NULL)
			put_u32(p, integrity_fingerprint(b->data, before));
	}
	return b->overflow ? -ENOBUFS : (int)b->len;
}

void
stun_new_tid(uint8_t tid[STUN_TID_LEN])
{
	randombytes_buf(tid, STUN_TID_LEN);
}

int
stun_binding_indication(uint8_t *out, size_t cap)
{
	uint8_t tid[STUN_TID_LEN];
	struct stun_buf b;

	stun_new_tid(tid);
	stun_begin(&b, out, cap, STUN_BINDING, STUN_INDICATION, tid);
	return stun_end(&b, true);
}
