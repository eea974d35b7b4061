/* SPDX-License-Identifier: ISC */
/* nat-pipe's control socket. */
#include "pipeboard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"

#define VERSION 1
#define TO_MAX 60 /* bytes of a text that others have made */
#define FORWARD_MAX 80
#define WATCHED 4096 /* streams that are told of */

/* A stream that watchers have been told of. */
struct seen {
	uint64_t number;
	bool here;
};

struct pipeboard {
	struct pipeboard_config c;
	struct control *control;
	bool watched;	   /* by somebody, once */
	struct seen *seen; /* by number, but for those of this tick */
	size_t n, known;   /* all; those of ticks before */
};

static const char *
forwarding_state_name(enum forwarding_state s)
{
	static const char *const names[] = {
	    [FORWARDING_WAITING] = "waiting",
	    [FORWARDING_LISTENING] = "listening",
	    [FORWARDING_FAILED] = "failed",
	};

	return names[s];
}

static void
put_peer(
    struct record *r, const uint8_t key[KEY_LEN], const struct peerbook *book)
{
	const struct peerbook_entry *e = peerbook_keyed(book, key);

	record_put_key(r, "key", key);
	record_put(r, "name", e != NULL ? e->name : NULL);
}

/* As much of a text as the record has room for. */
static void
put_text(struct record *r, const char *key, const char *text)
{
	char part[200];
	struct record with;

	if (text == NULL)
		return;
	for (size_t len = sizeof(part) - 1; len > 0; len -= len / 4 + 1) {
		snprintf(part, sizeof(part), "%.*s", (int)len, text);
		with = *r;
		record_put(&with, key, part);
		if (!with.overflow) {
			*r = with;
			return;
		}
	}
}

static uint64_t
seconds_since(uint64_t ms)
{
	uint64_t now = now_ms();

	return ms != 0 && now > ms ? (now - ms) / 1000 : 0;
}

static void
link_record(struct pipeboard *b, struct record *r, const struct link *l)
{
	struct link_status s;
	const char *reason, *trouble = NULL;

	link_status(l, &s);
	reason = s.reason;
	if (!link_path_stands(s.path))
		trouble = b->c.trouble(b->c.arg);
	/* it names the server, which the reason of who waits does not */
	if (trouble != NULL && (*reason == '\0' || s.path != LINK_FAILED))
		reason = trouble;
	record_begin(r, "tunnel");
	put_peer(r, s.key, b->c.book(b->c.arg));
	record_put(r, "path", link_path_name(s.path));
	record_put_addr(r, "endpoint", &s.endpoint);
	if (s.up)
		record_put_u64(r, "rtt_us", s.quic.rtt_us);
	record_put_u64(r, "since_s",
	    seconds_since(s.up ? s.up_since_ms : s.path_since_ms));
	record_put(r, "state", s.up ? "up" : s.dialing ? "dialing" : "down");
	record_put_u64(r, "streams", s.streams);
	record_put_u64(r, "bytes_in", s.bytes_in);
	record_put_u64(r, "bytes_out", s.bytes_out);
	record_put_u64(r, "memory", s.memory);
	record_put_u64(r, "budget", s.budget);
	put_text(r, "reason", reason);
}

void
pipeboard_route_record(
    struct record *r, const struct forwarding *f, const struct peerbook *book)
{
	char text[FORWARD_TEXT];
	struct forwarding_status s;

	forwarding_status(f, &s);
	record_begin(r, "route");
	put_peer(r, link_key(forwarding_link(f)), book);
	forward_format(forwarding_of(f), text);
	text[FORWARD_MAX] = '\0';
	record_put(r, "forward", text);
	record_put(r, "state", forwarding_state_name(s.state));
	if (s.port != 0)
		record_put_u64(r, "port", s.port);
	record_put_u64(r, "open", s.open);
	record_put_u64(r, "total", s.total);
	record_put_u64(r, "refused", s.refused);
	record_put(r, "reason", s.reason);
}

