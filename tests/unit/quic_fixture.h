/* SPDX-License-Identifier: ISC */
/* Two ends of a QUIC connection, a link between them that delays, loses and
 * flips bits, and a clock that goes from event to event. Each end sends what its
 * streams have and checks what comes: byte n of a stream is pattern(n). */
#ifndef NATKIT_QUIC_FIXTURE_H
#define NATKIT_QUIC_FIXTURE_H

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "quic.h"

#define MS 1000000ULL
#define SEC (1000 * MS)
#define FX_STREAMS 600
#define FX_PATTERN 65536

struct fx_stream {
	bool known;    /* from opened to closed */
	uint64_t want; /* bytes to send, then FIN */
	uint64_t sent, acked, got;
	bool fin_sent, fin_got, blocked, mute; /* mute: never gives credit */
	unsigned closed, reset, stopped;
	uint64_t code;
	bool hold;    /* sends all but its last byte and FIN */
	bool differs; /* what came was not what was sent */
};

struct fx_end {
	struct quic *q;
	struct fx_stream s[FX_STREAMS];
	size_t used; /* of them */
	unsigned established, opened, may_open, datagrams;
	unsigned datagrams_left; /* to send */
	unsigned datagrams_sent, refused;
	size_t datagram_len;
	uint64_t bytes; /* received on all streams */
	unsigned turn;
	enum quic_end end;
	bool silent_credit; /* gives no credit for all together */
	unsigned odd;	    /* calls that the contract rules out */
	unsigned wrote;	    /* datagrams */
	size_t longest;	    /* bytes of a train */
	/* Called with each `sent`, to do something in the midst of a packet. */
	void (*on_sent)(struct fx_end *e, int64_t id);
};

struct fx_packet {
	struct fx_packet *next;
	uint64_t at;
	size_t len;
	uint8_t data[];
};

struct fx {
	struct fx_end end[2];	   /* 0 dials */
	struct fx_packet *wire[2]; /* to end i, by time */
	struct fx_packet *tail[2];
	uint64_t now;
	uint64_t delay;	   /* ns, one way */
	uint64_t jitter;   /* ns more, at random: reorders */
	bool halve;	   /* every other datagram is lost */
	double loss, flip; /* probability */
	uint64_t rate;	   /* bytes a second; 0: any */
	uint64_t queue;	   /* ns of the link's queue, then it drops */
	uint64_t busy[2];  /* when the link is free again */
	size_t mtu;	   /* longer datagrams are lost */
	uint64_t seed;
	unsigned lost, flipped, odd;
	uint8_t psk[2][PSK_LEN], peer_psk[2][PSK_LEN];
	struct quic_config config[2];
	size_t most;
};

static uint8_t fx_pattern[2 * FX_PATTERN];

static inline double
fx_random(struct fx *f)
{
	f->seed ^= f->seed << 13;
	f->seed ^= f->seed >> 7;
	f->seed ^= f->seed << 17;
	return (double)(f->seed >> 11) / (double)(1ULL << 53);
}

static inline struct fx_stream *
fx_stream(struct fx_end *e, int64_t id)
{
	/* Both sides' streams in one table: 0, 1, 4, 5, ... */
	size_t i = (size_t)(id / 4) * 2 + (size_t)(id & 1);

	assert(id >= 0 && i < FX_STREAMS);
	if (i >= e->used)
		e->used = i + 1;
	return &e->s[i];
}

static inline int64_t
fx_id(size_t i)
{
	return (int64_t)(i / 2 * 4 + i % 2);
}

static struct fx_stream *
fx_known(void *arg, int64_t id)
{
	struct fx_end *e = arg;
	struct fx_stream *s = fx_stream(e, id);

	if (!s->known)
		e->odd += __LINE__;
	return s;
}

static void
fx_established(void *arg)
{
	((struct fx_end *)arg)->established++;
}

static void
fx_opened(void *arg, int64_t id)
{
	struct fx_end *e = arg;
	struct fx_stream *s = fx_stream(e, id);

	if (s->known || s->closed > 0 || e->established != 1)
		e->odd += __LINE__;
	s->known = true;
	e->opened++;
}

static void
fx_data(void *arg, int64_t id, const uint8_t *data, size_t len, bool fin)
{
	struct fx_end *e = arg;
	struct fx_stream *s = fx_known(arg, id);

	while (len > 0) {
		size_t at = s->got % FX_PATTERN;
		size_t n = len < FX_PATTERN ? len : FX_PATTERN;

		if (memcmp(data, fx_pattern + at, n) != 0)
			s->differs = true;
		s->got += n;
		e->bytes += n;
		data += n;
		len -= n;
		if (!e->silent_credit)
			quic_credit(e->q, n);
		if (!s->mute)
			quic_credit_stream(e->q, id, n);
	}
	if (fin && s->fin_got)
		e->odd += __LINE__;
	s->fin_got |= fin;
}

