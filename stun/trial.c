/* SPDX-License-Identifier: ISC */
/* One silence of nat-stun lifetime, on one port or several. */
#include "trial.h"

#include <errno.h>
#include <stdlib.h>

#include "log.h"

#define SLOT_MS ASKER_GAP_MS
/* The questions leave so that they arrive a little less than the whole number
 * of seconds after the mapping's last packet: a mapping of 30 s has to live
 * when 30 s are tried. */
#define EARLY_MS 500
#define LATEST_MS 50 /* before the full second; later ones prove no death */
#define PRIMES 8     /* questions to make a mapping before giving up */
#define POOL_TRIES 8 /* ports until one has Z's address, */
#define POOL_SLOTS 9 /* and what that costs */
#define CONTROLS 4   /* more, until one is answered */
#define LOSSES 2     /* of controls, that one may call more than chance */
/* Linux: a UDP connection is a stream when a packet comes more than two
 * seconds after its first one, and an answer has been seen. */
#define ACTIVE_MS 2200
#define ACTIVE_EXCHANGES 2

struct lane {
	struct trial *trial;
	struct event *timer;
	enum {
		LANE_WAITS,  /* to begin, or for its next exchange */
		LANE_SILENT, /* has a mapping */
		LANE_OVER,
	} state;
	int port; /* -1: none yet */
	unsigned int primes;
	unsigned int swaps;
	unsigned int exchanges;
	uint64_t first_ms; /* answer */
	uint64_t since_ms; /* the latest packet through the mapping */
	struct addr mapped;
	unsigned int asked; /* through the mapping */
	unsigned int open;
	unsigned int missed; /* in time, and without an answer */
};

struct trial {
	struct trials *ts;
	struct trial_plan plan;
	struct lane lane[TRIAL_PORTS];
	unsigned int controls; /* asked */
	bool control_open;
	bool control; /* answered */
};

static void step(struct lane *l);

unsigned int
trials_sends(const struct trials *ts)
{
	return ts->ports * ts->sends;
}

/* A server may answer RESPONSE-PORT less often than other questions. */
void
trials_loss(const struct trials *ts, uint64_t *sent, uint64_t *answered)
{
	uint64_t lost = ts->control_sent - ts->control_answered;

	*sent = ts->sent + ts->control_sent;
	*answered = ts->answered + ts->control_answered;
	if (lost >= LOSSES &&
	    ts->control_answered * *sent < *answered * ts->control_sent) {
		*sent = ts->control_sent;
		*answered = ts->control_answered;
	}
}

/* ---- ends */

static void
trial_free(struct trial *t)
{
	struct trials *ts = t->ts;

	asker_forget(ts->asker, t);
	for (unsigned int i = 0; i < ts->ports; i++) {
		struct lane *l = &t->lane[i];

		asker_forget(ts->asker, l);
		if (l->port > 0)
			asker_close(ts->asker, l->port);
		if (l->timer != NULL)
			event_free(l->timer);
	}
	for (size_t i = 0; i < TRIALS_MAX; i++)
		if (ts->list[i] == t)
			ts->list[i] = NULL;
	free(t);
}

static void
finish(struct trial *t, enum lifetime_result result)
{
	struct trial_plan plan = t->plan;

	trial_free(t);
	plan.fn(plan.arg, plan.seconds, result);
}

/* All repeats are over and none was alive: was that death? */
static void
look(struct trial *t)
{
	unsigned int missed = 0;

	for (unsigned int i = 0; i < t->ts->ports; i++) {
		if (t->lane[i].state != LANE_OVER)
			return;
		missed += t->lane[i].missed;
	}
	if (t->control_open)
		return;
	finish(t, t->control && missed > trials_sends(t->ts) / 2
		      ? LIFETIME_DEAD
		      : LIFETIME_NOTHING);
}

/* May free the trial. */
static void
over(struct lane *l)
{
	l->state = LANE_OVER;
	look(l->trial);
}

/* ---- the control questions: as many as those through the mapping */

static int ask_control(struct trial *t);

