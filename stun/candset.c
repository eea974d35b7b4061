/* SPDX-License-Identifier: ISC */
/* Candidates (RFC 8445 sections 5.1.1 to 5.1.3). */
#include "candset.h"

#include <errno.h>

/* RFC 8445 section 5.1.2.2 */
#define PREFERENCE_HOST 126
#define PREFERENCE_SRFLX 100
#define COMPONENT 1

const char *
candset_type_name(enum candset_type type)
{
	return type == CANDSET_HOST ? "host" : "srflx";
}

uint32_t
candset_priority(enum candset_type type, uint16_t local)
{
	uint32_t preference =
	    type == CANDSET_HOST ? PREFERENCE_HOST : PREFERENCE_SRFLX;

	return preference << 24 | (uint32_t)local << 8 | (256 - COMPONENT);
}

static size_t
count(const struct candset *set, enum candset_type type, uint8_t family)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		if (set->list[i].type == type &&
		    set->list[i].endpoint.family == family)
			n++;
	return n;
}

static bool
redundant(const struct candset *set, enum candset_type type,
    const struct addr *endpoint, const struct addr *base)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct candset_entry *c = &set->list[i];

		if (!addr_equal(&c->endpoint, endpoint))
			continue;
		if (c->type == CANDSET_HOST ||
		    (c->type == type && addr_equal(&c->base, base)))
			return true;
	}
	return false;
}

int
candset_add(struct candset *set, enum candset_type type,
    const struct addr *endpoint, const struct addr *base,
    const struct addr *server)
{
	size_t before = count(set, type, endpoint->family);
	uint16_t local = endpoint->family == ADDR_V6 ? 65535 : 32767;

	if (redundant(set, type, endpoint, base))
		return -EEXIST;
	if (set->n == CANDSET_MAX ||
	    (type == CANDSET_HOST && before == CANDSET_HOSTS))
		return -ENOSPC;
	set->list[set->n++] = (struct candset_entry){
	    .type = type,
	    .endpoint = *endpoint,
	    .base = *base,
	    .server = server != NULL ? *server : (struct addr){0},
	    .priority = candset_priority(type, (uint16_t)(local - before)),
	};
	return 0;
}

static bool
has(const struct candset *set, const struct candset_entry *c)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct candset_entry *o = &set->list[i];

		if (o->type == c->type &&
		    addr_equal(&o->endpoint, &c->endpoint) &&
		    addr_equal(&o->base, &c->base))
			return true;
	}
	return false;
}

/* candset_add keeps doubles out, so one direction is enough. */
bool
candset_equal(const struct candset *a, const struct candset *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!has(b, &a->list[i]))
			return false;
	return true;
}
