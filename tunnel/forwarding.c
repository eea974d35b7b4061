/* SPDX-License-Identifier: ISC */
/* A forward at work: its listener here, or at the peer, and what comes to it. */
#include "forwarding.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blame.h"
#include "callee.h"
#include "caller.h"
#include "inlet.h"
#include "log.h"
#include "socksdoor.h"
#include "tunnel.h"
#include "udpinlet.h"

#define BACKOFF_MS 500
#define BACKOFF_MAX_MS 30000

struct forwarding {
	struct forwarding_config config;
	struct forward forward;
	enum forwarding_state state;
	const char *reason;
	uint16_t port;
	struct event *again;
	uint32_t backoff_ms;

	struct inlet *inlet;	   /* L, D */
	struct udpinlet *udpinlet; /* U */
	struct socksdoors doors;   /* D */
	struct callers callers;	   /* L, D */

	struct joint *joint; /* R: the peer's listener */
	uint32_t id;
	struct callees callees;	 /* R */
	struct forwarding *next; /* R */

	struct blame blame;
};

/* Those of kind R, of every link: a peer's streams find them. */
static struct forwarding *listening;
static uint32_t last_id;

static void
enter(struct forwarding *f, enum forwarding_state state, const char *reason)
{
	if (f->state == state && f->reason == reason)
		return;
	f->state = state;
	f->reason = reason;
	if (f->config.changed != NULL)
		f->config.changed(f->config.arg, f);
}

/* In half to all of the time, so that not everybody comes back at once. */
static void
try_again(struct forwarding *f)
{
	uint32_t ms = f->backoff_ms / 2;

	ms += randombytes_uniform(ms + 1);
	f->backoff_ms *= 2;
	if (f->backoff_ms > BACKOFF_MAX_MS)
		f->backoff_ms = BACKOFF_MAX_MS;
	loop_at(f->again, now_ms() + ms);
}

/* ---- what comes to nothing ---- */

static void
warn(const struct forwarding *f, const char *text)
{
	char spec[FORWARD_TEXT];

	log_warnx("%s: %s", forward_format(&f->forward, spec), text);
}

/* wait_ms: how long it has waited for the peer. */
static void
tell(struct forwarding *f, const struct opening *what,
    const struct joint_result *res, unsigned wait_ms)
{
	const struct peerbook *book =
	    f->config.book != NULL ? *f->config.book : NULL;
	char out[BLAME_TEXT], peer[KEY_STRLEN], own[KEY_STRLEN];
	const uint8_t *us = tunnel_key(link_tunnel(f->config.link));
	const char *text;

	text = blame_end(out, res, what, wait_ms / 1000,
	    peerbook_name(book, link_key(f->config.link), peer),
	    key_format(us, own));
	if (text != NULL && blame_tell(&f->blame, res, what, now_ms()))
		warn(f, text);
}

static void
opened_cb(void *arg, const struct opening *what)
{
	struct forwarding *f = arg;

	blame_over(&f->blame, what);
}

static void
failed_cb(void *arg, const struct opening *what, const struct joint_result *res)
{
	struct forwarding *f = arg;

	if (res->end != JOINT_CLOSED)
		tell(f, what, res, CALLERS_WAIT_MS);
	else if (blame_tell(&f->blame, res, what, now_ms()))
		warn(f, "there are too many connections already");
}

static void
flow_opened_cb(void *arg)
{
	struct forwarding *f = arg;

	blame_over(&f->blame, &f->forward.target);
}

static void
flow_failed_cb(void *arg, const struct joint_result *res)
{
	struct forwarding *f = arg;

	tell(f, &f->forward.target, res, UDPINLET_WAIT_MS);
}

/* Our own end of R. */
static void
connected_cb(void *arg, struct joint *j, const struct opening *what)
{
	(void)j;
	opened_cb(arg, what);
}

static void
unconnected_cb(void *arg, struct joint *j, const struct opening *what,
    enum opening_reason r)
{
	const struct joint_result res = {.end = JOINT_REFUSED, .reason = r};
	struct forwarding *f = arg;
	char text[BLAME_TEXT];

