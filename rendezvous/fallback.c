/* SPDX-License-Identifier: ISC */
/* TCP connections to a rendezvous server. */
#include "fallback.h"

#include <string.h>

#include "log.h"
#include "stun.h"

static struct fallback_line *
find(struct fallback *f, const struct addr *to)
{
	for (int i = 0; i < DIAL_TCP; i++)
		if (f->line[i].conn != NULL && addr_equal(&f->line[i].to, to))
			return &f->line[i];
	return NULL;
}

static void
hang_up(struct fallback_line *l)
{
	conn_free(l->conn);
	l->conn = NULL;
	l->ready = false;
}

/* message may have ended this one, and begun another in its place. */
static bool
message_cb(void *arg, const uint8_t *data, size_t len)
{
	struct fallback_line *l = arg;
	uint64_t before = l->uses;
	struct addr from = l->to;

	l->owner->message(l->owner->arg, &from, data, len);
	return l->conn != NULL && l->uses == before;
}

static void
ready_cb(void *arg)
{
	struct fallback_line *l = arg;
	struct addr at = l->to;

	l->ready = true;
	l->owner->ready(l->owner->arg, &at);
}

static void
closed_cb(void *arg, const char *why)
{
	struct fallback_line *l = arg;
	struct addr at = l->to;
	char text[ADDR_STRLEN];

	log_debug("%s, TCP: %s", addr_format(&at, text), why);
	hang_up(l);
	l->owner->cut(l->owner->arg, &at);
}

static void
connect_one(struct fallback *f, const struct addr *to)
{
	struct conn_config config = {.message_max = STUN_MAX,
	    .message = message_cb,
	    .ready = ready_cb,
	    .closed = closed_cb};
	struct fallback_line *l = find(f, to);

	if (l != NULL) {
		if (l->ready)
			f->ready(f->arg, to);
		return;
	}
	for (l = f->line; l < f->line + DIAL_TCP; l++) {
		if (l->conn != NULL)
			continue;
		*l = (struct fallback_line){
		    .owner = f, .to = *to, .uses = l->uses + 1};
		config.arg = l;
		if (conn_connect(
			&l->conn, f->loop, to, FALLBACK_WAIT_MS, &config) != 0)
			l->conn = NULL;
		return;
	}
}

void
fallback_connect(struct fallback *f, const struct addr *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct addr to = list[i];

		to.tcp = true;
		connect_one(f, &to);
		if (to.port == FALLBACK_PORT)
			continue;
		to.port = FALLBACK_PORT;
		connect_one(f, &to);
	}
}

void
fallback_send(
    struct fallback *f, const struct addr *to, const uint8_t *data, size_t len)
{
	struct fallback_line *l = find(f, to);

	if (l != NULL)
		conn_send(l->conn, data, len, NULL, 0, true);
}

void
fallback_keep(struct fallback *f,
    bool (*wanted)(void *arg, const struct addr *at), void *arg)
{
	for (int i = 0; i < DIAL_TCP; i++) {
		struct fallback_line *l = &f->line[i];

		if (l->conn != NULL && (wanted == NULL || !wanted(arg, &l->to)))
			hang_up(l);
	}
}

void
fallback_flush(struct fallback *f)
{
	for (int i = 0; i < DIAL_TCP; i++)
		if (f->line[i].conn != NULL)
			conn_flush(f->line[i].conn);
}
