/* SPDX-License-Identifier: ISC */
/* What a TURN request asks for: its attributes, each with the one length that
 * it may have (RFC 8656 section 18). */
#include <errno.h>

#include "turnstate.h"

#define TRANSPORT_UDP 17

int
turn_find(const struct stun_msg *m, uint16_t type, size_t len, struct cursor *c)
{
	struct stun_attr a;

	if (stun_find(m, type, &a) != 0)
		return 0;
	if (a.len != len)
		return -EBADMSG;
	cursor_init(c, a.value, a.len);
	return 1;
}

int
turn_find_family(const struct stun_msg *m, uint16_t type, unsigned int *half)
{
	struct cursor c;
	uint8_t family;
	int rc = turn_find(m, type, 4, &c);

	if (rc != 1)
		return rc;
	family = cursor_u8(&c);
	if (family != 1 && family != 2)
		return -EPROTONOSUPPORT;
	*half = family - 1;
	return 1;
}

static int
read_families(const struct turn_request *r, struct turn_wish *w)
{
	unsigned int half = 0;
	int one = turn_find_family(r->m, TURN_REQUESTED_ADDRESS_FAMILY, &half);
	int both;

	if (one == -EBADMSG)
		return 400;
	if (one == -EPROTONOSUPPORT)
		return 440;
	w->family[half] = true;
	both = turn_find_family(r->m, TURN_ADDITIONAL_ADDRESS_FAMILY, &half);
	if (both == 0)
		both = turn_find_family(
		    r->m, TURN_ADDITIONAL_ADDRESS_FAMILY_OLD, &half);
	if (both == 0)
		return one == 1 && w->token != NULL ? 400 : 0;
	/* none but IPv6 can be additional */
	if (both < 0 || half != 1 || one == 1 || w->token != NULL || w->next)
		return 400;
	w->family[1] = w->both = true;
	return 0;
}

int
turn_read_wish(const struct turn_request *r, struct turn_wish *w)
{
	struct cursor c;
	int rc = turn_find(r->m, TURN_REQUESTED_TRANSPORT, 4, &c);

	*w = (struct turn_wish){.lifetime_s = turn_lifetime(0)};
	if (rc != 1)
		return 400;
	if (cursor_u8(&c) != TRANSPORT_UDP)
		return 442;
	if (turn_find(r->m, TURN_DONT_FRAGMENT, 0, &c) < 0)
		return 400;
	rc = turn_find(r->m, TURN_LIFETIME, 4, &c);
	if (rc == 1)
		w->lifetime_s = turn_lifetime(cursor_u32(&c));
	if (rc < 0)
		return 400;
	rc = turn_find(r->m, TURN_EVEN_PORT, 1, &c);
	w->even = rc == 1;
	w->next = rc == 1 && (cursor_u8(&c) & 0x80) != 0;
	if (rc < 0)
		return 400;
	rc = turn_find(r->m, TURN_RESERVATION_TOKEN, TURN_TOKEN_LEN, &c);
	if (rc == 1)
		w->token = cursor_bytes(&c, TURN_TOKEN_LEN);
	if (rc < 0 || (w->token != NULL && w->even))
		return 400;
	return read_families(r, w);
}
