/* SPDX-License-Identifier: ISC */
/* A TURN client's long-term credential (RFC 8489 section 9.2). MD5 is nettle's,
 * because libsodium rightly has none. */
#include "turnlogin.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/md5.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALGORITHM_MD5 1 /* RFC 8489 section 18.5 */
#define ALGORITHM_SHA256 2
/* What a nonce begins with whose next four characters, base64 of 24 bits,
 * tell what the server can do (section 9.2). */
#define NONCE_COOKIE "obMatJos2"
#define NONCE_COOKIE_LEN (sizeof(NONCE_COOKIE) - 1)
#define FEATURE_ALGORITHMS 0x80 /* of the first byte, section 18.1 */
#define FEATURE_ANONYMITY 0x40
#define FILE_MAX 1024

int
turnlogin_set(struct turnlogin *l, const char *user, const char *password)
{
	size_t user_len = strlen(user), password_len = strlen(password);

	if (user_len == 0 || user_len > TURNLOGIN_NAME_MAX ||
	    password_len == 0 || password_len > TURNLOGIN_NAME_MAX)
		return -EINVAL;
	memcpy(l->user, user, user_len + 1);
	memcpy(l->password, password, password_len + 1);
	turnlogin_reset(l);
	return 0;
}

/* The beginning of a file, with a NUL. */
static int
read_file(char buf[FILE_MAX + 1], const char *path, bool *loose)
{
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;
	int err = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	buf[0] = '\0';
	if (fd == -1)
		return -errno;
	while (n > 0 && len < FILE_MAX) {
		n = read(fd, buf + len, FILE_MAX - len);
		if (n > 0)
			len += (size_t)n;
	}
	if (n == -1)
		err = -errno;
	if (fstat(fd, &st) == 0)
		*loose = S_ISREG(st.st_mode) && (st.st_mode & 077) != 0;
	close(fd);
	buf[len] = '\0';
	return err != 0 ? err : (int)len;
}

/* Cuts the next line off; NULL when there is none. */
static char *
next_line(char **rest)
{
	char *line = *rest, *end = NULL;

	if (line == NULL || *line == '\0')
		return NULL;
	end = strchr(line, '\n');
	*rest = end != NULL ? end + 1 : NULL;
	if (end == NULL)
		end = line + strlen(line);
	if (end > line && end[-1] == '\r')
		end--;
	*end = '\0';
	return line;
}

int
turnlogin_load(struct turnlogin *l, const char *path, bool *loose)
{
	char buf[FILE_MAX + 1], *rest = buf, *user = NULL, *password = NULL;
	int n = read_file(buf, path, loose);

	if (n >= 0) {
		user = next_line(&rest);
		password = next_line(&rest);
		n = -EINVAL;
		if (user != NULL && password != NULL &&
		    (rest == NULL || *rest == '\0'))
			n = turnlogin_set(l, user, password);
	}
	sodium_memzero(buf, sizeof(buf));
	return n;
}

int
turnlogin_load_secret(
    struct credential_secret *out, const char *path, bool *loose)
{
	char buf[FILE_MAX + 1], *rest = buf, *line = NULL;
	int n = read_file(buf, path, loose);

	if (n >= 0) {
		line = next_line(&rest);
		n = -EINVAL;
		if (line != NULL && *line != '\0' &&
		    strlen(line) <= CREDENTIAL_SECRET_MAX) {
			out->len = strlen(line);
			memcpy(out->bytes, line, out->len);
			n = 0;
		}
	}
	sodium_memzero(buf, sizeof(buf));
	return n;
}

int
turnlogin_make(struct turnlogin *l, const struct credential_secret *secret,
    uint64_t expiry_s, const char *user)
{
	char name[CREDENTIAL_NAME_MAX],
	    password[CREDENTIAL_TURN_PASSWORD_LEN + 1];
	int n = snprintf(
	    name, sizeof(name), "%llu:%s", (unsigned long long)expiry_s, user);

	if (n < 0 || (size_t)n >= sizeof(name))
		return -EINVAL;
	credential_turn_password(secret, name, password);
	n = turnlogin_set(l, name, password);
	sodium_memzero(password, sizeof(password));
	return n;
}

void
turnlogin_reset(struct turnlogin *l)
{
	l->challenged = false;
	l->sha256 = l->anonymous = false;
	l->realm_len = l->nonce_len = l->offer_len = 0;
	sodium_memzero(l->key, sizeof(l->key));
	l->key_len = 0;
}

/* key = hash(user ":" realm ":" password) (section 9.2.2). */
static void
make_key(struct turnlogin *l)
{
	uint8_t text[2 * TURNLOGIN_NAME_MAX + TURNLOGIN_REALM_MAX + 2];
	size_t user_len = strlen(l->user), len = user_len;
	struct md5_ctx md5;

	memcpy(text, l->user, len);
	text[len++] = ':';
	memcpy(text + len, l->realm, l->realm_len);
	len += l->realm_len;
	text[len++] = ':';
	memcpy(text + len, l->password, strlen(l->password));
	len += strlen(l->password);
	if (l->sha256) {
		crypto_hash_sha256(l->key, text, len);
		l->key_len = crypto_hash_sha256_BYTES;
	} else {
		md5_init(&md5);
		md5_update(&md5, len, text);
		md5_digest(&md5, MD5_DIGEST_SIZE, l->key);
		l->key_len = MD5_DIGEST_SIZE;
		sodium_memzero(&md5, sizeof(md5));
	}
	sodium_memzero(text, sizeof(text));
}

