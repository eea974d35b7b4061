/* SPDX-License-Identifier: ISC */
/* One generation of candidates as records: candidate, nat, candidates. */
#include "generation.h"

#include <string.h>

#include "mapping.h"
#include "record.h"

static int
write_candidate(const struct candset_entry *c, int fd, bool json)
{
	struct record r;

	record_begin(&r, "candidate");
	record_put(&r, "type", candset_type_name(c->type));
	record_put_addr(&r, "endpoint", &c->endpoint);
	record_put_addr(&r, "base", &c->base);
	record_put_u64(&r, "priority", c->priority);
	record_put_addr(&r, "server", &c->server);
	return record_write(&r, fd, json);
}

static void
put_list(struct record *r, const char *key, const struct addr *list, size_t n)
{
	char text[MAPPING_SHOWN * ADDR_STRLEN], one[ADDR_STRLEN];
	size_t len = 0, add = 0;

	for (size_t i = 0; i < n; i++) {
		addr_format(&list[i], one);
		add = strlen(one);
		if (i > 0)
			text[len++] = ',';
		memcpy(text + len, one, add);
		len += add;
	}
	text[len] = '\0';
	record_put(r, key, text);
}

static int
write_mapping(const struct mapping *m, int fd, bool json)
{
	struct record r;

	record_begin(&r, "nat");
	record_put(&r, "axis", "mapping");
	record_put(&r, "value", mapping_name(m));
	record_put_addr(&r, "base", &m->base);
	put_list(&r, "endpoints", m->endpoint, m->n);
	put_list(&r, "servers", m->server, m->n);
	return record_write(&r, fd, json);
}

int
generation_write(const struct candset *set, const struct servers *s,
    uint64_t generation, int fd, bool json)
{
	struct mapping m;
	struct record r;
	size_t at = 0;
	int err = 0;

	for (size_t i = 0; i < set->n && err == 0; i++)
		err = write_candidate(&set->list[i], fd, json);
	while (err == 0 && mapping_next(&m, s, &at))
		err = write_mapping(&m, fd, json);
	if (err != 0)
		return err;
	record_begin(&r, "candidates");
	record_put_u64(&r, "generation", generation);
	record_put_u64(&r, "count", set->n);
	return record_write(&r, fd, json);
}