static void
stream_record(struct pipeboard *b, struct record *r, const struct joint *j,
    const char *state)
{
	char text[OPENING_TEXT];
	struct joint_status s;

	joint_status(j, &s);
	record_begin(r, "stream");
	record_put_u64(r, "number", s.number);
	put_peer(r, link_key(joint_link(j)), b->c.book(b->c.arg));
	record_put(r, "opener", s.ours ? "us" : "peer");
	opening_format(joint_what(j), text);
	text[TO_MAX] = '\0'; /* the rest has to fit, too */
	record_put(r, "to", text);
	record_put(r, "state",
	    state != NULL ? state
	    : s.answered  ? "open"
			  : "opening");
	record_put_u64(r, "since_s", seconds_since(s.since_ms));
	record_put_u64(r, "sent", s.sent);
	record_put_u64(r, "received", s.received);
	record_put_u64(r, "queued", s.queued);
	record_put_u64(r, "unwritten", s.unwritten);
	record_put_u64(r, "window", s.window);
	record_put_u64(r, "dropped", s.dropped);
}

/* ---- long answers: *position is how many have been told ---- */

static void
put_or_end(struct control_conn *c, const struct record *r, uint64_t *position,
    bool there)
{
	if (!there) {
		control_end(c, NULL);
		return;
	}
	control_put(c, r);
	(*position)++;
}

static void
more_links(void *arg, struct control_conn *c, uint64_t *position)
{
	struct pipeboard *b = arg;
	struct link *l = tunnel_each(b->c.tunnel, *position);
	struct record r;

	if (l != NULL)
		link_record(b, &r, l);
	put_or_end(c, &r, position, l != NULL);
}

static void
more_routes(void *arg, struct control_conn *c, uint64_t *position)
{
	struct pipeboard *b = arg;
	struct forwarding *f = b->c.forwarding(b->c.arg, *position);
	struct record r;

	if (f != NULL)
		pipeboard_route_record(&r, f, b->c.book(b->c.arg));
	put_or_end(c, &r, position, f != NULL);
}

/* The next joint after the one whose number *position is: numbers rise, those
 * of a link too. */
static struct joint *
joint_after(struct pipeboard *b, uint64_t number)
{
	struct joint *best = NULL;
	uint64_t best_number = UINT64_MAX;
	struct joint_status s;
	struct link *l;

	for (size_t i = 0; (l = tunnel_each(b->c.tunnel, i)) != NULL; i++)
		for (struct joint *j = NULL;
		     (j = joint_next_of(l, j)) != NULL;) {
			joint_status(j, &s);
			if (s.number <= number)
				continue;
			if (s.number < best_number) {
				best = j;
				best_number = s.number;
			}
			break;
		}
	return best;
}

static void
more_streams(void *arg, struct control_conn *c, uint64_t *position)
{
	struct pipeboard *b = arg;
	struct joint *j = joint_after(b, *position);
	struct joint_status s;
	struct record r;

	if (j == NULL) {
		control_end(c, NULL);
		return;
	}
	stream_record(b, &r, j, NULL);
	control_put(c, &r);
	joint_status(j, &s);
	*position = s.number;
}

/* ---- short ones ---- */

static void
put_stat(struct control_conn *c, const char *name, uint64_t value)
{
	struct record r;

	record_begin(&r, "stats");
	record_put(&r, "name", name);
	record_put_u64(&r, "value", value);
	control_put(c, &r);
}

static void
put_stats(struct pipeboard *b, struct control_conn *c)
{
	struct link_status s, sum = {.up = false};
	uint64_t peers = 0, up = 0;
	struct link *l;

	for (; (l = tunnel_each(b->c.tunnel, peers)) != NULL; peers++) {
		link_status(l, &s);
		up += s.up;
		sum.connections += s.connections;
		sum.streams += s.streams;
		sum.bytes_in += s.bytes_in;
		sum.bytes_out += s.bytes_out;
		sum.datagrams_dropped += s.datagrams_dropped;
		sum.memory += s.memory;
		sum.refused += s.refused;
	}
	put_stat(c, "peers", peers);
	put_stat(c, "up", up);
	put_stat(c, "connections", sum.connections);
	put_stat(c, "streams", sum.streams);
	put_stat(c, "bytes_in", sum.bytes_in);
	put_stat(c, "bytes_out", sum.bytes_out);
	put_stat(c, "datagrams_dropped", sum.datagrams_dropped);
	put_stat(c, "memory", sum.memory);
	put_stat(c, "unproven", sum.refused);
	control_end(c, NULL);
}

