/* SPDX-License-Identifier: ISC */
/* A joint: its making, its answer, what it tells of itself. */
#include "joint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jointself.h"

#define WAIT_MS 30000 /* for a connection */

static uint64_t number;
static uint32_t joints; /* that there are */

static const struct {
	const char *name, *text;
} ends[] = {
    [JOINT_DONE] = {"done", "all was sent and received"},
    [JOINT_REFUSED] = {"refused", "the peer refused"},
    [JOINT_NO_PATH] = {"no-path", "no connection to the peer"},
    [JOINT_GONE] = {"gone", "the connection was lost: nothing heard"},
    [JOINT_RESTARTED] = {"restarted", "the peer's process was restarted"},
    [JOINT_ABORTED] = {"aborted", "the other end gave up"},
    [JOINT_STOPPED] = {"stopped",
	"the other end reads no more, and not all was delivered"},
    [JOINT_READ] = {"read", "reading failed on this side"},
    [JOINT_WRITE] = {"write", "writing failed on this side"},
    [JOINT_CLOSED] = {"closed", "it was closed on this side"},
};

const char *
joint_end_name(enum joint_end e)
{
	return (size_t)e < sizeof(ends) / sizeof(*ends) ? ends[e].name
							: "unknown";
}

const char *
joint_end_text(enum joint_end e)
{
	return (size_t)e < sizeof(ends) / sizeof(*ends) ? ends[e].text
							: "unknown";
}

/* ---- making ---- */

static void
offer_expired(struct joint *j)
{
	joint_give_up(j);
	/* unless that was answered after all */
	if (j->state == JOINT_OFFERED)
		joint_refuse(j, OPENING_BUSY);
}

/* A flow that nobody used is over, with the peer's consent if he is there. */
static void
check_idle(struct joint *j)
{
	uint64_t at = j->flow.active_ms + JOINT_IDLE_MS;

	if (!j->is_flow) { /* ours, and not a word came */
		if (!j->has_line)
			joint_over(j, JOINT_ABORTED);
		return;
	}
	if (j->source.ended) {
		joint_over(j, JOINT_DONE);
	} else if (now_ms() < at) {
		loop_at(j->timer, at);
	} else {
		j->source.ended = true;
		link_ready(j->link, j);
		loop_at(j->timer, now_ms() + JOINT_BYE_MS);
	}
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	struct joint *j = arg;

	(void)fd;
	(void)events;
	j->depth++;
	switch (j->state) {
	case JOINT_WAITING: /* the link's time-out */
		break;
	case JOINT_OPENING:
		joint_over(j, JOINT_ABORTED);
		break;
	case JOINT_OFFERED:
		offer_expired(j);
		break;
	case JOINT_OPEN:
		check_idle(j);
		break;
	case JOINT_ENDED:
		joint_tell(j);
		break;
	}
	joint_leave(j);
}

static bool
charge(void *arg, uint64_t bytes)
{
	struct joint *j = arg;

	return link_charge(j->link, bytes);
}

static void
refund(void *arg, uint64_t bytes)
{
	struct joint *j = arg;

	link_refund(j->link, bytes);
}

/* The first one's prev is the last one. */
static void
append(struct joint *j)
{
	struct joint **head = link_joints(j->link);

	joints++;
	if (*head == NULL) {
		*head = j->prev = j;
		return;
	}
	j->prev = (*head)->prev;
	j->prev->next = j;
	(*head)->prev = j;
}

static void
unlink_joint(struct joint *j)
{
	struct joint **head = link_joints(j->link);

	joints--;
	if (*head == j)
		*head = j->next;
	else
		j->prev->next = j->next;
	if (j->next != NULL)
		j->next->prev = j->prev;
	else if (*head != NULL)
		(*head)->prev = j->prev;
}

static struct joint *
make(struct link *l, enum joint_state state)
{
	struct joint *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->link = l;
	j->state = state;
	j->id = -1;
	j->in.fd = j->out.fd = -1;
	j->number = ++number;
	j->since_ms = now_ms();
	j->sending = (struct purse){.reserve = JOINT_RESERVE / BLOCK_LEN,
	    .charge = charge,
	    .refund = refund,
	    .arg = j};
	j->writing = j->sending;
	window_init(&j->window, JOINT_WINDOW, JOINT_WINDOW_MAX);
	joint_prepare(j);
	j->timer = loop_event(link_loop(l), -1, 0, timer_cb, j);
	append(j);
	return j;
}

void
joint_detach(struct joint *j)
{
	if (j->link == NULL)
		return;
	flow_free(&j->flow);
	sink_free(&j->sink);
	source_free(&j->source);
	event_del(j->timer);
	link_delist(j->link, j);
	unlink_joint(j);
	j->link = NULL;
}

void
joint_free(struct joint *j)
{
	event_free(j->timer);
	free(j);
	if (joints == 0)
		block_trim();
}

/* The same terminal twice becomes two descriptors, for each is closed. */
static int
open_descriptors(struct joint *j, const struct joint_config *c)
{
	int out = c->out, r;

	r = descriptor_open(&j->in, c->in, false);
	if (r < 0)
		return r;
	if (out != -1 && out == c->in && j->in.kind != DESCRIPTOR_SOCKET) {
		out = fcntl(out, F_DUPFD_CLOEXEC, 0);
		r = out == -1 ? -errno : 0;
	}
	if (r == 0)
		r = descriptor_open(&j->out, out, true);
	if (r < 0) {
		descriptor_release(&j->in);
		if (out != -1 && out != c->out)
			close(out);
		return r;
	}
	j->same = descriptor_is_same(&j->in, &j->out);
	j->config = *c;
	return 0;
}

