/* SPDX-License-Identifier: ISC */
/* BIND requests: read, and answered. In the order of what it costs us: the
 * nonce is one hash, and only who has shown one is worth an HMAC. */
#include "bindask.h"

#include <sodium.h>

#include "pairs.h"

int
bindask_gate_init(struct bindask_gate *g, size_t slots, uint32_t rate)
{
	uint8_t key[LIMIT_KEY_LEN];
	int rc;

	nonces_init(&g->nonces);
	randombytes_buf(key, sizeof(key));
	rc = limit_init(&g->unproven, slots, rate, 2 * rate, key);
	if (rc == 0)
		rc = limit_init(&g->proven, slots, rate, 2 * rate, key);
	return rc;
}

void
bindask_gate_free(struct bindask_gate *g)
{
	limit_free(&g->unproven);
	limit_free(&g->proven);
}

size_t
bindask_gate_memory(const struct bindask_gate *g)
{
	return limit_memory(&g->unproven) + limit_memory(&g->proven);
}

static int
prove_address(struct bindask *a, struct bindask_gate *g)
{
	enum nonce_state state = NONCE_WRONG;
	struct stun_attr n;
	bool shown, ours;

	shown = stun_find(a->m, STUN_NONCE, &n) == 0;
	if (shown)
		state = nonces_look(&g->nonces, &a->from->remote, a->now_ms,
		    n.value, n.len, &a->given_ms);
	/* nobody sends over another's connection */
	ours = state != NONCE_WRONG || a->from->socket == WAY_STREAM;
	if (!limit_take(
		ours ? &g->proven : &g->unproven, &a->from->remote, a->now_ms))
		return BINDASK_SILENT;
	a->challenge = state != NONCE_FRESH;
	if (state == NONCE_FRESH)
		return 0;
	return shown ? 438 : 401;
}

static int
prove_holder(
    struct bindask *a, const struct credential_secret *secrets, size_t n)
{
	char name[CREDENTIAL_NAME_MAX];
	struct stun_attr v;

	if (stun_find(a->m, STUN_USERNAME, &v) != 0)
		return 400;
	if (credential_pair_parse(&a->c, v.value, v.len) != 0)
		return 401;
	credential_pair_name(&a->c, name);
	for (size_t i = 0; i < n && !a->holder; i++) {
		credential_pair_password(&secrets[i], name, a->password);
		a->holder = stun_check_integrity_sha256(a->m, a->password,
				CREDENTIAL_PASSWORD_LEN) == 0;
	}
	return a->holder ? 0 : 401;
}

static int
get_channel(struct bindask *a, const struct stun_attr *v)
{
	struct cursor c;

	cursor_init(&c, v->value, v->len);
	a->channel = cursor_u16(&c);
	cursor_u16(&c);
	return !c.bad && cursor_left(&c) == 0 &&
		       a->channel >= PAIRS_CHANNEL_MIN &&
		       a->channel <= PAIRS_CHANNEL_MAX
		   ? 0
		   : 400;
}

static int
understand(struct bindask *a)
{
	static const uint16_t known[] = {STUN_USERNAME, STUN_NONCE,
	    STUN_MESSAGE_INTEGRITY_SHA256, TURN_LIFETIME, TURN_CHANNEL_NUMBER};
	bool stream = a->from->socket == WAY_STREAM;
	struct stun_attr v;
	struct cursor c;

	a->unknown =
	    stun_unknown(a->m, known, sizeof(known) / sizeof(known[0]));
	if (a->unknown != 0)
		return 420;
	if (stun_find(a->m, TURN_LIFETIME, &v) == 0) {
		cursor_init(&c, v.value, v.len);
		a->leave = cursor_u32(&c) == 0;
		if (c.bad || cursor_left(&c) != 0)
			return 400;
	}
	if (stun_find(a->m, TURN_CHANNEL_NUMBER, &v) != 0)
		return stream ? 400 : 0;
	return stream ? get_channel(a, &v) : 400;
}

int
bindask_read(struct bindask *a, struct bindask_gate *g,
    const struct credential_secret *secrets, size_t n_secrets)
{
	int rc = prove_address(a, g);

	if (rc == 0)
		rc = prove_holder(a, secrets, n_secrets);
	if (rc == 0)
		rc = understand(a);
	return rc;
}

int
bindask_answer(const struct bindask *a, const struct bindask_gate *g, int code,
    uint8_t *out, size_t cap)
{
	char nonce[CREDENTIAL_NONCE_LEN + 1];
	struct stun_buf b;
	uint8_t type[2];
	int len;

	stun_begin(&b, out, cap, NATKIT_BIND,
	    code == 0 ? STUN_SUCCESS : STUN_ERROR, a->m->tid);
	if (code == 0) {
		stun_put_xor_addr(
		    &b, STUN_XOR_MAPPED_ADDRESS, &a->from->remote);
		stun_put_u32(&b, TURN_LIFETIME, a->lifetime_s);
	} else {
		stun_put_error(&b, code, NULL);
	}
	if (code == 420) {
		put_u16(type, a->unknown);
		stun_put(&b, STUN_UNKNOWN_ATTRIBUTES, type, sizeof(type));
	}
	if (a->challenge) {
		nonces_make(&g->nonces, &a->from->remote, a->now_ms, nonce);
		stun_put(&b, STUN_NONCE, nonce, CREDENTIAL_NONCE_LEN);
	}
	if (code == 300)
		stun_put_addr(&b, STUN_ALTERNATE_SERVER, &a->alternate);
	if (a->holder)
		stun_put_integrity_sha256(
		    &b, a->password, CREDENTIAL_PASSWORD_LEN);
	len = stun_end(&b, true);
	/* never more than was sent to us, whoever it was that sent it */
	return len < 0 || (size_t)len > a->m->len ? 0 : len;
}