	(void)j;
	if (!blame_tell(&f->blame, &res, what, now_ms()))
		return;
	snprintf(text, sizeof(text), "here: %s", blame_here(r));
	warn(f, text);
}

/* ---- L, D, U ---- */

static void
came_cb(void *arg, int fd)
{
	struct forwarding *f = arg;

	if (f->forward.kind == 'L') {
		caller_take(&f->callers, fd, &f->forward.target, false);
	} else if (f->callers.open + f->doors.open >= CALLERS_MAX) {
		f->doors.refused++;
		caller_reset(fd);
	} else {
		socksdoor_take(&f->doors, fd);
	}
}

static void
known_cb(void *arg, int fd, const struct opening *what)
{
	struct forwarding *f = arg;

	caller_take(&f->callers, fd, what, true);
}

static int
listen_udp(struct forwarding *f)
{
	int rc = udpinlet_open(&f->udpinlet, &(struct udpinlet_config){
						 .loop = f->config.loop,
						 .link = f->config.link,
						 .bind = f->forward.bind,
						 .port = f->forward.port,
						 .target = &f->forward.target,
						 .opened = flow_opened_cb,
						 .failed = flow_failed_cb,
						 .arg = f,
					     });

	if (rc == 0)
		f->port = udpinlet_port(f->udpinlet);
	return rc;
}

static int
listen_stream(struct forwarding *f)
{
	int rc = inlet_open(&f->inlet, &(struct inlet_config){
					   .loop = f->config.loop,
					   .bind = f->forward.bind,
					   .port = f->forward.port,
					   .path = f->forward.path,
					   .came = came_cb,
					   .arg = f,
				       });

	if (rc == 0)
		f->port = inlet_port(f->inlet);
	return rc;
}

static const char *
word(int rc)
{
	switch (-rc) {
	case EADDRINUSE:
	case EEXIST:
		return opening_reason_name(OPENING_IN_USE);
	case EACCES:
	case EPERM:
		return opening_reason_name(OPENING_PERMIT);
	default:
		return opening_reason_name(OPENING_FAILED);
	}
}

static int
listen_here(struct forwarding *f)
{
	int rc = f->forward.kind == 'U' ? listen_udp(f) : listen_stream(f);

	if (rc != 0) {
		enter(f, FORWARDING_FAILED, word(rc));
		return rc;
	}
	f->backoff_ms = BACKOFF_MS;
	enter(f, FORWARDING_LISTENING, NULL);
	return 0;
}

/* ---- R ---- */

static void
answered_cb(void *arg, enum opening_reason r, uint16_t port)
{
	struct forwarding *f = arg;
	const struct opening *what = joint_what(f->joint);

	if (r != OPENING_OK) {
		const struct joint_result res = {
		    .end = JOINT_REFUSED, .reason = r};

		tell(f, what, &res, 0);
		enter(f, FORWARDING_FAILED, opening_reason_name(r));
		return;
	}
	blame_over(&f->blame, what);
	f->port = port;
	f->backoff_ms = BACKOFF_MS;
	enter(f, FORWARDING_LISTENING, NULL);
}

static void
ended_cb(void *arg, const struct joint_result *r)
{
	struct forwarding *f = arg;

	f->joint = NULL;
	f->port = 0;
	try_again(f);
	if (r->end != JOINT_REFUSED)
		enter(f, FORWARDING_WAITING, joint_end_name(r->end));
}

static int
listen_there(struct forwarding *f)
{
	struct opening what = {
	    .to = OPENING_LISTEN, .port = f->forward.port, .id = ++last_id};
	int rc;

	memcpy(what.host, f->forward.bind, sizeof(what.host));
	memcpy(what.path, f->forward.path, sizeof(what.path));
	rc = joint_open(&f->joint, f->config.link, &what,
	    &(struct joint_config){
		.in = -1,
		.out = -1,
		.hold = true,
		.wait_ms = UINT32_MAX,
		.answered = answered_cb,
		.ended = ended_cb,
		.arg = f,
	    });
	if (rc == 0)
		f->id = what.id;
	else
		enter(f, FORWARDING_WAITING, word(rc));
	return rc;
}

