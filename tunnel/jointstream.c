/* SPDX-License-Identifier: ISC */
/* A joint and its stream: what the link asks for and what comes from it. */
#include <string.h>

#include "jointself.h"

#define CHUNK (64 * 1024) /* bytes that joint_next offers */

/* ---- the stream: sending ---- */

void
joint_link_up(struct joint *j)
{
	struct quic *q = link_quic(j->link);
	int64_t id;

	if (j->state != JOINT_WAITING || q == NULL)
		return;
	id = quic_open(q);
	if (id < 0) /* later: the link has it in its line still */
		return;
	j->depth++;
	j->id = id;
	j->generation = link_generation(j->link);
	if (link_map(j->link, id, j) < 0) {
		quic_reset(q, id, JOINT_CODE_CLOSED);
		quic_stop(q, id, JOINT_CODE_CLOSED);
		link_delist(j->link, j);
		joint_over(j, JOINT_CLOSED);
	} else { /* the map has taken it out of the line */
		j->live = true;
		joint_begin(j);
	}
	joint_leave(j);
}

static bool
next_datagram(struct joint *j, struct quic_chunk *out)
{
	const uint8_t *data;
	size_t len, most = quic_datagram_max(link_quic(j->link));

	j->flow_head_len = link_tag(j->id, j->flow_head);
	while (flow_next(&j->flow, &data, &len)) {
		if (j->flow_head_len + len > most) {
			joint_datagram_sent(j, 0);
			continue;
		}
		out->id = -1;
		out->iov[0] = (struct iovec){j->flow_head, j->flow_head_len};
		out->iov[1] = (struct iovec){(void *)(uintptr_t)data, len};
		out->n = len > 0 ? 2 : 1;
		out->fin = false;
		return true;
	}
	return false;
}

bool
joint_next(struct joint *j, struct quic_chunk *out)
{
	const struct blockq *q = &j->source.q;
	size_t got;

	if (joint_quic(j) == NULL || j->reset ||
	    (j->state != JOINT_OPEN && !j->refused))
		return false;
	out->n = blockq_peek(q, out->iov, QUIC_IOV_MAX, CHUNK, &got);
	out->fin = j->source.ended && !j->fin_sent && got == blockq_ahead(q);
	out->id = j->id;
	if (got > 0 || out->fin)
		return true;
	return j->is_flow && j->state == JOINT_OPEN && !j->fin_sent &&
	       next_datagram(j, out);
}

void
joint_sent(struct joint *j, size_t n, bool fin)
{
	source_sent(&j->source, n);
	link_count(j->link, 0, n, 0);
	if (fin)
		j->fin_sent = true;
}

void
joint_datagram_sent(struct joint *j, size_t n)
{
	if (n > 0) {
		uint64_t len = n - j->flow_head_len;

		j->result.sent += len;
		link_count(j->link, 0, len, 0);
	} else {
		joint_dropped(j, 1);
	}
	flow_pop(&j->flow);
}

void
joint_acked(struct joint *j, uint64_t len)
{
	source_acked(&j->source, len);
}

/* How much of ours was not wanted? What the peer has written it says; what was
 * read of in after that, or could be, is lost. */
static bool
is_lost(struct joint *j, uint64_t delivered)
{
	uint64_t total = j->source.q.end - j->head_len;

	j->result.sent = delivered < total ? delivered : total;
	return delivered < total || source_has_unread(&j->source);
}

void
joint_was_stopped(struct joint *j, uint64_t code)
{
	struct quic *q = joint_quic(j);

	if (j->state == JOINT_ENDED || j->send_over)
		return;
	j->depth++;
	if (q != NULL && !j->reset)
		quic_reset(q, j->id, code);
	j->reset = true;
	if (j->state != JOINT_OPEN) {
		joint_give_up(j);
		joint_over(j, JOINT_ABORTED);
		joint_leave(j);
		return;
	}
	if (!j->is_flow)
		j->unsent_lost = is_lost(j, code >> JOINT_CODE_BITS);
	source_stop(&j->source);
	j->send_over = true;
	if (!j->same)
		joint_close_in(j, false);
	/* a socket can't be told that only its writing is of no use */
	if (j->unsent_lost && j->same && j->answered)
		joint_over(j, JOINT_STOPPED);
	else
		joint_check_over(j);
	joint_leave(j);
}

/* ---- the stream: receiving ---- */

static void
answer(struct joint *j)
{
	enum opening_reason reason;
	uint16_t port = 0;

	if (opening_answer_parse(&reason, &port, j->line, j->line_len) < 0) {
		joint_over(j, JOINT_ABORTED);
		return;
	}
	j->answered = reason == OPENING_OK;
	j->result.reason = reason;
	if (j->config.answered != NULL)
		j->config.answered(j->config.arg, reason, port);
	if (reason != OPENING_OK)
		joint_over(j, JOINT_REFUSED);
}

