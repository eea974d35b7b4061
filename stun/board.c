/* SPDX-License-Identifier: ISC */
/* What nat-stund tells on its control socket; nat-records(5) has every key. */
#include "board.h"

#include <string.h>

#define TELL_MS 1000 /* how often a watcher is told what changed */

void
board_listen(struct record *r, const struct listener *l)
{
	record_begin(r, "listen");
	record_put_addr(r, "endpoint", listener_addr(l));
}

static void
put_twin(struct record *r, int family, const struct addr *place)
{
	record_begin(r, "twin");
	record_put(r, "state", place == NULL ? "down" : "up");
	record_put_u64(r, "family", (uint64_t)family);
	if (place != NULL)
		record_put_addr(r, "endpoint", place);
}

/* Of each family that we serve: does the twin lend us its address? */
static void
tell_twin(const struct board *b, struct control_conn *c)
{
	static const int families[] = {ADDR_V4, ADDR_V6};
	struct record r;

	for (size_t i = 0; *b->link != NULL && i < 2; i++) {
		const struct responder_family *f =
		    families[i] == ADDR_V4 ? &b->config->v4 : &b->config->v6;

		if (!f->twin)
			continue;
		put_twin(
		    &r, families[i], twinlink_place(*b->link, families[i]));
		if (c != NULL)
			control_put(c, &r);
		else
			control_publish(b->control, &r);
	}
}

void
board_tell_twin(const struct board *b)
{
	if (b->control != NULL)
		tell_twin(b, NULL);
}

static void
tell_hello(const struct board *b, struct control_conn *c)
{
	struct record r;

	record_begin(&r, "hello");
	record_put_u64(&r, "version", 1);
	control_put(c, &r);
	for (int i = 0; i < SOCKETS; i++) {
		if (b->sockets->udp[i] == NULL)
			continue;
		board_listen(&r, b->sockets->udp[i]);
		control_put(c, &r);
	}
	tell_twin(b, c);
	control_end(c, NULL);
}

static void
put_stat(struct record *r, const char *name, uint64_t value)
{
	record_begin(r, "stats");
	record_put(r, "name", name);
	record_put_u64(r, "value", value);
}

static void
tell_stats(const struct board *b, struct control_conn *c)
{
	struct record r;

	for (unsigned int i = 0; i < TALLY_N; i++) {
		put_stat(
		    &r, tally_label(i), tally_sum(b->tallies, b->processes, i));
		control_put(c, &r);
	}
	put_stat(&r, "processes", b->processes);
	control_put(c, &r);
	control_end(c, NULL);
}

static void
control_cb(
    void *arg, struct control_conn *c, const char *command, const char *args)
{
	struct board *b = arg;

	if (*args != '\0')
		control_end(c, "no-arguments-taken");
	else if (strcmp(command, "hello") == 0)
		tell_hello(b, c);
	else if (strcmp(command, "stats") == 0)
		tell_stats(b, c);
	else if (strcmp(command, "watch") == 0)
		control_watch(c);
	else
		control_end(c, "unknown-command");
}

/* Watchers get the counters that have changed. */
static void
tell_cb(evutil_socket_t fd, short events, void *arg)
{
	struct board *b = arg;
	struct record r;

	(void)fd;
	(void)events;
	for (unsigned int i = 0; i < TALLY_N; i++) {
		uint64_t value = tally_sum(b->tallies, b->processes, i);

		if (value == b->told[i])
			continue;
		b->told[i] = value;
		put_stat(&r, tally_label(i), value);
		control_publish(b->control, &r);
	}
	loop_at(b->tell, now_ms() + TELL_MS);
}

int
board_open(struct board *b, struct loop *l, const char *path)
{
	int rc = control_open(&b->control, l, path, control_cb, b);

	if (rc != 0)
		return rc;
	b->tell = loop_event(l, -1, 0, tell_cb, b);
	loop_at(b->tell, now_ms() + TELL_MS);
	return 0;
}

void
board_close(struct board *b)
{
	if (b->control == NULL)
		return;
	control_free(b->control);
	event_free(b->tell);
}
