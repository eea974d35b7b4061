/* SPDX-License-Identifier: ISC */
/* What can be told from, and said to, a QUIC packet without its connection: the
 * invariants (RFC 8999) and the stateless reset (RFC 9000 section 10.3). */
#include "quicpacket.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "cursor.h"
#include "quic.h"

#define LONG_FORM 0x80
/* RFC 9000 section 17.2. Set in a client's first packets; later libngtcp2 draws
 * it at random (RFC 9287). */
#define FIXED_BIT 0x40
#define TYPE_MASK 0x30
#define TYPE_INITIAL 0x00
#define VERSION_1 1
#define INITIAL_MIN 1200 /* bytes of a client's datagram: section 14.1 */
#define RESET_MIN 21	 /* bytes: section 10.3 */
#define RESET_LEN 43	 /* bytes: looks like an acknowledgement of ours */
#define NONCE 8		 /* bytes at random in a first id; its mark follows */

static int
peek_long(struct quic_head *h, struct cursor *c, uint8_t first, size_t len)
{
	uint32_t version = cursor_u32(c);
	const uint8_t *cid;
	size_t scid_len;

	h->cid_len = cursor_u8(c);
	if (h->cid_len > sizeof(h->cid))
		return -EBADMSG;
	cid = cursor_bytes(c, h->cid_len);
	scid_len = cursor_u8(c);
	if (scid_len > sizeof(h->cid) || cursor_bytes(c, scid_len) == NULL ||
	    c->bad)
		return -EBADMSG;
	memcpy(h->cid, cid, h->cid_len);
	h->long_header = true;
	h->initial = version == VERSION_1 && (first & FIXED_BIT) &&
		     (first & TYPE_MASK) == TYPE_INITIAL && len >= INITIAL_MIN;
	return 0;
}

int
quic_peek(struct quic_head *out, const uint8_t *data, size_t len)
{
	struct quic_head h = {0};
	const uint8_t *cid;
	struct cursor c;
	uint8_t first;

	cursor_init(&c, data, len);
	first = cursor_u8(&c);
	if (c.bad)
		return -EBADMSG;
	if (first & LONG_FORM) {
		if (peek_long(&h, &c, first, len) != 0)
			return -EBADMSG;
	} else {
		if ((cid = cursor_bytes(&c, QUIC_CID_LEN)) == NULL)
			return -EBADMSG;
		memcpy(h.cid, cid, QUIC_CID_LEN);
		h.cid_len = QUIC_CID_LEN;
	}
	*out = h;
	return 0;
}

void
quicpacket_token(uint8_t out[QUICPACKET_TOKEN], const uint8_t psk[PSK_LEN],
    const uint8_t *cid, size_t len)
{
	uint8_t key[PSK_LEN];

	psk_label(key, psk, "natkit 1 QUIC stateless reset");
	crypto_generichash(out, QUICPACKET_TOKEN, cid, len, key, PSK_LEN);
	sodium_memzero(key, sizeof(key));
}

/* What a nonce is followed by; longer than it is used. */
static void
mark_of(uint8_t out[QUICPACKET_TOKEN], const uint8_t psk[PSK_LEN],
    const uint8_t *nonce)
{
	uint8_t key[PSK_LEN];

	psk_label(key, psk, "natkit 1 QUIC first packet");
	crypto_generichash(out, QUICPACKET_TOKEN, nonce, NONCE, key, PSK_LEN);
	sodium_memzero(key, sizeof(key));
}

void
quicpacket_mark(uint8_t *cid, const uint8_t psk[PSK_LEN])
{
	uint8_t mark[QUICPACKET_TOKEN];

	randombytes_buf(cid, NONCE);
	mark_of(mark, psk, cid);
	memcpy(cid + NONCE, mark, QUIC_CID_LEN - NONCE);
}

bool
quic_is_marked(const struct quic_head *h, const uint8_t psk[PSK_LEN])
{
	uint8_t mark[QUICPACKET_TOKEN];

	if (!h->initial || h->cid_len != QUIC_CID_LEN)
		return false;
	mark_of(mark, psk, h->cid);
	return sodium_memcmp(mark, h->cid + NONCE, QUIC_CID_LEN - NONCE) == 0;
}

/* It is shorter than what caused it, so that two sides that both know nothing
 * end their exchange (section 10.3.3). */
size_t
quic_stateless_reset(uint8_t *buf, size_t cap, const uint8_t psk[PSK_LEN],
    const uint8_t *packet, size_t len)
{
	struct quic_head h;
	size_t n;

	if (quic_peek(&h, packet, len) != 0 || h.long_header ||
	    len <= RESET_MIN)
		return 0;
	n = len - 1 < RESET_LEN ? len - 1 : RESET_LEN;
	if (n > cap)
		return 0;
	randombytes_buf(buf, n - QUICPACKET_TOKEN);
	buf[0] = FIXED_BIT | (buf[0] & 0x3f);
	quicpacket_token(buf + n - QUICPACKET_TOKEN, psk, h.cid, QUIC_CID_LEN);
	return n;
}

/* Ours are never longer, so that most packets need no look. */
bool
quicpacket_is_reset(
    const uint8_t *data, size_t len, const uint8_t token[QUICPACKET_TOKEN])
{
	return len >= RESET_MIN && len <= RESET_LEN &&
	       (data[0] & LONG_FORM) == 0 &&
	       sodium_memcmp(
		   data + len - QUICPACKET_TOKEN, token, QUICPACKET_TOKEN) == 0;
}

bool
quicpacket_is_ours(const uint8_t *data, size_t len)
{
	struct cursor c;
	uint8_t first;

	cursor_init(&c, data, len);
	first = cursor_u8(&c);
	if (c.bad)
		return false;
	/* Type 3 is Retry, type 1 is 0-RTT: neither is made by a peer. */
	return (first & LONG_FORM) == 0 ||
	       ((first & 0x10) == 0 && cursor_u32(&c) == VERSION_1 && !c.bad);
}