static void
fx_acked(void *arg, int64_t id, uint64_t len)
{
	struct fx_stream *s = fx_known(arg, id);

	s->acked += len;
	if (s->acked > s->sent)
		((struct fx_end *)arg)->odd += __LINE__;
}

static void
fx_reset(void *arg, int64_t id, uint64_t code)
{
	struct fx_stream *s = fx_known(arg, id);

	s->reset++;
	s->code = code;
}

static void
fx_stopped(void *arg, int64_t id, uint64_t code)
{
	struct fx_stream *s = fx_known(arg, id);

	(void)code;
	s->stopped++;
	s->want = s->sent;
	s->fin_sent = true; /* nothing more to say */
}

static void
fx_writable(void *arg, int64_t id)
{
	fx_known(arg, id)->blocked = false;
}

static void
fx_closed(void *arg, int64_t id)
{
	struct fx_stream *s = fx_known(arg, id);

	s->closed++;
	s->known = false;
}

static void
fx_datagram(void *arg, const uint8_t *data, size_t len)
{
	struct fx_end *e = arg;

	if (len > 0 && memcmp(data, fx_pattern, len) != 0)
		e->odd += __LINE__;
	e->datagrams++;
}

static void
fx_may_open(void *arg)
{
	((struct fx_end *)arg)->may_open++;
}

/* Datagrams first, then the streams in turn. */
static bool
fx_next(void *arg, struct quic_chunk *out)
{
	struct fx_end *e = arg;
	struct fx_stream *s;
	unsigned k;
	size_t at, n;

	if (e->datagrams_left > 0) {
		*out = (struct quic_chunk){.id = -1, .n = 1};
		out->iov[0] = (struct iovec){fx_pattern, e->datagram_len};
		return true;
	}
	for (k = 0; k < e->used; k++, e->turn++) {
		s = &e->s[e->turn % e->used];
		if (!s->known || s->blocked || s->fin_sent)
			continue;
		*out = (struct quic_chunk){
		    .id = fx_id(e->turn % e->used),
		};
		if (s->hold && s->sent + 1 >= s->want)
			continue;
		at = s->sent % FX_PATTERN;
		n = s->want - s->sent < FX_PATTERN - at
			? (size_t)(s->want - s->sent)
			: FX_PATTERN - at;
		if (s->hold && s->sent + n == s->want)
			n--;
		if (n > 0)
			out->iov[out->n++] = (struct iovec){fx_pattern + at, n};
		out->fin = s->sent + n == s->want;
		return true;
	}
	return false;
}

static void
fx_sent(void *arg, int64_t id, size_t n, bool fin)
{
	struct fx_end *e = arg;
	struct fx_stream *s;

	if (id == -1) {
		e->datagrams_left--;
		e->datagrams_sent++;
		return;
	}
	s = fx_known(arg, id);
	s->sent += n;
	s->fin_sent |= fin;
	e->turn++;
	if (e->on_sent != NULL)
		e->on_sent(e, id);
}

static void
fx_blocked(void *arg, int64_t id)
{
	struct fx_end *e = arg;

	if (id == -1) {
		e->datagrams_left--;
		e->refused++;
	} else {
		fx_stream(e, id)->blocked = true;
	}
}

static const struct quic_calls fx_calls = {
    .established = fx_established,
    .stream_opened = fx_opened,
    .stream_data = fx_data,
    .stream_acked = fx_acked,
    .stream_reset = fx_reset,
    .stream_stopped = fx_stopped,
    .stream_writable = fx_writable,
    .stream_closed = fx_closed,
    .datagram = fx_datagram,
    .may_open = fx_may_open,
    .next = fx_next,
    .sent = fx_sent,
    .blocked = fx_blocked,
};

static struct fx *
fx_new(void)
{
	struct fx *f = calloc(1, sizeof(*f));
	size_t i;

	assert(f != NULL);
	for (i = 0; i < sizeof(fx_pattern); i++)
		fx_pattern[i] = (uint8_t)((i % FX_PATTERN) * 2654435761U >> 13);
	f->now = SEC;
	f->delay = 5 * MS;
	f->mtu = 1500;
	f->most = 1452;
	f->seed = 88172645463325252ULL;
	for (i = 0; i < 2; i++) {
		memset(f->psk[i], 7 + (int)i, PSK_LEN);
		memset(f->peer_psk[i], 8 - (int)i, PSK_LEN);
		f->config[i] = (struct quic_config){
		    .psk = f->psk[i],
		    .peer_psk = f->peer_psk[i],
		    .calls = &fx_calls,
		    .arg = &f->end[i],
		    .stream_window = 256 * 1024,
		    .window = 4 << 20,
		    .streams = 100,
		};
	}
	return f;
}

