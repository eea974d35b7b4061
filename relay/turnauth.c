/* SPDX-License-Identifier: ISC */
/* Long-term credentials, the server's half (RFC 8489 section 9.2.4). MD5 is
 * nettle's. */
#include "turnauth.h"

#include <errno.h>
#include <nettle/md5.h>
#include <sodium.h>
#include <string.h>

#define FEATURE_ALGORITHMS 0x800000u /* bit 0 of 24, RFC 8489 section 18.1 */
#define ALGORITHM_MD5 1		     /* section 18.5 */
#define ALGORITHM_SHA256 2

/* digits of an expiry, a colon, the user */
#define NAME_MAX_LEN (20 + 1 + CREDENTIAL_USER_MAX)

/* PASSWORD-ALGORITHMS: the better one first, none has parameters. */
static const uint8_t offer[] = {
    0, ALGORITHM_SHA256, 0, 0, 0, ALGORITHM_MD5, 0, 0};

int
turnauth_init(struct turnauth *t, const char *realm,
    const struct credential_secret *secrets, size_t n_secrets)
{
	*t = (struct turnauth){.realm = realm,
	    .realm_len = strlen(realm),
	    .secrets = secrets,
	    .n_secrets = n_secrets};
	if (t->realm_len == 0 || t->realm_len > TURNAUTH_REALM_MAX)
		return -EINVAL;
	nonces_init(&t->nonces);
	t->nonces.features = FEATURE_ALGORITHMS;
	randombytes_buf(t->id_key, sizeof(t->id_key));
	return 0;
}

enum nonce_state
turnauth_nonce(const struct turnauth *t, const struct stun_msg *m,
    const struct addr *client, uint64_t now_ms)
{
	struct stun_attr a;
	uint64_t given_ms;

	if (stun_find(m, STUN_NONCE, &a) != 0)
		return NONCE_WRONG;
	return nonces_look(
	    &t->nonces, client, now_ms, a.value, a.len, &given_ms);
}

static bool
is_offer(const struct stun_attr *a)
{
	return a->len == sizeof(offer) &&
	       memcmp(a->value, offer, sizeof(offer)) == 0;
}

/* Which algorithm makes the key; 0: someone has tampered with the offer, or the
 * client didn't understand it. That the nonce is ours, with the bit that says
 * that there was an offer, is checked for every request that gets further. */
static int
algorithm(const struct stun_msg *m)
{
	struct stun_attr all, one;
	bool has_all = stun_find(m, STUN_PASSWORD_ALGORITHMS, &all) == 0;
	bool has_one = stun_find(m, STUN_PASSWORD_ALGORITHM, &one) == 0;
	struct cursor c;
	uint16_t chosen, parameters;

	if (!has_all && !has_one)
		return ALGORITHM_MD5;
	if (!has_all || !has_one || !is_offer(&all))
		return 0;
	cursor_init(&c, one.value, one.len);
	chosen = cursor_u16(&c);
	parameters = cursor_u16(&c);
	if (c.bad || cursor_left(&c) != 0 || parameters != 0 ||
	    (chosen != ALGORITHM_MD5 && chosen != ALGORITHM_SHA256))
		return 0;
	return chosen;
}

/* RFC 8489 section 9.2.2: H(name ":" realm ":" password). */
static void
make_key(const struct turnauth *t, const char *name, const char *password,
    bool sha256, struct turnauth_who *who)
{
	char text[NAME_MAX_LEN + 1 + TURNAUTH_REALM_MAX + 1 +
		  CREDENTIAL_TURN_PASSWORD_LEN];
	size_t name_len = strlen(name), password_len = strlen(password);
	struct md5_ctx md5;
	char *p = text;

	memcpy(p, name, name_len);
	p += name_len;
	*p++ = ':';
	memcpy(p, t->realm, t->realm_len);
	p += t->realm_len;
	*p++ = ':';
	memcpy(p, password, password_len);
	p += password_len;
	if (sha256) {
		crypto_hash_sha256(
		    who->key, (const uint8_t *)text, (size_t)(p - text));
		who->key_len = crypto_hash_sha256_BYTES;
	} else {
		md5_init(&md5);
		md5_update(&md5, (size_t)(p - text), (const uint8_t *)text);
		md5_digest(&md5, MD5_DIGEST_SIZE, who->key);
		who->key_len = MD5_DIGEST_SIZE;
		sodium_memzero(&md5, sizeof(md5));
	}
	sodium_memzero(text, sizeof(text));
}