static void
put_hello(struct pipeboard *b, struct control_conn *c)
{
	struct record r;

	record_begin(&r, "hello");
	record_put_u64(&r, "version", VERSION);
	record_put_key(&r, "key", b->c.pub);
	record_put_u64(&r, "pid", (uint64_t)getpid());
	record_put(&r, "kind", b->c.kind);
	control_put(c, &r);
	control_end(c, NULL);
}

static void
command(void *arg, struct control_conn *c, const char *word, const char *args)
{
	struct pipeboard *b = arg;

	(void)args;
	if (strcmp(word, "hello") == 0) {
		put_hello(b, c);
	} else if (strcmp(word, "status") == 0) {
		control_stream(c, more_links);
	} else if (strcmp(word, "routes") == 0) {
		control_stream(c, more_routes);
	} else if (strcmp(word, "streams") == 0) {
		control_stream(c, more_streams);
	} else if (strcmp(word, "stats") == 0) {
		put_stats(b, c);
	} else if (strcmp(word, "watch") == 0) {
		b->watched = true;
		control_watch(c);
	} else {
		control_end(c,
		    "unknown command: hello, status, routes, streams, stats "
		    "or watch");
	}
}

/* ---- watch ---- */

void
pipeboard_link(struct pipeboard *b, const struct link *l)
{
	struct record r;

	if (!b->watched)
		return;
	link_record(b, &r, l);
	control_publish(b->control, &r);
}

void
pipeboard_route(struct pipeboard *b, const struct forwarding *f)
{
	struct record r;

	if (!b->watched)
		return;
	pipeboard_route_record(&r, f, b->c.book(b->c.arg));
	control_publish(b->control, &r);
}

static int
compare_seen(const void *a, const void *b)
{
	uint64_t x = ((const struct seen *)a)->number;
	uint64_t y = ((const struct seen *)b)->number;

	return (x > y) - (x < y);
}

static void
tell_stream(struct pipeboard *b, const struct joint *j, uint64_t number)
{
	struct seen one = {.number = number, .here = true}, *known;
	struct record r;

	known = bsearch(&one, b->seen, b->known, sizeof(one), compare_seen);
	if (known != NULL) {
		known->here = true;
		return;
	}
	if (b->n == WATCHED)
		return;
	b->seen[b->n++] = one;
	stream_record(b, &r, j, NULL);
	control_publish(b->control, &r);
}

static void
tell_gone(struct pipeboard *b)
{
	struct record r;
	size_t left = 0;

	for (size_t i = 0; i < b->n; i++) {
		if (b->seen[i].here) {
			b->seen[left++] = b->seen[i];
			continue;
		}
		record_begin(&r, "stream");
		record_put_u64(&r, "number", b->seen[i].number);
		record_put(&r, "state", "closed");
		control_publish(b->control, &r);
	}
	b->n = b->known = left;
	qsort(b->seen, b->n, sizeof(*b->seen), compare_seen);
}

void
pipeboard_tick(struct pipeboard *b)
{
	struct joint_status s;
	struct link *l;

	if (!b->watched)
		return;
	if (b->seen == NULL &&
	    (b->seen = calloc(WATCHED, sizeof(*b->seen))) == NULL)
		return;
	for (size_t i = 0; i < b->n; i++)
		b->seen[i].here = false;
	for (size_t i = 0; (l = tunnel_each(b->c.tunnel, i)) != NULL; i++)
		for (struct joint *j = NULL;
		     (j = joint_next_of(l, j)) != NULL;) {
			joint_status(j, &s);
			tell_stream(b, j, s.number);
		}
	tell_gone(b);
}

/* ---- */

int
pipeboard_open(
    struct pipeboard **out, const char *path, const struct pipeboard_config *c)
{
	struct pipeboard *b = calloc(1, sizeof(*b));
	int rc;

	if (b == NULL)
		return -ENOMEM;
	b->c = *c;
	rc = control_open(&b->control, c->loop, path, command, b);
	if (rc != 0) {
		free(b);
		return rc;
	}
	*out = b;
	return 0;
}

void
pipeboard_free(struct pipeboard *b)
{
	if (b == NULL)
		return;
	control_free(b->control);
	free(b->seen);
	free(b);
}