static void
release_descriptors(struct joint *j)
{
	int dup = j->out.given;

	descriptor_release(&j->in);
	descriptor_release(&j->out);
	if (dup != j->config.out)
		close(dup);
}

/* From now on they are ours. */
static void
settle_descriptors(struct joint *j)
{
	descriptor_settle(&j->in);
	descriptor_settle(&j->out);
	/* who is there is not to take our death for an end */
	if (j->same)
		descriptor_arm(&j->in);
}

static int
put_line(struct joint *j, struct record *r)
{
	if (r->overflow || r->len >= RECORD_MAX)
		return -EMSGSIZE;
	r->text[r->len] = '\n';
	j->head_len = r->len + 1;
	return blockq_append(&j->source.q, r->text, r->len + 1);
}

int
joint_open(struct joint **out, struct link *l, const struct opening *what,
    const struct joint_config *config)
{
	struct record line;
	struct joint *j;
	int r = opening_write(what, &line);

	if (r < 0)
		return r;
	j = make(l, JOINT_WAITING);
	if (j == NULL)
		return -ENOMEM;
	j->ours = true;
	j->what = *what;
	j->is_flow = what->to == OPENING_UDP;
	r = put_line(j, &line);
	if (r == 0)
		r = open_descriptors(j, config);
	if (r == 0) {
		r = link_enlist(
		    l, j, config->wait_ms != 0 ? config->wait_ms : WAIT_MS);
		if (r < 0)
			release_descriptors(j);
	}
	if (r < 0) {
		j->state = JOINT_ENDED;
		j->told = true;
		j->depth++;
		joint_leave(j);
		return r;
	}
	settle_descriptors(j);
	*out = j;
	return 0;
}

struct joint *
joint_incoming(struct link *l, int64_t id)
{
	struct joint *j = make(l, JOINT_OPENING);

	if (j == NULL)
		return NULL;
	j->id = id;
	j->generation = link_generation(l);
	j->live = true;
	loop_at(j->timer, now_ms() + JOINT_ANSWER_MS);
	return j;
}

int
joint_accept(struct joint *j, uint16_t port, const struct joint_config *config)
{
	struct record line;
	int r;

	if (j->state != JOINT_OFFERED)
		return -EPIPE;
	r = opening_answer_write(OPENING_OK, port, &line);
	if (r == 0)
		r = put_line(j, &line);
	if (r == 0)
		r = open_descriptors(j, config);
	if (r < 0) {
		blockq_clear(&j->source.q);
		j->source.q.begin = j->source.q.mark = j->source.q.end = 0;
		return r;
	}
	settle_descriptors(j);
	j->on_gone = NULL;
	j->answered = true;
	event_del(j->timer);
	j->depth++;
	joint_begin(j);
	joint_leave(j);
	return 0;
}

/* What still comes of it is thrown away; its opener ends it, being told. */
void
joint_refuse(struct joint *j, enum opening_reason reason)
{
	struct record line;

	if (j->state != JOINT_OFFERED)
		return;
	j->on_gone = NULL;
	event_del(j->timer);
	if (opening_answer_write(reason, 0, &line) < 0 ||
	    put_line(j, &line) < 0) {
		joint_over(j, JOINT_CLOSED);
		return;
	}
	j->depth++;
	j->state = JOINT_ENDED;
	j->refused = true;
	j->told = true;
	j->source.ended = true;
	sink_free(&j->sink);
	flow_free(&j->flow);
	if (j->live)
		link_ready(j->link, j);
	joint_leave(j);
}

void
joint_cancel(struct joint *j, bool quiet)
{
	j->depth++;
	j->on_gone = NULL;
	joint_over(j, JOINT_CLOSED);
	if (quiet)
		j->told = true;
	joint_tell(j);
	joint_leave(j);
}

void
joint_finish(struct joint *j)
{
	j->config.hold = false;
	if (j->state != JOINT_OPEN || j->source.wanted || j->source.ended)
		return;
	j->source.ended = true;
	link_ready(j->link, j);
}

void
joint_on_gone(
    struct joint *j, void (*fn)(void *arg, struct joint *j), void *arg)
{
	j->on_gone = fn;
	j->on_gone_arg = arg;
}

/* ---- telling ---- */

const struct opening *
joint_what(const struct joint *j)
{
	return &j->what;
}

struct link *
joint_link(const struct joint *j)
{
	return j->link;
}

void
joint_status(const struct joint *j, struct joint_status *out)
{
	const struct blockq *q = &j->source.q;

	*out = (struct joint_status){
	    .number = j->number,
	    .ours = j->ours,
	    .answered = j->answered,
	    .sent = q->begin > j->head_len ? q->begin - j->head_len : 0,
	    .received = j->sink.written,
	    .queued = blockq_len(q),
	    .unwritten = blockq_len(&j->sink.q),
	    .window = j->window.size,
	    .dropped = j->dropped,
	    .since_ms = j->since_ms,
	};
	if (!j->is_flow)
		return;
	out->sent = j->result.sent;
	out->received = j->flow.written;
	out->queued += j->flow.sending.bytes;
	out->unwritten += j->flow.writing.bytes;
}

bool
joint_is_refused(const struct joint *j)
{
	return j->refused && j->fin_sent;
}

struct joint *
joint_next_of(struct link *l, const struct joint *after)
{
	struct joint *j = after != NULL ? after->next : *link_joints(l);

	while (j != NULL && j->state == JOINT_ENDED)
		j = j->next;
	return j;
}

void
joint_end_all(struct link *l)
{
	struct joint *j;

	/* what one's end leads to may end the next: from the start each time */
	while ((j = *link_joints(l)) != NULL)
		joint_gone(j, JOINT_CLOSED);
}
