/* SPDX-License-Identifier: ISC */
/* Connectivity checks (RFC 8445 section 7), with MESSAGE-INTEGRITY-SHA256 and
 * FINGERPRINT on every message.
 *
 *   request   USERNAME "peer_user:user"  PRIORITY  ICE-CONTROLLING|CONTROLLED
 *             [USE-CANDIDATE]  [NATKIT_HINT]  [NATKIT_SEEN]
 *             integrity under the peer's password
 *   success   XOR-MAPPED-ADDRESS  integrity under the same password
 */
#include "check.h"

#include <errno.h>
#include <string.h>

#define USERNAME_LEN (CHECK_USER_LEN + 1 + CHECK_USER_LEN)

/* What a check or its answer may hold and still be understood. */
static const uint16_t known[] = {
    STUN_USERNAME,
    STUN_MESSAGE_INTEGRITY_SHA256,
    STUN_XOR_MAPPED_ADDRESS,
    STUN_PRIORITY,
    STUN_USE_CANDIDATE,
};

/* Exactly len characters of base64's alphabet (RFC 8445's ice-char). */
static bool
ice_chars(const char *text, size_t len)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789+/";

	return strlen(text) == len && strspn(text, set) == len;
}

bool
check_user_valid(const char *user)
{
	return ice_chars(user, CHECK_USER_LEN);
}

bool
check_password_valid(const char *password)
{
	return ice_chars(password, CHECK_PASSWORD_LEN);
}

/* The receiver's name comes first (RFC 8445 section 7.2.2). */
static void
username(uint8_t out[USERNAME_LEN], const char *receiver, const char *sender)
{
	memcpy(out, receiver, CHECK_USER_LEN);
	out[CHECK_USER_LEN] = ':';
	memcpy(out + CHECK_USER_LEN + 1, sender, CHECK_USER_LEN);
}

int
check_request(const struct check_credentials *c, const struct check *check,
    uint64_t tie_breaker, const uint8_t tid[STUN_TID_LEN], uint8_t *out,
    size_t cap)
{
	uint8_t name[USERNAME_LEN];
	struct stun_buf b;

	username(name, c->peer_user, c->user);
	stun_begin(&b, out, cap, STUN_BINDING, STUN_REQUEST, tid);
	stun_put(&b, STUN_USERNAME, name, sizeof(name));
	stun_put_u32(&b, STUN_PRIORITY, check->priority);
	stun_put_u64(&b,
	    check->controlling ? STUN_ICE_CONTROLLING : STUN_ICE_CONTROLLED,
	    tie_breaker);
	if (check->nominate)
		stun_put(&b, STUN_USE_CANDIDATE, "", 0);
	if (check->hint != 0)
		stun_put_u32(&b, NATKIT_HINT, check->hint);
	if (check->mapped.family != ADDR_NONE)
		stun_put_xor_addr(&b, NATKIT_SEEN, &check->mapped);
	stun_put_integrity_sha256(&b, c->peer_password, CHECK_PASSWORD_LEN);
	return stun_end(&b, true);
}

int
check_response(const struct check_credentials *c, const struct addr *seen,
    const uint8_t tid[STUN_TID_LEN], uint8_t *out, size_t cap)
{
	struct stun_buf b;

	stun_begin(&b, out, cap, STUN_BINDING, STUN_SUCCESS, tid);
	stun_put_xor_addr(&b, STUN_XOR_MAPPED_ADDRESS, seen);
	stun_put_integrity_sha256(&b, c->password, CHECK_PASSWORD_LEN);
	return stun_end(&b, true);
}

bool
check_is_for(const struct check_credentials *c, const struct stun_msg *m)
{
	uint8_t name[USERNAME_LEN];
	struct stun_attr a;

	username(name, c->user, c->peer_user);
	return m->method == STUN_BINDING && m->class == STUN_REQUEST &&
	       stun_find(m, STUN_USERNAME, &a) == 0 && a.len == sizeof(name) &&
	       memcmp(a.value, name, sizeof(name)) == 0;
}

static uint32_t
value_u32(const struct stun_attr *a)
{
	struct cursor c;

	cursor_init(&c, a->value, a->len);
	return cursor_u32(&c);
}

bool
check_is_relayed(const struct stun_msg *m)
{
	struct stun_attr a;

	return stun_find(m, STUN_PRIORITY, &a) == 0 && a.len == 4 &&
	       CHECK_RELAYED(value_u32(&a));
}

/* The cheap tests before the hash: a stranger's flood costs little. */
static bool
well_formed(const struct stun_msg *m)
{
	return m->fingerprint &&
	       stun_unknown(m, known, sizeof(known) / sizeof(known[0])) == 0;
}

int
check_read_request(const struct check_credentials *c, const struct stun_msg *m,
    struct check *out)
{
	struct stun_attr priority, hint, mapped, ignored;

	if (m->method != STUN_BINDING || m->class != STUN_REQUEST ||
	    !well_formed(m))
		return -EBADMSG;
	if (!check_is_for(c, m))
		return -ENOENT;
	if (stun_find(m, STUN_PRIORITY, &priority) != 0 || priority.len != 4)
		return -EBADMSG;
	if (stun_check_integrity_sha256(m, c->password, CHECK_PASSWORD_LEN) !=
	    0)
		return -EACCES;
	out->priority = value_u32(&priority);
	out->nominate = stun_find(m, STUN_USE_CANDIDATE, &ignored) == 0;
	out->controlling = stun_find(m, STUN_ICE_CONTROLLING, &ignored) == 0;
	out->hint = stun_find(m, NATKIT_HINT, &hint) == 0 && hint.len == 4
			? value_u32(&hint)
			: 0;
	if (stun_find(m, NATKIT_SEEN, &mapped) != 0 ||
	    stun_get_xor_addr(&mapped, m->tid, &out->mapped) != 0)
		memset(&out->mapped, 0, sizeof(out->mapped));
	return 0;
}

int
check_read_response(const struct check_credentials *c, const struct stun_msg *m,
    struct addr *seen)
{
	struct stun_attr a;

	if (m->method != STUN_BINDING || m->class != STUN_SUCCESS ||
	    !well_formed(m) || stun_find(m, STUN_XOR_MAPPED_ADDRESS, &a) != 0)
		return -EBADMSG;
	if (stun_check_integrity_sha256(
		m, c->peer_password, CHECK_PASSWORD_LEN) != 0)
		return -EACCES;
	return stun_get_xor_addr(&a, m->tid, seen) == 0 ? 0 : -EBADMSG;
}
