/* SPDX-License-Identifier: ISC */
/* nat-stun lifetime: how long the NAT keeps a mapping that nothing uses, for
 * silent mappings and for those that had traffic both ways (RFC 5780 section
 * 4.6, RFC 4787 section 4.3). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmdline.h"
#include "command.h"
#include "exitcode.h"
#include "inquiry.h"
#include "lifetime.h"
#include "log.h"
#include "option.h"
#include "progress.h"
#include "record.h"
#include "trial.h"

#define WAIT_S 1800
#define TRIES 4 /* of a question at the start */
#define MOVES 16
#define KEEP_MS 5000  /* Z's own mapping is kept, */
#define MIXED_MS 1000 /* and more carefully when another would be elsewhere */
/* Two seconds to be sure that a mapping which was alive has gone. */
#define RESET_MS 2000

static const char usage[] =
    "nat-stun lifetime [-46hjqv] [-s path | -p port] [-w seconds] server";
static const char help[] =
    "  -4 -6     use this family only (IPv4, else IPv6)\n"
    "  -s path   measure the port that nat-port lends on this socket\n"
    "  -p port   begin with this UDP port (any)\n"
    "  -w s      take so long at most (1800)\n"
    "  -j        records as JSON Lines\n"
    "  -q -v     say less, say more on standard error\n";

enum phase {
	FIND,  /* an address of the server that answers */
	FIRST, /* port 0's mapping */
	SHORT, /* RESPONSE-PORT of 2 bytes, at once */
	LONG,  /* the same in 4 bytes */
	MEASURE,
};

struct silence;

struct search {
	struct silence *s;
	bool active;
	bool over;
	struct lifetime l;
	uint64_t sent, answered, runs;
};

struct silence {
	struct cmdline o;
	struct inquiry q;
	struct trials trials;
	struct event *keep; /* Z's mapping */
	struct progress progress;
	enum phase phase;
	/* IPv4 first: that is where NATs are */
	struct addr server[RESOLVE_MAX];
	size_t next; /* address to try */
	int tries;
	int moves;	       /* of Z, to get port 0's address */
	struct addr mapped;    /* port 0's */
	bool refused;	       /* RESPONSE-PORT got a 420 */
	bool ignored;	       /* or an answer as if it weren't there */
	uint64_t fresh_ms;     /* a lent port's old mapping has gone by then */
	struct search kind[2]; /* silent, active */
};

static void ask(struct silence *s);

/* ---- progress, for a person who waits */

static void
describe(const struct search *k, char *out, size_t cap)
{
	unsigned int lo = lifetime_lives(&k->l), hi = lifetime_dies(&k->l);
	const char *name = k->active ? "active" : "silent";

	if (k->over)
		snprintf(out, cap, "%s: done", name);
	else if (hi != 0)
		snprintf(out, cap, "%s: %u to %u s", name, lo, hi);
	else
		snprintf(out, cap, "%s: %u s or more", name, lo);
}

static void
describe_both(void *arg, char *out, size_t cap)
{
	struct silence *s = arg;
	char silent[48], active[48];

	describe(&s->kind[0], silent, sizeof(silent));
	describe(&s->kind[1], active, sizeof(active));
	snprintf(out, cap, "%s, %s", silent, active);
}

/* ---- results */

static const char *
reason_of(enum lifetime_state state, const char *cut)
{
	switch (state) {
	case LIFETIME_UNSTABLE:
		return "unstable";
	case LIFETIME_GONE:
		return "loss";
	case LIFETIME_OPEN:
		return cut;
	default:
		return NULL;
	}
}

/* cut says why a search that is still open ends now. */
static void
print(struct search *k, const char *cut)
{
	enum lifetime_state state = lifetime_state(&k->l);
	unsigned int lives = lifetime_lives(&k->l);
	bool found = state == LIFETIME_FOUND;
	struct record r;
	int err = 0;

	record_begin(&r, "lifetime");
	record_put(&r, "kind", k->active ? "active" : "silent");
	if (found)
		record_put_u64(&r, "lifetime_s", lives);
	else if (lives > 0)
		record_put_u64(&r, "atleast_s", lives);
	if (found || lives > 0) {
		record_put_u64(&r, "keepalive_s", lifetime_keepalive(lives));
		record_put_u64(&r, "confidence", lifetime_confidence(&k->l));
	}
	record_put_u64(&r, "sent", k->sent);
	record_put_u64(&r, "answered", k->answered);
	record_put_u64(&r, "runs", k->runs);
	record_put(&r, "reason", reason_of(state, cut));
	progress_clear();
	err = record_write(&r, STDOUT_FILENO, k->s->o.json);
	if (err == 0)
		return;
	if (err != -EPIPE) {
		errno = -err;
		log_warn("standard output");
	}
	inquiry_end(&k->s->q, EXIT_TEMP);
}

static bool
conclusive(const struct search *k)
{
	enum lifetime_state state = lifetime_state(&k->l);

	return state == LIFETIME_FOUND || state == LIFETIME_ENDLESS;
}

