/* SPDX-License-Identifier: ISC */
/* The mapping behaviour of the NAT in front of us (RFC 4787 section 4.1). */
#include "mapping.h"

const char *
mapping_name(const struct mapping *m)
{
	return m->dependent ? "endpoint-dependent" : "endpoint-independent";
}

static bool
earlier(const struct servers *s, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (s->list[j].known &&
		    addr_equal(&s->list[j].base, &s->list[i].base))
			return true;
	return false;
}

/* The first that disagrees takes the last place when all are taken. */
static void
add(struct mapping *m, const struct server *v)
{
	size_t at = m->n;

	if (m->n > 0 && !m->dependent &&
	    !addr_equal(&m->endpoint[0], &v->mapped)) {
		m->dependent = true;
		if (at == MAPPING_SHOWN)
			at--;
	}
	if (at == MAPPING_SHOWN)
		return;
	m->endpoint[at] = v->mapped;
	m->server[at] = v->addr;
	m->n = at + 1;
}

bool
mapping_next(struct mapping *out, const struct servers *s, size_t *i)
{
	for (; *i < s->n; (*i)++) {
		const struct server *first = &s->list[*i];

		if (!first->known || earlier(s, *i))
			continue;
		*out = (struct mapping){.base = first->base};
		for (size_t j = *i; j < s->n; j++)
			if (s->list[j].known &&
			    addr_equal(&s->list[j].base, &first->base))
				add(out, &s->list[j]);
		if (out->n >= 2) {
			(*i)++;
			return true;
		}
	}
	return false;
}