/* The stronger one counts, if both are there. */
static bool
is_signed(const struct stun_msg *m, const struct turnauth_who *who)
{
	int rc = stun_check_integrity_sha256(m, who->key, who->key_len);

	if (rc == -ENOENT)
		rc = stun_check_integrity(m, who->key, who->key_len);
	return rc == 0;
}

static int
check_name(const struct turnauth *t, const struct stun_msg *m,
    const struct stun_attr *user, bool sha256, struct turnauth_who *who)
{
	char name[NAME_MAX_LEN + 1], password[CREDENTIAL_TURN_PASSWORD_LEN + 1];
	bool ok = false;

	if (user->len > NAME_MAX_LEN ||
	    credential_turn_parse(&who->name, user->value, user->len) != 0)
		return 401;
	memcpy(name, user->value, user->len);
	name[user->len] = '\0';
	for (size_t i = 0; !ok && i < t->n_secrets; i++) {
		credential_turn_password(&t->secrets[i], name, password);
		make_key(t, name, password, sha256, who);
		ok = is_signed(m, who);
	}
	sodium_memzero(password, sizeof(password));
	if (!ok) {
		turnauth_forget(who);
		return 401;
	}
	crypto_generichash(who->id, sizeof(who->id), user->value, user->len,
	    t->id_key, sizeof(t->id_key));
	return 0;
}

int
turnauth_check(const struct turnauth *t, const struct stun_msg *m, bool proven,
    struct turnauth_who *who)
{
	struct stun_attr user, realm, a;
	bool sha1 = stun_find(m, STUN_MESSAGE_INTEGRITY, &a) == 0, chose;
	bool hash = stun_find(m, STUN_USERHASH, &a) == 0;
	bool name = stun_find(m, STUN_USERNAME, &user) == 0;
	int alg = algorithm(m), rc;

	*who = (struct turnauth_who){0};
	if (!sha1 && stun_find(m, STUN_MESSAGE_INTEGRITY_SHA256, &a) != 0)
		return 401;
	if ((!name && !hash) || stun_find(m, STUN_REALM, &realm) != 0 ||
	    stun_find(m, STUN_NONCE, &a) != 0)
		return 400;
	if (alg == 0)
		return proven ? 400 : 438;
	if (!name || realm.len != t->realm_len ||
	    memcmp(realm.value, t->realm, t->realm_len) != 0)
		return 401;
	rc = check_name(t, m, &user, alg == ALGORITHM_SHA256, who);
	if (rc != 0)
		return rc;
	/* as the request was: RFC 8489 section 9.2.4, the last paragraph */
	chose = stun_find(m, STUN_PASSWORD_ALGORITHM, &a) == 0;
	who->sha256 = chose || !sha1;
	if (!proven) {
		turnauth_forget(who);
		return 438;
	}
	return 0;
}

void
turnauth_challenge(const struct turnauth *t, struct stun_buf *b,
    const struct addr *client, uint64_t now_ms)
{
	char nonce[CREDENTIAL_NONCE_LEN + 1];

	nonces_make(&t->nonces, client, now_ms, nonce);
	stun_put(b, STUN_REALM, t->realm, t->realm_len);
	stun_put(b, STUN_NONCE, nonce, CREDENTIAL_NONCE_LEN);
	stun_put(b, STUN_PASSWORD_ALGORITHMS, offer, sizeof(offer));
}

void
turnauth_sign(const struct turnauth_who *who, struct stun_buf *b)
{
	if (who->key_len == 0)
		return;
	if (who->sha256)
		stun_put_integrity_sha256(b, who->key, who->key_len);
	else
		stun_put_integrity(b, who->key, who->key_len);
}

void
turnauth_forget(struct turnauth_who *who)
{
	sodium_memzero(who->key, sizeof(who->key));
	who->key_len = 0;
}
