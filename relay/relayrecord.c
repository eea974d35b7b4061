/* SPDX-License-Identifier: ISC */
/* The relay records that nat-rendezvous agent prints, read strictly. */
#include "relayrecord.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

/* One endpoint, or two of two families, with a comma between them. */
static bool
read_endpoints(struct relayrecord *out, const char *text)
{
	char copy[2 * ADDR_STRLEN], *next = copy, *comma;

	if (strlen(text) >= sizeof(copy))
		return false;
	memcpy(copy, text, strlen(text) + 1);
	for (; next != NULL; next = comma) {
		if ((comma = strchr(next, ',')) != NULL)
			*comma++ = '\0';
		if (out->n == 2 || addr_parse(&out->at[out->n], next) != 0 ||
		    !addr_is_sendable(&out->at[out->n]) ||
		    (out->n == 1 && out->at[0].family == out->at[1].family))
			return false;
		out->n++;
	}
	return true;
}

static bool
read_user(struct relayrecord *out, const char *text)
{
	struct credential_pair c;
	size_t len = text == NULL ? 0 : strlen(text);

	if (len == 0 || len >= sizeof(out->user) ||
	    credential_pair_parse(&c, (const uint8_t *)text, len) != 0 ||
	    !key_equal(c.peer, out->key))
		return false;
	memcpy(out->user, text, len + 1);
	return true;
}

static bool
read_password(struct relayrecord *out, const char *text)
{
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/=";

	if (text == NULL || strlen(text) != CREDENTIAL_PASSWORD_LEN ||
	    strspn(text, base64) != CREDENTIAL_PASSWORD_LEN)
		return false;
	memcpy(out->password, text, CREDENTIAL_PASSWORD_LEN + 1);
	return true;
}

static const char *
read_all(struct relayrecord *out, const struct record_view *r)
{
	const char *server = record_get(r, "server");
	uint64_t priority, lifetime_s;

	if (record_get_key(r, "key", out->key) != 0)
		return "key";
	if (server == NULL)
		return NULL;
	if (!read_endpoints(out, server))
		return "server";
	if (!read_user(out, record_get(r, "user")))
		return "user";
	if (!read_password(out, record_get(r, "password")))
		return "password";
	if (record_get_u64(r, "priority", &priority) != 0 ||
	    priority > UINT32_MAX)
		return "priority";
	if (record_get_u64(r, "lifetime_s", &lifetime_s) != 0 ||
	    lifetime_s == 0 || lifetime_s > RELAYRECORD_LIFETIME_MAX_S)
		return "lifetime_s";
	out->priority = (uint32_t)priority;
	out->lifetime_s = (uint32_t)lifetime_s;
	return NULL;
}

int
relayrecord_read(
    struct relayrecord *out, const struct record_view *r, const char **wrong)
{
	struct relayrecord got = {0};

	*wrong = read_all(&got, r);
	if (*wrong == NULL)
		*out = got;
	sodium_memzero(&got, sizeof(got));
	return *wrong == NULL ? 0 : -EBADMSG;
}
