/* SPDX-License-Identifier: ISC */
/* What an engine reads from files (peers, allow, routes), and what follows from
 * it: whom to meet, which forwards to have. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exitcode.h"
#include "log.h"
#include "pipework.h"

/* What was read, before it takes effect. */
struct files {
	struct peerbook *book;
	struct permit *permit;
	struct routes routes;
};

static void
files_clear(struct files *f)
{
	permit_free(f->permit);
	routes_clear(&f->routes);
	peerbook_free(f->book);
	memset(f, 0, sizeof(*f));
}

/* "FILE:LINE: why" */
static void
tell(char out[400], const char *path, unsigned line, const char *why, int rc)
{
	if (why == NULL)
		why = strerror(-rc);
	if (line > 0)
		snprintf(out, 400, "%s:%u: %s", path, line, why);
	else
		snprintf(out, 400, "%s: %s", path, why);
}

/* Returns 0, or -errno and a sentence. */
static int
files_read(struct files *f, const struct pipeoptions *o, char error[400])
{
	const char *why = NULL;
	unsigned line = 0;
	int rc;

	memset(f, 0, sizeof(*f));
	rc = peerbook_read(&f->book, o->peers, &line, &why);
	if (rc != 0) {
		tell(error, o->peers, line, why, rc);
		return rc;
	}
	rc = permit_read(&f->permit, o->allow, f->book, &line, &why);
	if (rc != 0) {
		tell(error, o->allow, line, why, rc);
		files_clear(f);
		return rc;
	}
	if (o->routes != NULL)
		rc = routes_read(&f->routes, o->routes, f->book, &line, &why);
	if (rc != 0) {
		tell(error, o->routes, line, why, rc);
		files_clear(f);
	}
	return rc;
}

struct peerbook *
pipefiles_book(const char *path)
{
	struct peerbook *book = NULL;
	const char *why = NULL;
	unsigned line = 0;
	char error[400];
	int rc = peerbook_read(&book, path, &line, &why);

	if (rc != 0) {
		tell(error, path, line, why, rc);
		fatalx(EXIT_USAGE, "%s", error);
	}
	return book;
}

void
pipefiles_peer(uint8_t key[KEY_LEN], const struct pipeoptions *o,
    const struct peerbook *book, const uint8_t own[KEY_LEN])
{
	int rc = peerbook_find(book, o->peer, key);

	if (rc != 0)
		fatalx(
		    EXIT_USAGE, "%s: %s", o->peers, peerbook_why(rc, o->peer));
	if (memcmp(key, own, KEY_LEN) == 0)
		fatalx(EXIT_USAGE, "%s: that is our own key", o->peer);
}

/* ---- whom to meet ---- */

struct link *
pipefiles_want(
    struct pipework *w, const uint8_t key[KEY_LEN], enum wants_why why)
{
	const struct peerbook_entry *e = peerbook_keyed(w->book, key);
	struct link *l;
	int rc;

	if (memcmp(key, w->pub, KEY_LEN) == 0)
		return NULL;
	rc = wants_add(&w->wants, key, why);
	l = rc >= 0 ? tunnel_link(w->tunnel, key) : NULL;
	if (rc == 1 && l == NULL)
		wants_drop(&w->wants, key, why);
	if (l == NULL)
		return NULL;
	if (rc == 1 && w->driver != NULL)
		driver_recall(w->driver, l);
	for (size_t i = 0; e != NULL && i < e->servers; i++)
		if (wants_server(&w->wants, e->server[i]) == -ENOSPC)
			log_warnx("%s of %s is not used: %d servers are enough",
			    e->server[i], e->name, WANTS_SERVERS);
	return l;
}

void
pipefiles_meet(struct pipework *w)
{
	uint8_t keys[TUNNEL_PEERS][KEY_LEN];
	const char *servers[WANTS_SERVERS];

	if (w->driver == NULL || !pipewhy_has_pipeline(w))
		return;
	for (size_t i = 0; i < w->wants.n; i++)
		memcpy(keys[i], w->wants.one[i].key, KEY_LEN);
	for (size_t i = 0; i < w->wants.servers; i++)
		servers[i] = w->wants.server[i];
	driver_set(w->driver, (const uint8_t(*)[KEY_LEN])keys, w->wants.n,
	    servers, w->wants.servers);
}

/* Who stands in the files, in place of who stood there. Those that a client has
 * asked for stay. */
static void
want_all(struct pipework *w)
{
	const uint8_t *key;
	unsigned left_out = 0;

	wants_drop(&w->wants, NULL, WANTS_ALLOWED | WANTS_ROUTED);
	if (w->wants.n == 0) /* else a client may have named some of them */
		w->wants.servers = 0;
	for (size_t i = 0; i < w->o->servers; i++)
		wants_server(&w->wants, w->o->server[i]);
	if (w->o->forwards > 0)
		pipefiles_want(w, w->peer, WANTS_ROUTED);
	for (size_t i = 0; i < w->routes.n; i++)
		left_out += pipefiles_want(w, w->routes.route[i].key,
				WANTS_ROUTED) == NULL;
	for (size_t i = 0; (key = permit_key(w->permit, i)) != NULL; i++)
		left_out += memcmp(key, w->pub, KEY_LEN) != 0 &&
			    pipefiles_want(w, key, WANTS_ALLOWED) == NULL;
	if (left_out > 0)
		log_warnx("%u keys are left out: %d peers are the most",
		    left_out, TUNNEL_PEERS);
	pipefiles_meet(w);
}