bool
forwarding_back(struct joint *j)
{
	const struct opening *what = joint_what(j);
	struct forwarding *f;

	for (f = listening; f != NULL; f = f->next)
		if (f->joint != NULL && f->id == what->id &&
		    f->config.link == joint_link(j))
			break;
	if (f == NULL)
		return false;
	if (f->callees.open >= CALLERS_MAX) {
		f->callees.refused++;
		joint_refuse(j, OPENING_BUSY);
	} else {
		callee_take(&f->callees, j, &f->forward.target);
	}
	return true;
}

/* The link dials as long as one of its forwards wants it. */
static void
want(struct forwarding *f)
{
	struct forwarding *other = listening;

	while (other != NULL && other->config.link != f->config.link)
		other = other->next;
	link_want(f->config.link, other != NULL);
}

static void
enlist(struct forwarding *f)
{
	f->next = listening;
	listening = f;
	want(f);
}

static void
delist(struct forwarding *f)
{
	struct forwarding **p = &listening;

	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	want(f);
}

/* ---- all ---- */

static void
again_cb(evutil_socket_t fd, short events, void *arg)
{
	struct forwarding *f = arg;

	(void)fd;
	(void)events;
	if ((f->forward.kind == 'R' ? listen_there(f) : listen_here(f)) != 0)
		try_again(f);
}

static struct forwarding *
make(const struct forwarding_config *c)
{
	struct forwarding *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->config = *c;
	f->forward = *c->forward;
	f->config.forward = &f->forward;
	f->backoff_ms = BACKOFF_MS;
	f->again = loop_event(c->loop, -1, 0, again_cb, f);
	f->callers.link = c->link;
	f->callers.opened = opened_cb;
	f->callers.failed = failed_cb;
	f->callers.arg = f;
	f->callees.loop = c->loop;
	f->callees.resolver = c->resolver;
	f->callees.opened = connected_cb;
	f->callees.failed = unconnected_cb;
	f->callees.arg = f;
	f->doors.loop = c->loop;
	f->doors.known = known_cb;
	f->doors.arg = f;
	return f;
}

int
forwarding_start(
    struct forwarding **out, const struct forwarding_config *c, bool retry)
{
	struct forwarding *f = make(c);
	int rc;

	if (f == NULL)
		return -ENOMEM;
	if (c->forward->kind == 'R') {
		enlist(f);
		rc = listen_there(f);
	} else {
		rc = listen_here(f);
	}
	if (rc != 0 && !retry) {
		forwarding_stop(f, false);
		return rc;
	}
	if (rc != 0)
		try_again(f);
	*out = f;
	return 0;
}

void
forwarding_stop(struct forwarding *f, bool let_go)
{
	if (f == NULL)
		return;
	inlet_free(f->inlet);
	udpinlet_free(f->udpinlet);
	socksdoors_end(&f->doors);
	callers_end(&f->callers, let_go);
	if (f->joint != NULL)
		joint_cancel(f->joint, true);
	callees_end(&f->callees, let_go);
	if (f->forward.kind == 'R')
		delist(f);
	event_free(f->again);
	free(f);
}

const struct forward *
forwarding_of(const struct forwarding *f)
{
	return &f->forward;
}

struct link *
forwarding_link(const struct forwarding *f)
{
	return f->config.link;
}

void
forwarding_status(const struct forwarding *f, struct forwarding_status *out)
{
	struct udpinlet_status flows = {0};

	if (f->udpinlet != NULL)
		udpinlet_status(f->udpinlet, &flows);
	*out = (struct forwarding_status){
	    .state = f->state,
	    .port = f->port,
	    .reason = f->reason,
	    .open =
		f->callers.open + f->doors.open + f->callees.open + flows.open,
	    .total = f->callers.total + f->callees.total + flows.total,
	    .refused = f->callers.refused + f->doors.refused +
		       f->callees.refused + flows.refused,
	};
}
