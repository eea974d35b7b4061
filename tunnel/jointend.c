/* SPDX-License-Identifier: ISC */
/* How a joint ends: what its descriptors, its peer and its owner are told, and
 * when it is freed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "jointself.h"

struct quic *
joint_quic(const struct joint *j)
{
	if (!j->live || link_generation(j->link) != j->generation)
		return NULL;
	return link_quic(j->link);
}

void
joint_close_in(struct joint *j, bool abort)
{
	hangup_forget(&j->in_watch);
	descriptor_close(&j->in, abort && j->same);
}

void
joint_close_out(struct joint *j, bool abort)
{
	bool one = j->in.fd == j->out.fd;

	hangup_forget(&j->out_watch);
	if (one) /* it is closed as in */
		j->out.kind = DESCRIPTOR_NONE;
	else
		descriptor_close(&j->out, abort && j->same);
}

/* What was sent stays until the connection lets go of it. */
static void
drop_buffers(struct joint *j)
{
	uint64_t reserved = j->reserved;

	flow_free(&j->flow);
	sink_free(&j->sink);
	j->reserved = 0;
	if (reserved > 0)
		link_refund(j->link, reserved);
	if (!j->live)
		source_free(&j->source);
}

static enum joint_code
code_of(enum joint_end end)
{
	switch (end) {
	case JOINT_READ:
		return JOINT_CODE_READ;
	case JOINT_WRITE:
		return JOINT_CODE_WRITE;
	case JOINT_ABORTED:
		return JOINT_CODE_BROKEN;
	default:
		return JOINT_CODE_CLOSED;
	}
}

void
joint_stop_peer(struct joint *j, enum joint_code code)
{
	struct quic *q = joint_quic(j);

	if (q == NULL || j->stopped || j->fin_received)
		return;
	j->stopped = true;
	quic_stop(
	    q, j->id, j->sink.written << JOINT_CODE_BITS | (uint64_t)code);
	link_kick(j->link);
}

static void
leave_stream(struct joint *j, enum joint_end end)
{
	struct quic *q = joint_quic(j);

	if (q == NULL || end == JOINT_DONE)
		return;
	joint_stop_peer(j, code_of(end));
	if (!j->reset) {
		j->reset = true;
		quic_reset(q, j->id, code_of(end));
		link_kick(j->link);
	}
}

static uint64_t
count_sent(const struct joint *j)
{
	if (j->is_flow || j->unsent_lost)
		return j->result.sent;
	return j->source.q.begin > j->head_len ? j->source.q.begin - j->head_len
					       : 0;
}

void
joint_over(struct joint *j, enum joint_end end)
{
	struct timeval now = {0, 0};
	bool abort = end != JOINT_DONE;

	if (j->state == JOINT_ENDED)
		return;
	j->state = JOINT_ENDED;
	j->result.end = end;
	j->result.sent = count_sent(j);
	j->result.received = j->is_flow ? j->flow.written : j->sink.written;
	leave_stream(j, end);
	source_stop(&j->source);
	drop_buffers(j);
	if (abort && j->config.broken != NULL)
		j->config.broken(j->config.arg);
	joint_close_out(j, abort);
	joint_close_in(j, abort);
	event_del(j->timer);
	event_add(j->timer, &now);
}

static int
copy(const struct descriptor *d)
{
	return descriptor_is_open(d) ? fcntl(d->fd, F_DUPFD_CLOEXEC, 3) : -1;
}

void
joint_copy(const struct joint *j, int fds[2])
{
	fds[0] = copy(&j->in);
	fds[1] = j->same ? -1 : copy(&j->out);
}

void
joint_check_over(struct joint *j)
{
	if (!j->recv_over || !j->send_over)
		return;
	if (j->write_failed)
		joint_over(j, JOINT_WRITE);
	else if (j->unsent_lost)
		joint_over(j, JOINT_STOPPED);
	else
		joint_over(j, JOINT_DONE);
}

void
joint_tell(struct joint *j)
{
	if (j->told)
		return;
	j->told = true;
	j->depth++;
	if (j->config.ended != NULL)
		j->config.ended(j->config.arg, &j->result);
	joint_leave(j);
}

void
joint_leave(struct joint *j)
{
	j->depth--;
	if (j->state != JOINT_ENDED || !j->told || j->live)
		return;
	/* at once: its owner may free the link next, from within */
	joint_detach(j);
	if (j->depth == 0)
		joint_free(j);
}

void
joint_give_up(struct joint *j)
{
	void (*fn)(void *arg, struct joint *j) = j->on_gone;

	j->on_gone = NULL;
	if (fn != NULL)
		fn(j->on_gone_arg, j);
}
