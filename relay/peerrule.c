/* SPDX-License-Identifier: ISC */
/* Which peers a TURN client may reach: the special-purpose address registries
 * (RFC 6890, RFC 8190), and what the operator says. */
#include "peerrule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct range {
	uint8_t ip[16];
	uint8_t bits;
};

/* https://www.iana.org/assignments/iana-ipv4-special-registry, but for what is
 * reachable by all, and what is for documentation */
static const struct range refused4[] = {
    {{0}, 8},		 /* this network, unspecified */
    {{10}, 8},		 /* private */
    {{100, 64}, 10},	 /* shared: behind a provider's NAT */
    {{127}, 8},		 /* loopback */
    {{169, 254}, 16},	 /* link-local; metadata of clouds */
    {{172, 16}, 12},	 /* private */
    {{192, 0, 0}, 24},	 /* IETF protocol assignments */
    {{192, 88, 99}, 24}, /* 6to4 relays, which are no more */
    {{192, 168}, 16},	 /* private */
    {{198, 18}, 15},	 /* benchmarks, and inside of things */
    {{224}, 4},		 /* multicast */
    {{240}, 4},		 /* reserved, broadcast */
};

static const struct range global6 = {{0x20}, 3};
/* Inside of global unicast, and yet not. */
static const struct range refused6[] = {
    {{0x20, 0x01}, 23}, /* IETF protocol assignments, ORCHID, benchmarks */
};

static const struct range mapped = {
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};
static const struct range compatible = {{0}, 96};
static const struct range nat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};
static const struct range sixtofour = {{0x20, 0x02}, 16};
static const struct range teredo = {{0x20, 0x01, 0, 0}, 32};

static bool
has_prefix(const uint8_t *ip, const uint8_t *prefix, unsigned int bits)
{
	unsigned int whole = bits / 8, rest = bits % 8;

	if (memcmp(ip, prefix, whole) != 0)
		return false;
	return rest == 0 || ((ip[whole] ^ prefix[whole]) >> (8 - rest)) == 0;
}

static bool
is_in(const struct addr *a, const struct range *r)
{
	return has_prefix(a->ip, r->ip, r->bits);
}

static struct addr
v4_at(const uint8_t *ip, uint8_t mask)
{
	struct addr a = {.family = ADDR_V4};

	for (int i = 0; i < 4; i++)
		a.ip[i] = ip[i] ^ mask;
	return a;
}

/* An interface identifier of RFC 5214 section 6.1, in any network. */
static bool
is_isatap(const struct addr *a)
{
	const uint8_t *id = a->ip + 8;

	return (id[0] & 0xfd) == 0 && id[1] == 0 && id[2] == 0x5e &&
	       id[3] == 0xfe;
}

/* The IPv4 addresses that packets to this address may end at. *transition: the
 * prefix is for nothing else, so that they alone decide. */
static size_t
embedded(const struct addr *a, struct addr out[2], bool *transition)
{
	*transition = true;
	if (is_in(a, &nat64) || (is_in(a, &compatible) && !addr_is_any(a) &&
				    !addr_is_loopback(a))) {
		out[0] = v4_at(a->ip + 12, 0);
		return 1;
	}
	if (is_in(a, &sixtofour)) {
		out[0] = v4_at(a->ip + 2, 0);
		return 1;
	}
	if (is_in(a, &teredo)) { /* RFC 4380 section 4: server, client */
		out[0] = v4_at(a->ip + 4, 0);
		out[1] = v4_at(a->ip + 12, 0xff);
		return 2;
	}
	*transition = false;
	if (!is_isatap(a))
		return 0;
	out[0] = v4_at(a->ip + 12, 0);
	return 1;
}

static bool
is_in_any(const struct addr *a, const struct range *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_in(a, &r[i]))
			return true;
	return false;
}

