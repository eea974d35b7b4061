/* SPDX-License-Identifier: ISC */
/* Tokens: what the rendezvous gives two keys that want each other, so that
 * relays take them. */
#include "token.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

/* What goes into a hash for an endpoint. */
#define POINT_LEN 19

static void
put_point(uint8_t out[POINT_LEN], const struct addr *a)
{
	memset(out, 0, POINT_LEN);
	out[0] = a->family;
	put_u16(out + 1, a->port);
	memcpy(out + 3, a->ip, addr_ip_len(a));
}

uint64_t
token_rank(const uint8_t a[KEY_LEN], const uint8_t b[KEY_LEN],
    const struct addr *at, size_t n)
{
	uint8_t in[2 * KEY_LEN + 2 * POINT_LEN] = {0}, out[16];
	bool a_first = memcmp(a, b, KEY_LEN) < 0;
	bool in_order = n < 2 || at[0].family < at[1].family;
	struct cursor c;

	memcpy(in, a_first ? a : b, KEY_LEN);
	memcpy(in + KEY_LEN, a_first ? b : a, KEY_LEN);
	for (size_t i = 0; i < n && i < 2; i++)
		put_point(in + 2 * KEY_LEN + POINT_LEN * (in_order ? i : 1 - i),
		    &at[i]);
	crypto_generichash(out, sizeof(out), in, sizeof(in), NULL, 0);
	cursor_init(&c, out, sizeof(out));
	return cursor_u64(&c);
}

/* Reading */

/* As credential.h makes it: base64. */
static bool
is_password(const uint8_t *p)
{
	for (size_t i = 0; i < CREDENTIAL_PASSWORD_LEN; i++)
		if (!((p[i] >= 'A' && p[i] <= 'Z') ||
			(p[i] >= 'a' && p[i] <= 'z') ||
			(p[i] >= '0' && p[i] <= '9') || p[i] == '+' ||
			p[i] == '/' || p[i] == '='))
			return false;
	return true;
}

static int
read_addr(struct cursor *c, struct addr *out)
{
	size_t left = cursor_left(c);
	struct stun_attr a;

	if (left == 0)
		return -EBADMSG;
	a.len = *c->p == ADDR_V6 ? 20 : 8;
	a.value = cursor_bytes(c, a.len);
	if (a.value == NULL || wire_get_addr(&a, out) != 0 ||
	    !addr_is_sendable(out))
		return -EBADMSG;
	return 0;
}

static int
read_relay(struct token_relay *out, const struct stun_attr *a)
{
	const uint8_t *password;
	struct cursor c;

	memset(out, 0, sizeof(*out));
	cursor_init(&c, a->value, a->len);
	password = cursor_bytes(&c, CREDENTIAL_PASSWORD_LEN);
	if (password == NULL || !is_password(password))
		return -EBADMSG;
	memcpy(out->password, password, CREDENTIAL_PASSWORD_LEN);
	do {
		if (out->n == 2 || read_addr(&c, &out->at[out->n]) != 0)
			return -EBADMSG;
		out->n++;
	} while (cursor_left(&c) > 0);
	return out->n == 2 && out->at[0].family == out->at[1].family ? -EBADMSG
								     : 0;
}

int
token_read(struct token *out, const uint8_t *data, size_t len)
{
	struct token t = {0};
	struct stun_attr a;
	struct cursor c;
	int more;

	cursor_init(&c, data, len);
	t.expiry_s = cursor_u64(&c);
	t.lifetime_s = cursor_u32(&c);
	if (c.bad || t.lifetime_s == 0 || t.lifetime_s > TOKEN_LIFETIME_MAX_S)
		return -EBADMSG;
	while ((more = stun_attr_next(&c, &a)) == 1) {
		if (a.type != NATKIT_RELAY)
			continue;
		if (t.n == TOKEN_RELAYS || read_relay(&t.relay[t.n], &a) != 0)
			return -EBADMSG;
		t.n++;
	}
	if (more == 0)
		*out = t;
	sodium_memzero(&t, sizeof(t));
	return more;
}

/* Serving */

static bool
is_known(const struct tokens *t, const struct addr *a)
{
	for (size_t i = 0; i < t->n; i++)
		for (size_t k = 0; k < t->relay[i].n; k++)
			if (addr_equal(&t->relay[i].at[k], a))
				return true;
	return false;
}

/* "endpoint[,endpoint]", which is cut in place. */
static int
add_endpoints(const struct tokens *t, struct tokens_relay *r, char *at)
{
	char *comma;

	for (; at != NULL; at = comma) {
		if ((comma = strchr(at, ',')) != NULL)
			*comma++ = '\0';
		if (r->n == 2 || addr_parse(&r->at[r->n], at) != 0 ||
		    !addr_is_sendable(&r->at[r->n]) ||
		    (r->n == 1 && r->at[0].family == r->at[1].family))
			return -EBADMSG;
		if (is_known(t, &r->at[r->n++]))
			return -EEXIST;
	}
	return 0;
}