static void
first_line(struct joint *j)
{
	j->has_line = true;
	if (j->ours) {
		if (!j->is_flow)
			event_del(j->timer);
		answer(j);
		return;
	}
	j->state = JOINT_OFFERED;
	loop_at(j->timer, now_ms() + JOINT_ANSWER_MS);
	if (opening_parse(&j->what, j->line, j->line_len) < 0) {
		joint_refuse(j, OPENING_FAILED);
		return;
	}
	j->is_flow = j->what.to == OPENING_UDP;
	link_opened(j->link, j);
}

/* Returns the bytes that belong to the line. */
static size_t
take_line(struct joint *j, const uint8_t *data, size_t len)
{
	const uint8_t *newline = memchr(data, '\n', len);
	size_t part = newline != NULL ? (size_t)(newline - data) : len;

	if (j->line_len + part >= RECORD_MAX) {
		joint_over(j, JOINT_ABORTED);
		return len;
	}
	memcpy(j->line + j->line_len, data, part);
	j->line_len += part;
	if (newline == NULL) {
		joint_took(j, part);
		return part;
	}
	joint_took(j, part + 1);
	first_line(j);
	return part + 1;
}

static void
take_end(struct joint *j)
{
	if (!j->has_line) {
		joint_over(j, JOINT_ABORTED);
		return;
	}
	j->fin_received = true;
	sink_end(&j->sink);
	if (j->state == JOINT_OPEN &&
	    (j->is_flow || !descriptor_is_open(&j->out)))
		joint_recv_done(j);
}

static void
take_data(struct joint *j, const uint8_t *data, size_t len)
{
	if (j->recv_over)
		return;
	/* a flow's are in datagrams; and where nothing is wanted, it is not */
	if (j->is_flow ||
	    (j->state == JOINT_OPEN && !descriptor_is_open(&j->out))) {
		joint_over(j, JOINT_ABORTED);
		return;
	}
	if (sink_put(&j->sink, data, len) < 0) {
		j->write_failed = true;
		joint_over(j, JOINT_WRITE);
	}
}

void
joint_data(struct joint *j, const uint8_t *data, size_t len, bool fin)
{
	struct quic *q = joint_quic(j);

	j->depth++;
	if (q != NULL && len > 0)
		quic_credit(q, len);
	link_count(j->link, len, 0, 0);
	if (j->state != JOINT_ENDED && !j->has_line && len > 0) {
		size_t n = take_line(j, data, len);

		data += n;
		len -= n;
	}
	if (j->state != JOINT_ENDED && len > 0)
		take_data(j, data, len);
	if (j->state != JOINT_ENDED && fin)
		take_end(j);
	if (j->state == JOINT_OPEN)
		link_dirty(j->link, j);
	joint_leave(j);
}

void
joint_datagram(struct joint *j, const uint8_t *data, size_t len)
{
	link_count(j->link, len, 0, 0);
	/* one may overtake its stream's first line */
	if (j->state == JOINT_ENDED || (j->has_line && !j->is_flow) ||
	    (j->ours && !j->is_flow))
		return;
	flow_put(&j->flow, data, len);
	if (j->state == JOINT_OPEN)
		link_dirty(j->link, j);
}

void
joint_flush(struct joint *j)
{
	if (j->state != JOINT_OPEN)
		return;
	j->depth++;
	if (j->is_flow)
		flow_flush(&j->flow);
	else
		sink_flush(&j->sink);
	joint_leave(j);
}

void
joint_room(struct joint *j)
{
	if (j->state == JOINT_OPEN)
		source_resume(&j->source);
}

/* ---- the stream: its end ---- */

void
joint_was_reset(struct joint *j, uint64_t code)
{
	(void)code;
	if (j->state == JOINT_ENDED || j->recv_over)
		return;
	j->depth++;
	joint_give_up(j);
	joint_over(j, JOINT_ABORTED);
	joint_leave(j);
}

static void
stream_over(struct joint *j)
{
	j->live = false;
	if (j->state == JOINT_ENDED) {
		source_free(&j->source);
		return;
	}
	if (j->fin_sent)
		j->send_over = true;
	if (!j->send_over || (!j->fin_received && !j->recv_over))
		joint_over(j, JOINT_ABORTED);
	else
		joint_check_over(j);
}

void
joint_stream_closed(struct joint *j)
{
	j->depth++;
	if (j->live)
		link_unmap(j->link, j->id);
	stream_over(j);
	joint_leave(j);
}

static void
lost_connection(struct joint *j, enum joint_end why)
{
	bool waits = j->state == JOINT_WAITING;
	bool was_live = j->live;

	if (why == JOINT_DONE && was_live) {
		if (j->fin_sent && j->fin_received) {
			stream_over(j);
			return;
		}
		why = JOINT_ABORTED;
	}
	j->live = false;
	if (j->state == JOINT_ENDED) {
		source_free(&j->source);
		return;
	}
	/* what it still has to write is whole */
	if (!was_live && why != JOINT_CLOSED &&
	    !(waits && why == JOINT_NO_PATH))
		return;
	joint_give_up(j);
	joint_over(j, why);
}

void
joint_gone(struct joint *j, enum joint_end why)
{
	j->depth++;
	lost_connection(j, why);
	if (why == JOINT_CLOSED)
		joint_tell(j);
	joint_leave(j);
}