static void
control_cb(void *arg, const struct asker_result *r)
{
	struct trial *t = arg;
	struct trials *ts = t->ts;
	unsigned int most = trials_sends(ts);

	t->control_open = false;
	ts->control_sent += r->outcome != ASKER_UNSENT;
	if (r->outcome == ASKER_ANSWER && r->answer->error == 0 &&
	    r->port == ts->z) {
		ts->control_answered++;
		ts->seen = *answer_endpoint(r->answer);
		t->control = true;
	}
	if (!t->control)
		most += CONTROLS;
	if (t->controls >= most || ask_control(t) != 0)
		look(t);
}

static int
ask_control(struct trial *t)
{
	struct trials *ts = t->ts;
	struct asker_ask ask = {.port = ts->z,
	    .to = ts->server,
	    .q = {.response_port = ts->seen.port, /* 0: not known */
		.response_port_long = ts->long_form},
	    .fn = control_cb,
	    .arg = t};
	int err = asker_ask(ts->asker, &ask);

	if (err == 0) {
		t->controls++;
		t->control_open = true;
	}
	return err;
}

/* Once the last question through the mapping has left, as their time is
 * short. */
static void
begin_controls(struct trial *t)
{
	for (unsigned int i = 0; i < t->ts->ports; i++)
		if (t->lane[i].state != LANE_OVER &&
		    t->lane[i].asked < t->ts->sends)
			return;
	if (t->controls == 0)
		ask_control(t);
}

/* ---- does an answer come through? */

static void
through_cb(void *arg, const struct asker_result *r)
{
	struct lane *l = arg;
	struct trial *t = l->trial;
	struct trials *ts = t->ts;
	uint64_t rtt_ms = asker_stats(ts->asker).rtt_us / 1000;
	uint64_t latest_ms =
	    l->since_ms + t->plan.seconds * UINT64_C(1000) - LATEST_MS - rtt_ms;

	l->open--;
	(*t->plan.sent)++;
	if (r->outcome == ASKER_ANSWER && r->port == l->port) {
		(*t->plan.answered)++;
		finish(t, LIFETIME_ALIVE);
		return;
	}
	if (r->outcome == ASKER_TIMEOUT && r->sent_us / 1000 <= latest_ms &&
	    addr_equal_ip(&ts->seen, &l->mapped))
		l->missed++;
	if (l->asked == ts->sends && l->open == 0)
		over(l);
}

static void
ask_through(struct lane *l)
{
	struct trial *t = l->trial;
	struct trials *ts = t->ts;
	struct asker_ask ask = {.port = ts->z,
	    .to = ts->server,
	    .q = {.response_port = l->mapped.port,
		.response_port_long = ts->long_form},
	    .fn = through_cb,
	    .arg = l};

	l->asked++;
	if (asker_ask(ts->asker, &ask) == 0)
		l->open++;
	begin_controls(t);
	if (l->asked < ts->sends)
		loop_at(l->timer, now_ms() + ts->ports * SLOT_MS);
	else if (l->open == 0)
		over(l);
}

/* ---- the mapping */

static void
fall_silent(struct lane *l)
{
	uint64_t rtt_ms = asker_stats(l->trial->ts->asker).rtt_us / 1000;
	uint64_t due_ms =
	    l->since_ms + l->trial->plan.seconds * UINT64_C(1000) - EARLY_MS;

	l->state = LANE_SILENT;
	loop_at(l->timer, due_ms > rtt_ms ? due_ms - rtt_ms : due_ms);
}

/* A NAT with several addresses may give X another one than Z, and then no
 * answer to Z ever gets to X: try other ports, or move Z. */
static bool
fits(struct lane *l)
{
	struct trials *ts = l->trial->ts;
	int z = 0;

	if (addr_equal_ip(&l->mapped, &ts->seen) || l->swaps >= POOL_TRIES)
		return true;
	l->swaps++;
	ts->mixed = true;
	l->exchanges = 0;
	if (!ts->lent) {
		asker_close(ts->asker, l->port);
		l->port = -1;
	} else if ((z = asker_open(ts->asker)) > 0) {
		asker_close(ts->asker, ts->z);
		ts->z = z;
		/* the control question will tell */
		ts->seen = l->mapped;
		ts->seen.port = 0;
	}
	return false;
}

