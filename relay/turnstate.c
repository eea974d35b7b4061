/* SPDX-License-Identifier: ISC */
/* A TURN server as a whole: made, measured and freed. */
#include "turnstate.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#define STRANGERS 16384 /* addresses whose rates are kept */
#define PROVEN 4096
#define PROVEN_TIMES 16 /* as many requests, with a nonce */

static int
init_limits(struct turn *t)
{
	uint64_t rate = t->config.request_rate, more = PROVEN_TIMES * rate;
	uint8_t key[LIMIT_KEY_LEN];
	int rc;

	if (rate == 0 || rate > LIMIT_RATE_MAX)
		return -EINVAL;
	if (more > LIMIT_RATE_MAX)
		more = LIMIT_RATE_MAX;
	randombytes_buf(key, sizeof(key));
	rc = limit_init(
	    &t->strangers, STRANGERS, (uint32_t)rate, (uint32_t)rate * 2, key);
	if (rc == 0)
		rc = limit_init(&t->stranger_sites, STRANGERS,
		    (uint32_t)rate * LIMIT_WIDE,
		    (uint32_t)rate * LIMIT_WIDE * 2, key);
	if (rc == 0)
		rc = limit_init(&t->proven, PROVEN, (uint32_t)more,
		    (uint32_t)more * 2, key);
	if (rc == 0)
		rc = limit_init(&t->proven_sites, PROVEN,
		    (uint32_t)more * LIMIT_WIDE,
		    (uint32_t)more * LIMIT_WIDE * 2, key);
	return rc;
}

int
turn_new(struct turn **out, const struct turn_config *config,
    const struct turn_ports *ports, struct accounts *accounts)
{
	struct turn *t;
	int rc;

	if (config->max == 0 || config->max > UINT32_MAX / 4)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	t->config = *config;
	t->ports = *ports;
	t->accounts = accounts;
	rc = turnauth_init(
	    &t->auth, config->realm, config->secrets, config->n_secrets);
	if (rc == 0)
		rc = init_limits(t);
	if (rc == 0)
		rc = crowd_init(&t->crowd, config->max,
		    config->per_address > 0 ? config->per_address : UINT32_MAX);
	if (rc == 0)
		rc = allocations_init(&t->table, config->max);
	if (rc != 0) {
		turn_free(t);
		return rc;
	}
	*out = t;
	return 0;
}

void
turn_free(struct turn *t)
{
	struct allocation *a;

	if (t == NULL)
		return;
	t->event = NULL;
	for (uint32_t i = 0; t->table.used > 0; i++) {
		a = allocations_at(&t->table, i);
		if (a != NULL)
			turn_end(t, a, "closed");
	}
	allocations_free(&t->table);
	crowd_free(&t->crowd);
	limit_free(&t->strangers);
	limit_free(&t->stranger_sites);
	limit_free(&t->proven);
	limit_free(&t->proven_sites);
	sodium_memzero(t, sizeof(*t));
	free(t);
}

void
turn_drain(struct turn *t, bool drain)
{
	t->drain = drain;
}

size_t
turn_count(const struct turn *t)
{
	return t->table.used;
}

size_t
turn_memory(const struct turn *t)
{
	return sizeof(*t) + allocations_memory(&t->table) +
	       crowd_memory(&t->crowd) + limit_memory(&t->strangers) +
	       limit_memory(&t->stranger_sites) + limit_memory(&t->proven) +
	       limit_memory(&t->proven_sites);
}

void
turn_watch(struct turn *t, turn_event_fn *fn, void *arg)
{
	t->event = fn;
	t->event_arg = arg;
}
