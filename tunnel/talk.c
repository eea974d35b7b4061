/* SPDX-License-Identifier: ISC */
/* One QUIC connection of a link: hands what it brings to the joints, and asks
 * them in turn for what it may send. */
#include <errno.h>
#include <stdlib.h>

#include "joint.h"
#include "linkpart.h"

#define QUANTUM 16384 /* bytes of one joint before the next has its turn */
#define WINDOW_MIN (1 << 20)  /* bytes: a connection's first credit... */
#define WINDOW_MAX (64 << 20) /* ...is the peer's budget, within these */
#define NO_JOINT 1	      /* code of a stream that nobody could take */

#define LEN_MIN 1200 /* bytes that every path carries */
#define CHOKED_US 500000

static uint64_t
now_ns(void)
{
	return now_us() * 1000;
}

static struct seat *
seat_of(struct talk *t, int64_t id)
{
	return t == t->link->up ? seats_find_id(&t->link->seats, id) : NULL;
}

/* What the connection calls. */

static void
established_cb(void *arg)
{
	struct talk *t = arg;

	link_promote(t->link, t);
}

static void
opened_cb(void *arg, int64_t id)
{
	struct talk *t = arg;
	struct joint *j = t == t->link->up ? joint_incoming(t->link, id) : NULL;

	if (j != NULL && link_map(t->link, id, j) == 0)
		return;
	quic_reset(t->quic, id, NO_JOINT);
	quic_stop(t->quic, id, NO_JOINT);
}

/* What came for nobody is consumed. */
static void
data_cb(void *arg, int64_t id, const uint8_t *data, size_t len, bool fin)
{
	struct talk *t = arg;
	struct seat *s = seat_of(t, id);

	if (s != NULL)
		joint_data(s->joint, data, len, fin);
	else
		quic_credit(t->quic, len);
}

static void
acked_cb(void *arg, int64_t id, uint64_t len)
{
	struct seat *s = seat_of(arg, id);

	if (s != NULL)
		joint_acked(s->joint, len);
}

static void
reset_cb(void *arg, int64_t id, uint64_t code)
{
	struct seat *s = seat_of(arg, id);

	if (s != NULL)
		joint_was_reset(s->joint, code);
}

static void
stopped_cb(void *arg, int64_t id, uint64_t code)
{
	struct seat *s = seat_of(arg, id);

	if (s != NULL)
		joint_was_stopped(s->joint, code);
}

static void
writable_cb(void *arg, int64_t id)
{
	struct talk *t = arg;
	struct seat *s = seat_of(t, id);

	if (s != NULL)
		link_ready(t->link, s->joint);
}

/* The id is over, whatever the joint still has to do. */
static void
closed_cb(void *arg, int64_t id)
{
	struct talk *t = arg;
	struct seat *s = seat_of(t, id);

	if (s == NULL)
		return;
	joint_stream_closed(s->joint);
	link_unmap(t->link, id);
}

/* A varint (RFC 9000 section 16). Returns its length, 0: cut off. */
static size_t
untag(const uint8_t *data, size_t len, int64_t *id)
{
	size_t n = len > 0 ? (size_t)1 << (data[0] >> 6) : 0;
	uint64_t v;

	if (n == 0 || n > len)
		return 0;
	v = data[0] & 0x3f;
	for (size_t i = 1; i < n; i++)
		v = v << 8 | data[i];
	*id = (int64_t)v;
	return n;
}

static void
datagram_cb(void *arg, const uint8_t *data, size_t len)
{
	struct talk *t = arg;
	struct seat *s;
	int64_t id;
	size_t n = untag(data, len, &id);

	if (n == 0)
		return;
	/* one that overtook its stream's beginning is lost */
	if ((s = seat_of(t, id)) != NULL)
		joint_datagram(s->joint, data + n, len - n);
	else
		t->link->dropped++;
}

static void
may_open_cb(void *arg)
{
	struct talk *t = arg;

	tunnel_touch(t->link->tunnel, t->link);
}

/* Datagrams go first, but for no more than half of what goes. */
static struct seat *
first_of(struct link *l)
{
	struct seat *urgent = seats_first(&l->seats, SEAT_URGENT);
	struct seat *ready = seats_first(&l->seats, SEAT_READY);

	if (urgent != NULL && (ready == NULL || l->burst < QUANTUM))
		return urgent;
	return ready;
}

static enum seat_line
line_of(const struct seat *s)
{
	return s->urgent ? SEAT_URGENT : SEAT_READY;
}

/* Who has nothing (more) leaves; he may even be gone. */
static bool
next_cb(void *arg, struct quic_chunk *out)
{
	struct talk *t = arg;
	struct link *l = t->link;
	struct seat *s;

	l->asked = NULL;
	while (t == l->up && (s = first_of(l)) != NULL) {
		struct joint *j = s->joint;

		seats_leave(&l->seats, line_of(s), s);
		if (!joint_next(j, out))
			continue;
		if ((s = seats_find(&l->seats, j)) == NULL)
			continue;
		if (!seats_stands(s, line_of(s)))
			seats_prepend(&l->seats, line_of(s), s);
		l->asked = s;
		return true;
	}
	return false;
}