int
tokens_add(struct tokens *t, const char *text)
{
	const char *given = strrchr(text, '@');
	struct tokens_relay *r = &t->relay[t->n];
	char *at;
	int rc;

	if (given == NULL || given == text)
		return -EBADMSG;
	if (t->n == TOKEN_SERVED)
		return -ENOSPC;
	memset(r, 0, sizeof(*r));
	r->path = strdup(text);
	if (r->path == NULL)
		return -ENOMEM;
	at = r->path + (given - text);
	*at++ = '\0';
	rc = add_endpoints(t, r, at);
	if (rc == 0) {
		t->n++;
		return 0;
	}
	free(r->path);
	r->path = NULL;
	return rc;
}

int
tokens_load(struct tokens *t, const char **path)
{
	struct credential_secret fresh[TOKEN_SERVED];
	int rc = 0;

	memset(fresh, 0, sizeof(fresh));
	for (size_t i = 0; i < t->n && rc == 0; i++) {
		*path = t->relay[i].path;
		rc = credential_load(&fresh[i], *path);
	}
	for (size_t i = 0; i < t->n && rc == 0; i++)
		t->relay[i].secret = fresh[i];
	sodium_memzero(fresh, sizeof(fresh));
	return rc;
}

void
tokens_move(struct tokens *to, struct tokens *from)
{
	*to = *from;
	sodium_memzero(from, sizeof(*from));
}

void
tokens_wipe(struct tokens *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->relay[i].path);
	sodium_memzero(t, sizeof(*t));
}

/* The first of the pair's order, in order. Returns how many. */
static size_t
choose(const struct tokens *t, const uint8_t key[KEY_LEN],
    const uint8_t peer[KEY_LEN], size_t chosen[TOKEN_RELAYS])
{
	uint64_t rank[TOKEN_RELAYS], r;
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		size_t k = n;

		r = token_rank(key, peer, t->relay[i].at, t->relay[i].n);
		if (n < TOKEN_RELAYS)
			n++;
		else if (r < rank[--k])
			; /* takes the place of the last */
		else
			continue;
		for (; k > 0 && r < rank[k - 1]; k--) {
			rank[k] = rank[k - 1];
			chosen[k] = chosen[k - 1];
		}
		rank[k] = r;
		chosen[k] = i;
	}
	return n;
}

static void
put_relay(struct stun_buf *b, const struct tokens_relay *r, const char *name)
{
	char password[CREDENTIAL_PASSWORD_LEN + 1];
	uint8_t value[TOKEN_RELAY_MAX];
	size_t len = CREDENTIAL_PASSWORD_LEN;

	credential_pair_password(&r->secret, name, password);
	memcpy(value, password, CREDENTIAL_PASSWORD_LEN);
	for (size_t i = 0; i < r->n; i++) {
		value[len] = r->at[i].family;
		value[len + 1] = 0;
		put_u16(value + len + 2, r->at[i].port);
		memcpy(value + len + 4, r->at[i].ip, addr_ip_len(&r->at[i]));
		len += 4 + addr_ip_len(&r->at[i]);
	}
	stun_put(b, NATKIT_RELAY, value, len);
	sodium_memzero(value, sizeof(value));
	sodium_memzero(password, sizeof(password));
}

static size_t
value_len(const struct tokens *t, const size_t *chosen, size_t n)
{
	size_t len = KEY_LEN + 8 + 4;

	for (size_t i = 0; i < n; i++) {
		const struct tokens_relay *r = &t->relay[chosen[i]];

		len += 4 + CREDENTIAL_PASSWORD_LEN;
		for (size_t k = 0; k < r->n; k++)
			len += 4 + addr_ip_len(&r->at[k]);
	}
	return len;
}

bool
tokens_put(const struct tokens *t, const uint8_t key[KEY_LEN],
    const uint8_t peer[KEY_LEN], size_t room, struct stun_buf *answer)
{
	uint32_t lifetime_s =
	    t->lifetime_s != 0 ? t->lifetime_s : TOKEN_LIFETIME_S;
	struct credential_pair c = {.expiry_s = t->wall_s + lifetime_s};
	uint8_t value[TOKEN_VALUE_MAX];
	char name[CREDENTIAL_NAME_MAX];
	size_t chosen[TOKEN_RELAYS], n = choose(t, key, peer, chosen);
	struct stun_buf list;
	int len;

	if (value_len(t, chosen, n) > room)
		return false;
	memcpy(c.key, key, KEY_LEN);
	memcpy(c.peer, peer, KEY_LEN);
	credential_pair_name(&c, name);
	memcpy(value, peer, KEY_LEN);
	put_u64(value + KEY_LEN, c.expiry_s);
	put_u32(value + KEY_LEN + 8, lifetime_s);
	stun_begin_list(
	    &list, value + KEY_LEN + 12, sizeof(value) - (KEY_LEN + 12));
	for (size_t i = 0; i < n; i++)
		put_relay(&list, &t->relay[chosen[i]], name);
	len = stun_end(&list, false);
	if (len >= 0)
		stun_put(
		    answer, NATKIT_TOKEN, value, KEY_LEN + 12 + (size_t)len);
	sodium_memzero(value, sizeof(value));
	return len >= 0;
}