static void
finish(struct silence *s)
{
	inquiry_end(&s->q, conclusive(&s->kind[0]) && conclusive(&s->kind[1])
			       ? EXIT_YES
			       : EXIT_NO);
}

/* ---- the searches */

static bool
wanted(const void *arg, unsigned int seconds)
{
	const struct search *k = arg;

	return lifetime_wanted(&k->l, seconds);
}

static void
gone(void *arg, unsigned int seconds)
{
	struct search *k = arg;

	lifetime_give_up(&k->l, seconds);
}

static void more(struct search *k);

/* A lent port has one mapping with the server. When that was alive at the end
 * of a trial, or had traffic both ways before, it is no silent one any more;
 * but it has gone when nothing comes for longer than an active one lives. */
static void
stale(struct silence *s)
{
	unsigned int lives = lifetime_state(&s->kind[1].l) == LIFETIME_FOUND
				 ? lifetime_lives(&s->kind[1].l)
				 : LIFETIME_MAX_S;

	s->fresh_ms = now_ms() + (lives + 1) * UINT64_C(1000) + RESET_MS;
}

static void
over_cb(void *arg, unsigned int seconds, enum lifetime_result result)
{
	static const char *const names[] = {"alive", "dead", "lost"};
	struct search *k = arg;
	struct silence *s = k->s;
	uint64_t sent = 0, answered = 0;

	log_info("%s %u s: %s", k->active ? "active" : "silent", seconds,
	    names[result]);
	k->runs += s->trials.ports;
	if (s->trials.lent && result != LIFETIME_DEAD)
		stale(s);
	trials_loss(&s->trials, &sent, &answered);
	lifetime_loss(&k->l, sent, answered);
	lifetime_tell(&k->l, seconds, result);
	trials_sweep(&s->trials, k, wanted, gone);
	more(k);
}

static void
next_kind(struct silence *s)
{
	if (s->trials.lent && !s->kind[0].over) {
		stale(s);
		more(&s->kind[0]);
	} else if (s->kind[0].over && s->kind[1].over) {
		finish(s);
	}
}

static void
more(struct search *k)
{
	struct trial_plan plan = {.active = k->active,
	    .sent = &k->sent,
	    .answered = &k->answered,
	    .fn = over_cb,
	    .arg = k};
	unsigned int seconds[LIFETIME_NEXT];
	size_t n = lifetime_next(&k->l, seconds);

	if (k->s->trials.lent && !k->active)
		plan.after_ms = k->s->fresh_ms;
	for (size_t i = 0; i < n; i++) {
		plan.seconds = seconds[i];
		if (trial_start(&k->s->trials, &plan) != 0)
			lifetime_give_up(&k->l, seconds[i]);
	}
	if (lifetime_state(&k->l) == LIFETIME_OPEN || k->over)
		return;
	k->over = true;
	print(k, NULL);
	next_kind(k->s);
}

static void
measure(struct silence *s)
{
	bool lent = s->o.path != NULL;

	s->phase = MEASURE;
	s->trials.loop = &s->q.loop;
	s->trials.asker = s->q.asker;
	s->trials.lent = lent;
	s->trials.ports = lent ? 1 : TRIAL_PORTS;
	s->trials.sends = lent ? 4 : 1;
	s->trials.base_ms = now_ms();
	for (int i = 0; i < 2; i++)
		lifetime_init(&s->kind[i].l, lent ? 1 : LIFETIME_WIDTH,
		    trials_sends(&s->trials), lent ? 2 : 1);
	loop_at(s->keep, now_ms() + KEEP_MS);
	progress_begin(
	    &s->progress, &s->q.loop, s->q.start_ms, describe_both, s);
	/* one port: the active lifetime first, as the silent one needs it */
	if (!lent)
		more(&s->kind[0]);
	more(&s->kind[1]);
}

static void
kept_cb(void *arg, const struct asker_result *r)
{
	struct trials *ts = arg;

	ts->sent++;
	if (r->outcome != ASKER_ANSWER || r->answer->error != 0)
		return;
	ts->answered++;
	ts->seen = *answer_endpoint(r->answer);
}

static void
keep_cb(evutil_socket_t fd, short events, void *arg)
{
	struct silence *s = arg;
	struct asker_ask a = {.port = s->trials.z,
	    .to = s->trials.server,
	    .fn = kept_cb,
	    .arg = &s->trials};

	(void)fd;
	(void)events;
	asker_ask(s->q.asker, &a);
	loop_at(s->keep, now_ms() + (s->trials.mixed ? MIXED_MS : KEEP_MS));
}

/* ---- the start: a server that can do it */

static void
no_server(struct silence *s)
{
	log_warnx("%s: no answer", s->o.server[0]);
	inquiry_end(&s->q, EXIT_TEMP);
}