static void
mapped_cb(void *arg, const struct asker_result *r)
{
	struct lane *l = arg;
	struct trials *ts = l->trial->ts;

	ts->sent++;
	if (r->outcome != ASKER_ANSWER || r->answer->error != 0) {
		step(l);
		return;
	}
	ts->answered++;
	l->mapped = *answer_endpoint(r->answer);
	if (!fits(l)) {
		step(l);
		return;
	}
	l->since_ms = now_ms();
	if (l->exchanges++ == 0)
		l->first_ms = l->since_ms;
	if (!l->trial->plan.active ||
	    (l->exchanges >= ACTIVE_EXCHANGES &&
		l->since_ms - l->first_ms >= ACTIVE_MS))
		fall_silent(l);
	else
		loop_at(l->timer, l->since_ms + ACTIVE_MS);
}

static void
ask_mapped(struct lane *l)
{
	struct trials *ts = l->trial->ts;
	struct asker_ask ask = {.to = ts->server, .fn = mapped_cb, .arg = l};

	if (l->port < 0)
		l->port = ts->lent ? 0 : asker_open(ts->asker);
	ask.port = l->port;
	if (l->primes++ >= PRIMES + l->swaps + l->exchanges || l->port < 0 ||
	    asker_ask(ts->asker, &ask) != 0)
		over(l);
}

static void
step(struct lane *l)
{
	if (l->state == LANE_WAITS)
		ask_mapped(l);
	else if (l->state == LANE_SILENT)
		ask_through(l);
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	step(arg);
}

/* ---- starting and stopping */

/* Every question of the trial gets its slot in the calendar. */
static size_t
reserve(struct trials *ts, const struct trial_plan *plan)
{
	size_t offset[TRIAL_PORTS * (ACTIVE_EXCHANGES + 8) + POOL_SLOTS], n = 0;
	unsigned int exchanges = plan->active ? ACTIVE_EXCHANGES : 1;
	uint64_t from_ms = now_ms() - ts->base_ms;
	uint64_t silent = 0;

	if (plan->after_ms > ts->base_ms + from_ms)
		from_ms = plan->after_ms - ts->base_ms;
	for (unsigned int e = 0; e < exchanges; e++)
		for (unsigned int i = 0; i < ts->ports; i++) {
			silent = e * (ACTIVE_MS / SLOT_MS + 1) + i;
			offset[n++] = (size_t)silent;
		}
	/* and those ports that get the wrong address */
	for (unsigned int i = 0; ts->mixed && i < POOL_SLOTS; i++)
		offset[n++] = ts->ports + i;
	silent += (plan->seconds * UINT64_C(1000) - EARLY_MS) / SLOT_MS + 1;
	silent -= ts->ports;
	for (unsigned int i = 0; i < trials_sends(ts) * 2; i++)
		offset[n++] = (size_t)silent + i;
	return slots_take(
	    &ts->slots, (size_t)(from_ms / SLOT_MS) + 1, offset, n);
}

int
trial_start(struct trials *ts, const struct trial_plan *plan)
{
	struct trial *t = NULL;
	size_t free_at = 0, slot = 0;

	while (free_at < TRIALS_MAX && ts->list[free_at] != NULL)
		free_at++;
	if (free_at == TRIALS_MAX || (slot = reserve(ts, plan)) == SIZE_MAX)
		return -ENOSPC;
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return -ENOMEM;
	t->ts = ts;
	t->plan = *plan;
	ts->list[free_at] = t;
	for (unsigned int i = 0; i < ts->ports; i++) {
		struct lane *l = &t->lane[i];

		l->trial = t;
		l->port = -1;
		l->timer = loop_event(ts->loop, -1, 0, timer_cb, l);
		loop_at(l->timer, ts->base_ms + (slot + i) * SLOT_MS);
	}
	return 0;
}

void
trials_sweep(struct trials *ts, const void *arg,
    bool (*wanted)(const void *arg, unsigned int seconds),
    void (*gone)(void *arg, unsigned int seconds))
{
	for (size_t i = 0; i < TRIALS_MAX; i++) {
		struct trial *t = ts->list[i];
		struct trial_plan plan;

		if (t == NULL || t->plan.arg != arg ||
		    wanted(arg, t->plan.seconds))
			continue;
		plan = t->plan;
		trial_free(t);
		gone(plan.arg, plan.seconds);
	}
}

void
trials_stop(struct trials *ts)
{
	for (size_t i = 0; i < TRIALS_MAX; i++)
		if (ts->list[i] != NULL)
			trial_free(ts->list[i]);
}