static bool
is_allowed_by_default(const struct addr *a)
{
	if (a->family == ADDR_V4)
		return !is_in_any(
		    a, refused4, sizeof(refused4) / sizeof(refused4[0]));
	return is_in(a, &global6) &&
	       !is_in_any(a, refused6, sizeof(refused6) / sizeof(refused6[0]));
}

static const struct peerrule *
matching(const struct peerrules *r, const struct addr *a)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->rule[i].net.family == a->family &&
		    has_prefix(a->ip, r->rule[i].net.ip, r->rule[i].bits))
			return &r->rule[i];
	return NULL;
}

static int
compare(const void *x, const void *y)
{
	const struct addr *a = x, *b = y;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->ip, b->ip, addr_ip_len(a));
}

static bool
is_own(const struct peerrules *r, const struct addr *a)
{
	return r->n_own > 0 &&
	       bsearch(a, r->own, r->n_own, sizeof(*a), compare) != NULL;
}

int
peerrules_add_own(struct peerrules *r, const struct addr *a)
{
	struct addr *own;
	size_t n = r->n_own;

	if (is_own(r, a))
		return 0;
	own = realloc(r->own, (n + 1) * sizeof(*own));
	if (own == NULL)
		return -ENOMEM;
	for (; n > 0 && compare(a, &own[n - 1]) < 0; n--)
		own[n] = own[n - 1];
	own[n] = *a;
	r->n_own++;
	r->own = own;
	return 0;
}

void
peerrules_take_own(struct peerrules *r, struct peerrules *from)
{
	free(r->own);
	r->own = from->own;
	r->n_own = from->n_own;
	from->own = NULL;
	from->n_own = 0;
}

/* The address alone, whatever it may hold. */
static bool
is_allowed(const struct peerrules *r, const struct addr *a, bool otherwise)
{
	const struct peerrule *rule = matching(r, a);

	if (is_own(r, a))
		return rule != NULL && rule->allow &&
		       rule->bits == addr_ip_len(a) * 8;
	return rule != NULL ? rule->allow : otherwise;
}

bool
peerrules_allow(const struct peerrules *r, const struct addr *peer)
{
	struct addr a = *peer, in[2];
	bool transition = false;
	size_t n = 0;

	if (addr_ip_len(&a) == 0)
		return false;
	if (a.family == ADDR_V6 && is_in(&a, &mapped))
		a = v4_at(peer->ip + 12, 0);
	if (a.family == ADDR_V6)
		n = embedded(&a, in, &transition);
	for (size_t i = 0; i < n; i++)
		if (!is_allowed(r, &in[i], is_allowed_by_default(&in[i])))
			return false;
	return is_allowed(r, &a, transition || is_allowed_by_default(&a));
}

/* Decimal, up to most, no sign, no leading zero, nothing after it. */
static int
parse_bits(unsigned int *out, const char *text, unsigned int most)
{
	size_t len = strlen(text);
	unsigned int bits = 0;

	if (len == 0 || len > 3 || (len > 1 && text[0] == '0'))
		return -EBADMSG;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EBADMSG;
		bits = bits * 10 + (unsigned int)(text[i] - '0');
	}
	if (bits > most)
		return -EBADMSG;
	*out = bits;
	return 0;
}

int
peerrules_add(struct peerrules *r, const char *text)
{
	struct peerrule rule = {.allow = text[0] != '!'};
	char ip[ADDR_STRLEN];
	const char *slash;
	size_t len;

	if (!rule.allow)
		text++;
	slash = strchr(text, '/');
	len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	if (len >= sizeof(ip))
		return -EBADMSG;
	memcpy(ip, text, len);
	ip[len] = '\0';
	if (addr_parse_ip(&rule.net, ip, 0) != 0)
		return -EBADMSG;
	rule.bits = (unsigned int)addr_ip_len(&rule.net) * 8;
	if (slash != NULL && parse_bits(&rule.bits, slash + 1, rule.bits) != 0)
		return -EBADMSG;
	if (r->n == PEERRULE_MAX)
		return -ENOSPC;
	r->rule[r->n++] = rule;
	return 0;
}
