/* SPDX-License-Identifier: ISC */
/* How one server is reached: names, the port, connections. */
#include "reach.h"

#include <string.h>

#include "log.h"
#include "verb.h"

#define RESOLVE_TIMEOUT_MS 5000

static void
message_cb(void *arg, const struct addr *from, const uint8_t *data, size_t len)
{
	struct moment now = moment();
	struct reach *r = arg;

	if (client_input(r->client, from, data, len, &now))
		r->changed(r->arg);
}

static void
ready_cb(void *arg, const struct addr *at)
{
	struct moment now = moment();
	struct reach *r = arg;

	client_connected(r->client, at, &now);
	r->changed(r->arg);
}

static void
cut_cb(void *arg, const struct addr *at)
{
	struct moment now = moment();
	struct reach *r = arg;

	client_cut(r->client, at, &now);
	r->changed(r->arg);
}

void
reach_start(struct reach *r, struct loop *l)
{
	r->fallback = (struct fallback){.loop = l,
	    .message = message_cb,
	    .ready = ready_cb,
	    .cut = cut_cb,
	    .arg = r};
}

static void
resolve_cb(void *arg, int error, const struct addr *list, size_t n)
{
	struct reach *r = arg;
	struct addr usable[RESOLVE_MAX];
	struct moment now = moment();
	size_t kept = 0;

	r->query = NULL;
	for (size_t i = 0; i < n && kept < RESOLVE_MAX; i++)
		if (options_usable(r->options, r->port, &list[i]))
			usable[kept++] = list[i];
	if (kept > 0) {
		r->unresolved = false;
		client_addresses(r->client, usable, kept, &now);
	} else if (!r->unresolved) { /* old addresses are better than none */
		r->unresolved = true;
		log_warnx("%s: %s; trying again", r->name,
		    error != 0 ? resolve_error(error)
			       : "no address of a family that works here");
	}
	r->changed(r->arg);
}

void
reach_look_up(struct reach *r)
{
	int err;

	if (r->query != NULL)
		return;
	err = resolve_start(&r->query, r->resolver, r->name, RESOLVE_STUN_PORT,
	    RESOLVE_TIMEOUT_MS, resolve_cb, r);
	if (err != 0 && !r->unresolved) {
		r->unresolved = true;
		log_warnx("%s: %s", r->name, strerror(-err));
	}
}

static bool
is_sound(void *arg, const struct addr *at)
{
	return !client_doubts(arg, at);
}

void
reach_connect(struct reach *r)
{
	fallback_keep(&r->fallback, is_sound, r->client);
	fallback_connect(
	    &r->fallback, r->client->dial.addrs, r->client->dial.n);
}

int
reach_send(
    struct reach *r, const struct addr *to, const uint8_t *data, size_t len)
{
	if (!to->tcp)
		return port_send(r->port, to, NULL, 0, data, len);
	fallback_send(&r->fallback, to, data, len);
	return 0;
}

static bool
is_used(void *arg, const struct addr *at)
{
	return client_uses(arg, at);
}

void
reach_tidy(struct reach *r)
{
	fallback_keep(&r->fallback, is_used, r->client);
}

void
reach_stop(struct reach *r)
{
	resolve_cancel(r->query);
	fallback_flush(&r->fallback);
	fallback_keep(&r->fallback, NULL, NULL);
}