/* ---- forwards ---- */

static void
changed_cb(void *arg, struct forwarding *f)
{
	struct pipework *w = arg;
	struct record r;

	if (w->board != NULL)
		pipeboard_route(w->board, f);
	pipeboard_route_record(&r, f, w->book);
	if (w->stdio)
		log_info("%s", r.text);
	else
		record_write(&r, STDOUT_FILENO, w->o->json);
}

static bool
is_started(const struct pipework *w, const uint8_t key[KEY_LEN],
    const struct forward *f)
{
	for (size_t i = 0; i < w->forwardings; i++)
		if (memcmp(link_key(forwarding_link(w->forwarding[i])), key,
			KEY_LEN) == 0 &&
		    forward_equal(forwarding_of(w->forwarding[i]), f))
			return true;
	return false;
}

static void
start(struct pipework *w, const uint8_t key[KEY_LEN], const struct forward *f,
    bool first)
{
	struct forwarding_config c = {.loop = &w->loop,
	    .resolver = w->resolver,
	    .link = tunnel_find(w->tunnel, key),
	    .book = &w->book,
	    .forward = f,
	    .changed = changed_cb,
	    .arg = w};
	struct forwarding *new = NULL;
	char text[FORWARD_TEXT];
	int rc;

	if (c.link == NULL || w->forwardings == PIPEWORK_FORWARDS ||
	    is_started(w, key, f))
		return;
	rc = forwarding_start(&new, &c, !first);
	if (rc == 0) {
		w->forwarding[w->forwardings++] = new;
		return;
	}
	errno = -rc;
	if (first)
		fatal(EXIT_USAGE, "%s: can't listen there",
		    forward_format(f, text));
	log_warn("%s: can't listen there", forward_format(f, text));
}

void
pipefiles_start(struct pipework *w, bool first)
{
	for (size_t i = 0; i < w->o->forwards; i++)
		start(w, w->peer, &w->o->forward[i], first);
	for (size_t i = 0; i < w->routes.n; i++)
		start(w, w->routes.route[i].key, &w->routes.route[i].forward,
		    first);
}

static bool
is_wanted(const struct pipework *w, const struct forwarding *f)
{
	struct route r;

	memcpy(r.key, link_key(forwarding_link(f)), KEY_LEN);
	r.forward = *forwarding_of(f);
	if (routes_has(&w->routes, &r))
		return true;
	if (memcmp(r.key, w->peer, KEY_LEN) != 0)
		return false;
	for (size_t i = 0; i < w->o->forwards; i++)
		if (forward_equal(&r.forward, &w->o->forward[i]))
			return true;
	return false;
}

/* Their listeners close; connections that stand go on. */
static void
stop_others(struct pipework *w)
{
	size_t left = 0;

	for (size_t i = 0; i < w->forwardings; i++)
		if (is_wanted(w, w->forwarding[i]))
			w->forwarding[left++] = w->forwarding[i];
		else
			forwarding_stop(w->forwarding[i], true);
	w->forwardings = left;
}

/* ---- public ---- */

static void
take(struct pipework *w, struct files *f)
{
	struct files old = {w->book, w->permit, w->routes};

	w->book = f->book;
	w->permit = f->permit;
	w->routes = f->routes;
	if (w->serve != NULL)
		serve_allow(w->serve, w->permit, w->book);
	files_clear(&old);
}

void
pipefiles_read(struct pipework *w)
{
	struct files f;
	char error[400];
	int rc = files_read(&f, w->o, error);

	if (rc == -ENOENT && w->o->allow != NULL &&
	    strncmp(error, w->o->allow, strlen(w->o->allow)) == 0)
		fatalx(EXIT_USAGE,
		    "%s; it says who may come: 'allow KEY' lets that key to "
		    "the program, 'permit KEY 127.0.0.1:22' to a port",
		    error);
	if (rc != 0)
		fatalx(EXIT_USAGE, "%s", error);
	take(w, &f);
	if (w->o->forwards > 0)
		pipefiles_peer(w->peer, w->o, w->book, w->pub);
	want_all(w);
}

void
pipefiles_reload(struct pipework *w)
{
	struct files f;
	char error[400];

	if (w->o->records != NULL && strcmp(w->o->records, "-") != 0)
		driver_follow(w->driver, w->o->records);
	if (files_read(&f, w->o, error) != 0) {
		log_warnx("%s; everything stays as it was", error);
		return;
	}
	take(w, &f);
	want_all(w);
	stop_others(w);
	pipefiles_start(w, false);
	log_info(
	    "read again: %zu peers, %zu forwards", w->wants.n, w->forwardings);
}