static void
no_response_port(struct silence *s)
{
	const char *why = s->refused ? "it refuses RESPONSE-PORT (error 420)"
			  : s->ignored
			      ? "it ignores RESPONSE-PORT"
			      : "what it answers to RESPONSE-PORT does "
				"not come back";

	log_warnx("%s: %s; measuring lifetimes needs a server that does RFC "
		  "5780 section 7.5, such as nat-stund",
	    s->o.server[0], why);
	inquiry_end(&s->q, EXIT_NO);
}

/* What is asked in this phase has not been answered in all its tries. */
static void
give_up(struct silence *s)
{
	s->tries = 0;
	switch (s->phase) {
	case FIND:
		s->next++;
		if (s->next == s->q.servers)
			no_server(s);
		else
			ask(s);
		break;
	case SHORT:
		s->phase = LONG;
		ask(s);
		break;
	case LONG:
		no_response_port(s);
		break;
	default:
		no_server(s);
	}
}

static void
begin_first(struct silence *s)
{
	s->phase = FIRST;
	s->tries = 0;
	ask(s);
}

/* A NAT with several addresses: Z has to be behind port 0's. */
static void
first_mapped(struct silence *s, const struct addr *mapped)
{
	s->mapped = *mapped;
	if (!addr_equal_ip(mapped, &s->trials.seen) && s->moves++ < MOVES) {
		s->trials.mixed = true;
		asker_close(s->q.asker, s->trials.z);
		s->trials.z = asker_open(s->q.asker);
		s->phase = FIND;
		ask(s);
		return;
	}
	s->phase = SHORT;
	s->tries = 0;
	ask(s);
}

static void
start_cb(void *arg, const struct asker_result *r)
{
	struct silence *s = arg;
	bool success = r->outcome == ASKER_ANSWER && r->answer->error == 0;

	if (r->outcome == ASKER_ANSWER && r->answer->error == 420) {
		s->refused = true;
		give_up(s);
	} else if (success && s->phase == FIND) {
		s->trials.seen = *answer_endpoint(r->answer);
		begin_first(s);
	} else if (success && s->phase == FIRST) {
		first_mapped(s, answer_endpoint(r->answer));
	} else if (success && r->port == 0) {
		s->trials.long_form = s->phase == LONG;
		measure(s);
	} else if (success) {
		s->ignored = true;
		give_up(s);
	} else if (s->tries < TRIES) {
		ask(s);
	} else {
		give_up(s);
	}
}

static void
ask(struct silence *s)
{
	struct asker_ask a = {.port = s->phase == FIRST ? 0 : s->trials.z,
	    .to = s->server[s->next],
	    .fn = start_cb,
	    .arg = s};

	s->trials.server = a.to;
	if (s->phase == SHORT || s->phase == LONG)
		a.q.response_port = s->mapped.port;
	a.q.response_port_long = s->phase == LONG;
	s->tries++;
	if (asker_ask(s->q.asker, &a) != 0)
		no_server(s);
}

/* ---- set-up and tear-down */

static void
begin_cb(void *arg)
{
	struct silence *s = arg;

	size_t n = 0;

	for (size_t i = 0; i < s->q.servers; i++)
		if (s->q.server[i].family == ADDR_V4)
			s->server[n++] = s->q.server[i];
	for (size_t i = 0; i < s->q.servers; i++)
		if (s->q.server[i].family != ADDR_V4)
			s->server[n++] = s->q.server[i];
	s->trials.z = asker_open(s->q.asker);
	s->phase = FIND;
	ask(s);
}

static void
cut(struct silence *s, const char *why)
{
	for (int i = 0; i < 2 && s->phase == MEASURE; i++)
		if (!s->kind[i].over)
			print(&s->kind[i], why);
}

static void
late_cb(void *arg)
{
	struct silence *s = arg;

	if (s->phase == MEASURE) {
		cut(s, "time");
		inquiry_end(&s->q, EXIT_NO);
	} else {
		log_warnx("%s: time-out: no answer within %u s", s->o.server[0],
		    s->o.wait_ms / 1000);
		inquiry_end(&s->q, EXIT_TEMP);
	}
}

static void
tear_down(struct silence *s)
{
	progress_end(&s->progress);
	trials_stop(&s->trials);
	event_free(s->keep);
	inquiry_free(&s->q);
}

int
stun_command_lifetime(int argc, char *argv[])
{
	static struct silence s;
	int code = 0;

	cmdline_parse(&s.o, argc, argv, ":46hjqvs:p:w:", usage, help);
	if (argc - optind != 1)
		option_fail("give one server");
	cmdline_server(&s.o, argv[optind]);
	if (!s.o.timed)
		s.o.wait_ms = WAIT_S * 1000;
	for (int i = 0; i < 2; i++)
		s.kind[i] = (struct search){.s = &s, .active = i == 1};
	inquiry_start(&s.q, &s.o, begin_cb, late_cb, &s);
	s.keep = loop_event(&s.q.loop, -1, 0, keep_cb, &s);
	code = inquiry_run(&s.q);
	if (!s.q.done && code == EXIT_TEMP && s.phase == MEASURE)
		cut(&s, "interrupted");
	tear_down(&s);
	return code;
}
