/* SPDX-License-Identifier: ISC */
/* A joint and its descriptors: what they do to it, and what it gives its peer
 * credit for. */
#include "jointself.h"

/* ---- credit ---- */

static bool
reserve(struct joint *j, uint64_t by)
{
	/* as much must stay for others, and for what we send */
	if (!link_charge(j->link, 2 * by))
		return false;
	j->reserved += by;
	window_grow(&j->window, by);
	link_refund(j->link, by);
	return true;
}

static void
give_credit(struct joint *j)
{
	struct quic *q = joint_quic(j);
	uint64_t credit;

	if (q == NULL || j->fin_received || j->stopped)
		return;
	credit = window_credit(&j->window);
	if (credit == 0)
		return;
	quic_credit_stream(q, j->id, credit);
	link_kick(j->link);
}

void
joint_took(struct joint *j, uint64_t n)
{
	struct quic *q = joint_quic(j);
	struct quic_stats stats;

	if (q == NULL)
		return;
	window_took(&j->window, n);
	if (j->window.taken >= j->window.size / 2 && !j->is_flow) {
		uint64_t by;

		quic_stats(q, &stats);
		by = window_wants(&j->window, now_us(), stats.rtt_us);
		if (by > 0)
			reserve(j, by);
	}
	give_credit(j);
}

/* ---- descriptors ---- */

/* Of a peer's stream both ends of its program are gone: what he sends has no
 * reader any more. Ours is different: who has asked waits for the answer. */
static void
check_vanished(struct joint *j)
{
	if (j->state != JOINT_OPEN || j->ours || !j->reader_gone ||
	    !j->source.ended || j->recv_over || blockq_len(&j->sink.q) > 0)
		return;
	joint_stop_peer(j, JOINT_CODE_VANISHED);
	j->recv_over = true;
	joint_check_over(j);
}

static void
source_ready(void *arg)
{
	struct joint *j = arg;

	if (j->source.ended && !j->same)
		joint_close_in(j, false);
	link_ready(j->link, j);
	if (j->source.ended)
		check_vanished(j);
}

static void
source_failed(void *arg, int error)
{
	(void)error;
	joint_over(arg, JOINT_READ);
}

void
joint_recv_done(struct joint *j)
{
	if (j->recv_over)
		return;
	j->recv_over = true;
	if (j->same)
		descriptor_shut(&j->out);
	else
		joint_close_out(j, false);
	if (j->config.hold || j->is_flow) {
		joint_finish(j);
		j->source.ended = true;
		link_ready(j->link, j);
	} else if (j->config.listen_end) {
		source_drain(&j->source);
	}
	joint_check_over(j);
}

static void
sink_wrote(void *arg, size_t n)
{
	joint_took(arg, n);
}

static void
sink_over(void *arg)
{
	joint_recv_done(arg);
}

static void
sink_failed(void *arg, int error)
{
	struct joint *j = arg;

	(void)error;
	j->write_failed = true;
	/* Writing may have taken the error of a connection that was reset: what
	 * would look like its end now is none. */
	if (j->same && j->in.tcp) {
		joint_over(j, JOINT_WRITE);
		return;
	}
	joint_stop_peer(j, JOINT_CODE_WRITE);
	j->recv_over = true;
	if (!j->same)
		joint_close_out(j, false);
	joint_check_over(j);
}

static const struct source_calls source_calls = {
    .ready = source_ready, .failed = source_failed};
static const struct sink_calls sink_calls = {
    .wrote = sink_wrote, .over = sink_over, .failed = sink_failed};

static void
flow_ready(void *arg)
{
	struct joint *j = arg;

	link_ready(j->link, j);
}

/* A socket's end is the flow's; a pipe's is not, for answers may come. */
static void
flow_ended(void *arg)
{
	struct joint *j = arg;

	if (j->in.kind != DESCRIPTOR_SOCKET)
		return;
	j->source.ended = true;
	link_ready(j->link, j);
	loop_at(j->timer, now_ms() + JOINT_BYE_MS);
}

void
joint_dropped(struct joint *j, uint64_t n)
{
	j->dropped += n;
	link_count(j->link, 0, 0, n);
}

static void
flow_dropped(void *arg, uint64_t n)
{
	joint_dropped(arg, n);
}

static void
flow_failed(void *arg, bool write, int error)
{
	(void)error;
	joint_over(arg, write ? JOINT_WRITE : JOINT_READ);
}

static const struct flow_calls flow_calls = {.ready = flow_ready,
    .ended = flow_ended,
    .dropped = flow_dropped,
    .failed = flow_failed};

void
joint_prepare(struct joint *j)
{
	source_init(&j->source, &j->sending, JOINT_AHEAD, &source_calls, j);
	sink_init(&j->sink, &sink_calls, j);
	flow_init(&j->flow, &j->sending, &j->writing, &flow_calls, j);
}

static void
in_hangup(void *arg)
{
	struct joint *j = arg;
	int error = descriptor_error(&j->in);

	if (error == 0 || j->state != JOINT_OPEN)
		return;
	if (j->in.tcp) {
		joint_over(j, JOINT_READ);
	} else if (j->same) {
		/* what it has sent is still to be read */
		j->reader_gone = true;
		check_vanished(j);
	}
}

static void
out_hangup(void *arg)
{
	struct joint *j = arg;

	if (j->state != JOINT_OPEN || descriptor_error(&j->out) == 0)
		return;
	if (j->out.tcp) {
		joint_over(j, JOINT_WRITE);
		return;
	}
	j->reader_gone = true;
	check_vanished(j);
}

static void
begin_stream(struct joint *j)
{
	struct loop *l = link_loop(j->link);

	if (descriptor_is_open(&j->in)) {
		hangup_watch(&j->in_watch, l, j->in.fd, in_hangup, j);
		source_start(&j->source, l, &j->in);
	} else if (!j->config.hold) {
		j->source.ended = true;
	}
	if (descriptor_is_open(&j->out)) {
		if (!j->same)
			hangup_watch(
			    &j->out_watch, l, j->out.fd, out_hangup, j);
		sink_start(&j->sink, l, &j->out);
		/* Ours is given with the answer: the library forgets what is
		 * given before it is done with its handshake. */
		if (reserve(j, JOINT_WINDOW_OPEN - JOINT_WINDOW) && !j->ours)
			give_credit(j);
		link_dirty(j->link, j);
	} else if (blockq_len(&j->sink.q) > 0) {
		joint_over(j, JOINT_ABORTED);
	} else if (j->fin_received) {
		joint_recv_done(j);
	}
}

static void
begin_flow(struct joint *j)
{
	flow_start(&j->flow, link_loop(j->link), &j->in, &j->out);
	loop_at(j->timer, now_ms() + JOINT_IDLE_MS);
	if (j->fin_received)
		joint_recv_done(j);
	else if (j->flow.writing.count > 0)
		link_dirty(j->link, j);
}

void
joint_begin(struct joint *j)
{
	j->state = JOINT_OPEN;
	if (j->is_flow)
		begin_flow(j);
	else
		begin_stream(j);
	if (j->state == JOINT_OPEN && j->ours && !j->is_flow && !j->has_line)
		loop_at(j->timer, now_ms() + JOINT_REPLY_MS);
	if (j->state == JOINT_OPEN)
		link_ready(j->link, j);
}