static void
count_turn(struct link *l, struct seat *s, size_t n)
{
	s->turn += n;
	if (s->urgent)
		l->burst += n;
	if (s->turn < QUANTUM)
		return;
	s->turn = 0;
	if (!s->urgent)
		l->burst = 0;
	if (!seats_stands(s, line_of(s)))
		return;
	seats_leave(&l->seats, line_of(s), s);
	seats_append(&l->seats, line_of(s), s);
}

static void
sent_cb(void *arg, int64_t id, size_t n, bool fin)
{
	struct talk *t = arg;
	struct seat *s = id == -1 ? t->link->asked : seat_of(t, id);

	if (s == NULL)
		return;
	count_turn(t->link, s, n);
	if (id == -1)
		joint_datagram_sent(s->joint, n);
	else
		joint_sent(s->joint, n, fin);
}

static void
blocked_cb(void *arg, int64_t id)
{
	struct talk *t = arg;
	struct seat *s = id == -1 ? t->link->asked : seat_of(t, id);

	if (s == NULL)
		return;
	if (id == -1)
		joint_datagram_sent(s->joint, 0);
	else
		seats_leave(&t->link->seats, line_of(s), s);
}

static const struct quic_calls calls = {
    .established = established_cb,
    .stream_opened = opened_cb,
    .stream_data = data_cb,
    .stream_acked = acked_cb,
    .stream_reset = reset_cb,
    .stream_stopped = stopped_cb,
    .stream_writable = writable_cb,
    .stream_closed = closed_cb,
    .datagram = datagram_cb,
    .may_open = may_open_cb,
    .next = next_cb,
    .sent = sent_cb,
    .blocked = blocked_cb,
};

static struct talk *
new_talk(struct link *l, bool ours, struct quic_config *c)
{
	const struct tunnel_config *config = tunnel_config_of(l->tunnel);
	struct talk *t = calloc(1, sizeof(*t));
	uint64_t window = config->budget;

	if (t == NULL)
		return NULL;
	t->link = l;
	t->ours = ours;
	t->begun_ms = now_ms();
	t->number = ++l->talks;
	if (window < WINDOW_MIN)
		window = WINDOW_MIN;
	if (window > WINDOW_MAX)
		window = WINDOW_MAX;
	*c = (struct quic_config){
	    .psk = l->psk,
	    .peer_psk = l->peer_psk,
	    .calls = &calls,
	    .arg = t,
	    .stream_window = JOINT_WINDOW,
	    .window = window,
	    .streams = config->streams,
	};
	return t;
}

int
talk_dial(struct talk **out, struct link *l)
{
	struct quic_config c;
	struct talk *t = new_talk(l, true, &c);
	int rc;

	if (t == NULL)
		return -ENOMEM;
	if ((rc = quic_dial(&t->quic, &c, now_ns())) != 0) {
		free(t);
		return rc;
	}
	*out = t;
	return 0;
}

int
talk_accept(struct talk **out, struct link *l, const uint8_t *data, size_t len)
{
	struct quic_config c;
	struct talk *t = new_talk(l, false, &c);
	int rc;

	if (t == NULL)
		return -ENOMEM;
	if ((rc = quic_accept(&t->quic, &c, data, len, now_ns())) != 0) {
		free(t);
		return rc;
	}
	*out = t;
	return 0;
}

void
talk_free(struct talk *t)
{
	if (t == NULL)
		return;
	quic_free(t->quic);
	free(t);
}

enum quic_end
talk_read(struct talk *t, const uint8_t *data, size_t len)
{
	return quic_read(t->quic, data, len, now_ns());
}

enum quic_end
talk_expire(struct talk *t)
{
	uint64_t now = now_ns();

	if (quic_expiry(t->quic) > now)
		return quic_ended(t->quic, NULL);
	return quic_expire(t->quic, now);
}

bool
talk_write(struct talk *t, size_t most)
{
	struct link *l = t->link;
	size_t total = 0, n;

	if (l->endpoint.family == ADDR_NONE)
		return false;
	do {
		size_t seg;

		n = quic_write(t->quic, tunnel_room(l->tunnel), QUIC_WRITE_MAX,
		    l->most, &seg, now_ns());
		if (n > 0)
			tunnel_put(l->tunnel, &l->endpoint, n, seg);
		if (seg > LEN_MIN && l->tried_ms == 0)
			l->tried_ms = now_ms();
		total += n;
	} while (n > 0 && total < most);
	return n > 0;
}

/* Small packets may well come through where large ones do not. Two time-outs of a
 * short way are over when a busy machine has not even run the peer. */
bool
talk_is_choked(const struct talk *t)
{
	struct quic_stats s;

	quic_stats(t->quic, &s);
	return s.datagram_len > LEN_MIN && s.pto_count >= 2 &&
	       s.quiet_us >= CHOKED_US;
}

/* The peer is told, if it knows us at all. */
void
talk_close(struct talk *t, uint64_t code)
{
	struct link *l = t->link;
	uint8_t buf[LEN_MIN];
	size_t n;

	if (l->endpoint.family == ADDR_NONE)
		return;
	n = quic_close(t->quic, code, buf, sizeof(buf), now_ns());
	if (n > 0)
		tunnel_send(l->tunnel, &l->endpoint, buf, n);
}
