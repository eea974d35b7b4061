/* SPDX-License-Identifier: ISC */
/* The boxes of a capture. */
#include "places.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const kinds[] = {
    [PLACE_HOST] = "host",
    [PLACE_NAT] = "nat",
    [PLACE_PUBLIC] = "public",
    [PLACE_ROUTER] = "router",
    [PLACE_FIREWALL] = "firewall",
};

const char *
place_kind_name(enum place_kind kind)
{
	return kinds[kind];
}

int
places_find(const struct places *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->place[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* Names become lane titles: nothing in them but what is plain. */
static bool
name_ok(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len < PLACE_NAME &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789_.-") == len;
}

static int
feed_box(struct places *p, const struct record_view *r)
{
	const char *name = record_get(r, "name"), *kind;
	int i;

	if (name == NULL || !name_ok(name))
		return -EBADMSG;
	i = places_find(p, name);
	if (i < 0 && p->n == PLACES_MAX)
		return -ENOSPC;
	if (i < 0) {
		i = (int)p->n++;
		snprintf(p->place[i].name, PLACE_NAME, "%s", name);
	}
	kind = record_get(r, "kind");
	for (int k = PLACE_HOST; kind != NULL && k <= PLACE_FIREWALL; k++)
		if (strcmp(kinds[k], kind) == 0)
			p->place[i].kind = (enum place_kind)k;
	return 0;
}

static void
add_mac(struct place *p, const char *text)
{
	unsigned int b[PACKET_MAC_LEN];
	uint8_t any = 0;

	if (p->nmac == PLACE_MACS ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3],
		&b[4], &b[5]) != PACKET_MAC_LEN)
		return;
	for (int i = 0; i < PACKET_MAC_LEN; i++)
		any |= p->mac[p->nmac][i] = (uint8_t)b[i];
	if (any != 0) /* lo has zeros */
		p->nmac++;
}

static void
add_addresses(struct place *p, const char *list)
{
	char text[ADDR_STRLEN];
	size_t len;

	while (*list != '\0' && p->naddr < PLACE_ADDRS) {
		len = strcspn(list, ",");
		if (len < sizeof(text)) {
			memcpy(text, list, len);
			text[len] = '\0';
			if (addr_parse_ip(&p->addr[p->naddr], text, 0) == 0 &&
			    !addr_is_loopback(&p->addr[p->naddr]))
				p->naddr++;
		}
		list += len + (list[len] == ',');
	}
}

static int
feed_interface(struct places *p, const struct record_view *r)
{
	const char *box = record_get(r, "box"), *value;
	int i = box == NULL ? -1 : places_find(p, box);

	if (i < 0)
		return -EBADMSG;
	if ((value = record_get(r, "mac")) != NULL)
		add_mac(&p->place[i], value);
	if ((value = record_get(r, "addresses")) != NULL)
		add_addresses(&p->place[i], value);
	return 0;
}

int
places_feed(struct places *p, const struct record_view *r)
{
	if (record_is(r, "box"))
		return feed_box(p, r);
	if (record_is(r, "interface"))
		return feed_interface(p, r);
	return 0;
}

bool
place_has_mac(const struct place *p, const uint8_t *mac)
{
	for (size_t i = 0; i < p->nmac; i++)
		if (memcmp(p->mac[i], mac, PACKET_MAC_LEN) == 0)
			return true;
	return false;
}

bool
place_has_addr(const struct place *p, const struct addr *ip)
{
	for (size_t i = 0; i < p->naddr; i++)
		if (addr_equal_ip(&p->addr[i], ip))
			return true;
	return false;
}

static bool
is_public(const struct addr *a)
{
	if (addr_is_link_local(a) || addr_is_loopback(a))
		return false;
	if (a->family == ADDR_V6)
		return (a->ip[0] & 0xfe) != 0xfc;
	return a->ip[0] != 10 && !(a->ip[0] == 172 && a->ip[1] >> 4 == 1) &&
	       !(a->ip[0] == 192 && a->ip[1] == 168) &&
	       !(a->ip[0] == 198 && a->ip[1] >> 1 == 9) &&
	       !(a->ip[0] == 100 && a->ip[1] >> 6 == 1);
}

void
places_settle(struct places *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct place *b = &p->place[i];

		for (size_t k = 0; k < b->naddr; k++)
			if (b->kind == PLACE_HOST && is_public(&b->addr[k]) &&
			    b->addr[k].family == ADDR_V4)
				b->kind = PLACE_PUBLIC;
	}
}