/* The first byte of the security features that the nonce tells; 0 for none. */
static uint8_t
nonce_features(const struct stun_attr *nonce)
{
	uint8_t bits[3];
	size_t len = 0;

	if (nonce->len < NONCE_COOKIE_LEN + 4 ||
	    memcmp(nonce->value, NONCE_COOKIE, NONCE_COOKIE_LEN) != 0 ||
	    sodium_base642bin(bits, sizeof(bits),
		(const char *)nonce->value + NONCE_COOKIE_LEN, 4, NULL, &len,
		NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    len != sizeof(bits))
		return 0;
	return bits[0];
}

/* The first algorithm of ours in a list of (number, length, parameters), which
 * is the server's order: 0 for none, or -EBADMSG (sections 9.2.5, 14.11). */
static int
first_algorithm(const struct stun_attr *a)
{
	struct cursor c;
	int first = 0;

	cursor_init(&c, a->value, a->len);
	while (cursor_left(&c) > 0) {
		uint16_t number = cursor_u16(&c);
		uint16_t len = cursor_u16(&c);

		cursor_bytes(&c, len);
		/* the padding of the last one is the attribute's own */
		if (cursor_left(&c) > 0)
			cursor_bytes(&c, -(size_t)len & 3);
		if (c.bad)
			return -EBADMSG;
		if ((number == ALGORITHM_MD5 || number == ALGORITHM_SHA256) &&
		    len == 0 && first == 0)
			first = number;
	}
	return first;
}

int
turnlogin_challenge(struct turnlogin *l, const struct stun_msg *m)
{
	struct stun_attr realm, nonce, offer = {.len = 0};
	int algorithm = ALGORITHM_MD5;
	uint8_t features;
	bool offered = stun_find(m, STUN_PASSWORD_ALGORITHMS, &offer) == 0;

	if (stun_find(m, STUN_REALM, &realm) != 0 ||
	    stun_find(m, STUN_NONCE, &nonce) != 0)
		return -EBADMSG;
	features = nonce_features(&nonce);
	if ((features & FEATURE_ALGORITHMS) != 0 && !offered)
		return -EBADMSG;
	if (offered && (algorithm = first_algorithm(&offer)) < 0)
		return -EBADMSG;
	if (algorithm == 0 || realm.len > TURNLOGIN_REALM_MAX ||
	    nonce.len > TURNLOGIN_NONCE_MAX || offer.len > TURNLOGIN_OFFER_MAX)
		return -EPROTONOSUPPORT;
	memcpy(l->realm, realm.value, realm.len);
	l->realm_len = realm.len;
	memcpy(l->nonce, nonce.value, nonce.len);
	l->nonce_len = nonce.len;
	if (offered)
		memcpy(l->offer, offer.value, offer.len);
	l->offer_len = offer.len;
	l->anonymous = (features & FEATURE_ANONYMITY) != 0;
	/* with the attribute, SHA-256 signs also under an MD5 key (9.2.5) */
	l->sha256 = algorithm == ALGORITHM_SHA256;
	make_key(l);
	l->challenged = true;
	return 0;
}

/* The name, or for a server that has the other one its hash: SHA-256 of user ":"
 * realm (section 14.4). */
static void
put_name(const struct turnlogin *l, struct stun_buf *b)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;

	if (!l->anonymous) {
		stun_put(b, STUN_USERNAME, l->user, strlen(l->user));
		return;
	}
	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(
	    &state, (const uint8_t *)l->user, strlen(l->user));
	crypto_hash_sha256_update(&state, (const uint8_t *)":", 1);
	crypto_hash_sha256_update(&state, l->realm, l->realm_len);
	crypto_hash_sha256_final(&state, hash);
	stun_put(b, STUN_USERHASH, hash, sizeof(hash));
}

void
turnlogin_sign(const struct turnlogin *l, struct stun_buf *b)
{
	uint8_t chosen[4] = {
	    0, l->sha256 ? ALGORITHM_SHA256 : ALGORITHM_MD5, 0, 0};

	if (!l->challenged)
		return;
	put_name(l, b);
	stun_put(b, STUN_REALM, l->realm, l->realm_len);
	stun_put(b, STUN_NONCE, l->nonce, l->nonce_len);
	if (l->offer_len == 0) {
		stun_put_integrity(b, l->key, l->key_len);
		return;
	}
	stun_put(b, STUN_PASSWORD_ALGORITHMS, l->offer, l->offer_len);
	stun_put(b, STUN_PASSWORD_ALGORITHM, chosen, sizeof(chosen));
	stun_put_integrity_sha256(b, l->key, l->key_len);
}

int
turnlogin_check(const struct turnlogin *l, const struct stun_msg *m)
{
	if (!l->challenged)
		return -ENOENT;
	return l->offer_len > 0
		   ? stun_check_integrity_sha256(m, l->key, l->key_len)
		   : stun_check_integrity(m, l->key, l->key_len);
}
