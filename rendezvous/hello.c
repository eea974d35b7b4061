/* SPDX-License-Identifier: ISC */
/* One HELLO with one address of a server. */
#include "hello.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

/* A challenge proves nothing, so one HELLO takes up only so many. */
#define CHALLENGES_MAX 3

/* A fresh handshake in each request: the time stamp has to rise, and what a
 * nonce asks for must not reuse an ephemeral key. */
static int
make_request(struct hello *h, const struct hello_keys *k, const uint8_t *nonce,
    size_t nonce_len, const struct moment *now)
{
	int len;

	transaction_start(&h->t, now->ms, TRANSACTION_RTO_MS);
	noise_init_initiator(&h->noise, k->key, k->pub, k->server,
	    WIRE_PROLOGUE, sizeof(WIRE_PROLOGUE) - 1);
	len = wire_hello_request(&h->noise, h->t.tid, now->wall_ns, nonce,
	    nonce_len, h->msg, sizeof(h->msg));
	if (len < 0) {
		hello_wipe(h);
		return len;
	}
	h->len = (size_t)len;
	h->active = true;
	return 0;
}

int
hello_start(struct hello *h, const struct hello_keys *k, const struct addr *to,
    const struct moment *now)
{
	hello_wipe(h);
	h->to = *to;
	return make_request(h, k, NULL, 0, now);
}

enum transaction_action
hello_step(struct hello *h, const struct moment *now)
{
	enum transaction_action action;

	if (!h->active)
		return TRANSACTION_FAIL;
	action = transaction_step(&h->t, now->ms);
	if (action == TRANSACTION_SEND)
		h->sent_us = now->us;
	return action;
}

static void
take_challenge(struct hello *h, const struct hello_keys *k,
    const struct stun_msg *m, const struct moment *now)
{
	uint8_t nonce[WIRE_NONCE_MAX];
	size_t len;

	if (h->challenges == CHALLENGES_MAX ||
	    wire_challenge_read(m, nonce, &len) != 0)
		return;
	h->challenges++;
	make_request(h, k, nonce, len, now);
}

int
hello_input(struct hello *h, const struct hello_keys *k,
    const struct addr *from, const struct stun_msg *m, const struct moment *now,
    struct wire_welcome *welcome, struct session *s, uint64_t *rtt_us)
{
	if (!h->active || h->t.sent == 0 || m->method != NATKIT_HELLO ||
	    !m->fingerprint || !addr_equal(from, &h->to) ||
	    memcmp(m->tid, h->t.tid, STUN_TID_LEN) != 0)
		return 0;
	if (m->class == STUN_ERROR)
		take_challenge(h, k, m, now);
	if (m->class != STUN_SUCCESS ||
	    wire_hello_finish(&h->noise, m, welcome, s) != 0)
		return 0;
	*rtt_us = now->us - h->sent_us;
	hello_wipe(h);
	return 1;
}

void
hello_wipe(struct hello *h)
{
	sodium_memzero(h, sizeof(*h));
}
