/* SPDX-License-Identifier: ISC */
/* The first contact with a server: nobody there, or another key? */
#include "contact.h"

#include <string.h>

#define NEVER UINT64_MAX

void
contact_init(struct contact *c)
{
	*c = (struct contact){.due_ms = NEVER};
	stun_new_tid(c->tid);
}

void
contact_hello(
    struct contact *c, const struct hello *h, const struct moment *now)
{
	if (c->over)
		return;
	if (c->due_ms == NEVER) {
		c->due_ms = now->ms + CONTACT_MS;
		c->to = h->to;
	}
	if (h->t.sent == CONTACT_HELLOS + 1 && !c->alive) {
		c->ask = true;
		c->to = h->to;
	}
}

int
contact_request(struct contact *c, uint8_t *out, size_t cap)
{
	struct stun_buf b;

	if (!c->ask)
		return 0;
	c->ask = false;
	stun_begin(&b, out, cap, STUN_BINDING, STUN_REQUEST, c->tid);
	return stun_end(&b, true);
}

bool
contact_input(struct contact *c, const struct addr *list, size_t n,
    const struct addr *from, const struct stun_msg *m)
{
	if (c->over || c->alive || m->method != STUN_BINDING ||
	    m->class != STUN_SUCCESS ||
	    memcmp(m->tid, c->tid, STUN_TID_LEN) != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (addr_equal(&list[i], from)) {
			c->alive = true;
			c->to = *from;
			return true;
		}
	return false;
}

const char *
contact_fail(struct contact *c)
{
	contact_end(c);
	return c->alive && !c->proven ? "wrong-key" : "no-answer";
}

void
contact_end(struct contact *c)
{
	c->over = true;
	c->ask = false;
	c->due_ms = NEVER;
}