static void
fx_free(struct fx *f)
{
	struct fx_packet *p;
	size_t i;

	for (i = 0; i < 2; i++) {
		quic_free(f->end[i].q);
		while ((p = f->wire[i]) != NULL) {
			f->wire[i] = p->next;
			free(p);
		}
	}
	free(f);
}

/* Hands a datagram to the link towards end i. */
static void
fx_post(struct fx *f, size_t i, const uint8_t *data, size_t len)
{
	struct fx_packet *p, **at;
	uint64_t start = f->now > f->busy[i] ? f->now : f->busy[i];

	if (len > f->mtu || fx_random(f) < f->loss ||
	    (f->halve && i == 1 && f->odd++ % 2) ||
	    (f->rate > 0 && start - f->now > f->queue)) {
		f->lost++;
		return;
	}
	if (f->rate > 0)
		f->busy[i] = start + len * SEC / f->rate;
	p = malloc(sizeof(*p) + len);
	assert(p != NULL);
	p->len = len;
	p->at = start + f->delay + (uint64_t)(fx_random(f) * (double)f->jitter);
	memcpy(p->data, data, len);
	if (fx_random(f) < f->flip) {
		p->data[(size_t)(fx_random(f) * (double)len)] ^=
		    (uint8_t)(1 << (int)(fx_random(f) * 8));
		f->flipped++;
	}
	at = &f->wire[i];
	if (*at != NULL && f->tail[i]->at <= p->at)
		at = &f->tail[i]->next;
	while (*at != NULL && (*at)->at <= p->at)
		at = &(*at)->next;
	if (*at == NULL)
		f->tail[i] = p;
	p->next = *at;
	*at = p;
}

static void
fx_flush(struct fx *f, size_t i)
{
	struct fx_end *e = &f->end[i];
	uint8_t buf[QUIC_WRITE_MAX];
	size_t len, seg, off, n, calls = 0;

	if (e->q == NULL)
		return;
	while ((len = quic_write(
		    e->q, buf, sizeof(buf), f->most, &seg, f->now)) > 0) {
		assert(seg > 0 && seg <= f->most && ++calls < 100000);
		e->longest = len > e->longest ? len : e->longest;
		assert(seg == 0 || (len + seg - 1) / seg <= 64);
		for (off = 0; off < len; off += n) {
			n = len - off < seg ? len - off : seg;
			e->wrote++;
			fx_post(f, !i, buf + off, n);
		}
	}
	e->end = quic_ended(e->q, NULL);
}

static void
fx_deliver(struct fx *f, size_t i, const struct fx_packet *p)
{
	struct fx_end *e = &f->end[i];

	if (e->q == NULL) {
		if (quic_accept(
			&e->q, &f->config[i], p->data, p->len, f->now) != 0)
			return;
	} else {
		e->end = quic_read(e->q, p->data, p->len, f->now);
	}
}

/* Goes on to the next event, not past `until`. Returns false when there is none
 * before. */
static bool
fx_step(struct fx *f, uint64_t until)
{
	uint64_t t = UINT64_MAX, x;
	struct fx_packet *p;
	size_t i;

	for (i = 0; i < 2; i++) {
		fx_flush(f, i);
		if (f->wire[i] != NULL && f->wire[i]->at < t)
			t = f->wire[i]->at;
	}
	for (i = 0; i < 2; i++)
		if (f->wire[i] != NULL && f->wire[i]->at < t)
			t = f->wire[i]->at;
	for (i = 0; i < 2; i++)
		if (f->end[i].q != NULL && (x = quic_expiry(f->end[i].q)) < t)
			t = x;
	if (t > until) {
		f->now = until;
		return false;
	}
	if (t > f->now)
		f->now = t;
	for (i = 0; i < 2; i++) {
		while ((p = f->wire[i]) != NULL && p->at <= f->now) {
			f->wire[i] = p->next;
			fx_deliver(f, i, p);
			free(p);
		}
		if (f->end[i].q != NULL && quic_expiry(f->end[i].q) <= f->now)
			f->end[i].end = quic_expire(f->end[i].q, f->now);
	}
	return true;
}

static void
fx_run(struct fx *f, uint64_t ns)
{
	uint64_t until = f->now + ns;
	unsigned steps = 0;

	while (fx_step(f, until))
		assert(++steps < 20000000);
}

static void
fx_dial(struct fx *f)
{
	assert(quic_dial(&f->end[0].q, &f->config[0], f->now) == 0);
}

static inline void
fx_connect(struct fx *f)
{
	fx_dial(f);
	fx_run(f, 5 * SEC);
}

static inline int64_t
fx_open(struct fx *f, size_t i, uint64_t want)
{
	int64_t id = quic_open(f->end[i].q);

	if (id >= 0) {
		fx_stream(&f->end[i], id)->known = true;
		fx_stream(&f->end[i], id)->want = want;
	}
	return id;
}

#endif
