/* SPDX-License-Identifier: ISC */
/* nat-watch: what NATs do with packets, as records: mappings made, refreshed
 * and expired (connection tracking), and each packet that ends there with the
 * reason and the rule (nftables' traces). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exitcode.h"
#include "log.h"
#include "loop.h"
#include "netns.h"
#include "option.h"
#include "ready.h"
#include "record.h"
#include "watchbox.h"
#include "witness.h"

#define BOXES_MAX 64

struct watch;

struct box {
	struct watch *watch;
	struct netns ns;
	struct witness witness;
	struct watchbox state;
	struct event *readable;
};

struct watch {
	struct loop loop;
	struct event *timer, *end;
	struct box *box;
	size_t n;
	uint64_t addresses_ms; /* when they were last read */
	bool json;
};

static const char usage[] = "nat-watch [-hjqv] [-N fd] [-w seconds] box ...";
static const char help[] =
    "  box       NAME of /run/netns, NAME=/path of a network namespace\n"
    "  -N fd     write a newline there once all is seen\n"
    "  -w s      end after so long\n"
    "  -j        records as JSON Lines\n"
    "  -q -v     say less, say more on standard error\n";

static void
record_cb(void *arg, const struct record *r)
{
	struct box *b = arg;
	int err = record_write(r, 1, b->watch->json);

	if (err != 0 && err != -EMSGSIZE)
		loop_end(&b->watch->loop, err == -EPIPE ? EXIT_YES : EXIT_TEMP);
}

static void
read_box_facts(struct box *b)
{
	if (netns_enter(&b->ns) != 0)
		return;
	b->state.naddr = netns_addrs(b->state.addr, NETNS_ADDRS);
	b->state.forwards = netns_forwards();
	b->state.outside = netns_outside();
}

static void
message_cb(
    void *arg, uint16_t type, uint16_t flags, const uint8_t *data, size_t len)
{
	struct box *b = arg;

	watchbox_feed(
	    &b->state, type, flags, data, len, now_ms(), wall_ns() / 1000u);
}

static void
rearm(struct watch *w)
{
	uint64_t next = UINT64_MAX, t;

	for (size_t i = 0; i < w->n; i++) {
		t = traced_next_ms(&w->box[i].state.traced);
		if (t < next)
			next = t;
	}
	if (next != UINT64_MAX && !event_pending(w->timer, EV_TIMEOUT, NULL))
		loop_at(w->timer, next);
}

static void
readable_cb(evutil_socket_t fd, short events, void *arg)
{
	struct box *b = arg;
	int err;

	(void)fd;
	(void)events;
	/* addresses come and go; once a second is often enough */
	if (now_ms() - b->watch->addresses_ms > 1000) {
		b->watch->addresses_ms = now_ms();
		for (size_t i = 0; i < b->watch->n; i++)
			read_box_facts(&b->watch->box[i]);
	}
	err = witness_read(&b->witness, message_cb, b);
	if (err == -ENOBUFS)
		log_warnx("%s: more happens than can be read; some of it is "
			  "not told",
		    b->ns.name);
	else if (err != 0)
		log_warnx("%s: %s", b->ns.name, strerror(-err));
	rearm(b->watch);
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	(void)events;
	for (size_t i = 0; i < w->n; i++)
		if (netns_enter(&w->box[i].ns) == 0)
			watchbox_tick(&w->box[i].state, now_ms());
	rearm(w);
}

static void
end_cb(evutil_socket_t fd, short events, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	(void)events;
	loop_end(&w->loop, EXIT_YES);
}

static void
open_box(struct watch *w, struct box *b, const char *operand)
{
	const char *what = "";
	int err = netns_open(&b->ns, operand);

	b->watch = w;
	if (err == -EBADMSG)
		option_fail("\"%s\" is no name of a box", operand);
	if (err == 0)
		err = netns_enter(&b->ns);
	if (err != 0)
		fatalx(EXIT_USAGE, "%s: no such box, or no permission: %s",
		    operand, strerror(-err));
	/* its name is known only to the socket that owns it */
	err = watchbox_init(&b->state, b->ns.name, "", record_cb, b);
	if (err == 0)
		err = witness_open(&b->witness, message_cb, b, &what);
	if (err != 0)
		fatalx(
		    EXIT_TEMP, "%s: %s: %s", b->ns.name, what, strerror(-err));
	memcpy(
	    b->state.traced.table, b->witness.table, sizeof(b->witness.table));
	read_box_facts(b);
	b->state.telling = true;
	b->readable = loop_event(
	    &w->loop, b->witness.fd, EV_READ | EV_PERSIST, readable_cb, b);
	event_add(b->readable, NULL);
}

static void
close_all(struct watch *w)
{
	for (size_t i = 0; i < w->n; i++) {
		event_free(w->box[i].readable);
		witness_close(&w->box[i].witness);
		watchbox_free(&w->box[i].state);
	}
	free(w->box);
	event_free(w->timer);
	event_free(w->end);
	loop_free(&w->loop);
}

int
main(int argc, char *argv[])
{
	struct watch w = {0};
	uint32_t wait_s = 0;
	int letter, ready = -1, code;

	log_init("nat-watch", 0);
	option_begin(usage, help);
	while ((letter = option_next(argc, argv, ":N:hjqvw:")) != -1) {
		switch (letter) {
		case 'N':
			ready = ready_parse(optarg);
			if (ready < 0)
				option_fail("-N %s: no open descriptor above 2",
				    optarg);
			break;
		case 'j':
			w.json = true;
			break;
		case 'w':
			wait_s = option_number("-w", optarg, 1, 1000000);
			break;
		}
	}
	if (optind == argc)
		option_fail("name the boxes to watch");
	if (argc - optind > BOXES_MAX)
		option_fail("at most %d boxes at once", BOXES_MAX);
	loop_init(&w.loop, false);
	w.box = calloc((size_t)(argc - optind), sizeof(*w.box));
	if (w.box == NULL)
		fatalx(EXIT_TEMP, "out of memory");
	w.timer = loop_event(&w.loop, -1, 0, timer_cb, &w);
	w.end = loop_event(&w.loop, -1, 0, end_cb, &w);
	for (; optind < argc; optind++)
		open_box(&w, &w.box[w.n++], argv[optind]);
	if (wait_s != 0)
		loop_at(w.end, now_ms() + wait_s * 1000u);
	ready_tell(ready);
	code = loop_run(&w.loop);
	close_all(&w);
	return code;
}
