/* SPDX-License-Identifier: ISC */
/* One process of nat-stund: its sockets, and the responder between them. */
#include "worker.h"

#include <errno.h>
#include <string.h>

#include "stun.h"

#define BATCHES 8	 /* of one socket before another gets its turn */
#define OUTPUT_MAX 16384 /* bytes of answers that nobody reads */

/* Is this for the twin? The type's method bits (RFC 8489 section 5) alone. */
static bool
is_for_twin(const uint8_t *data, size_t len)
{
	unsigned int type, method;

	if (len < STUN_HEADER_LEN)
		return false;
	type = (unsigned int)data[0] << 8 | data[1];
	method = (type & 0xf) | (type >> 1 & 0x70) | (type >> 2 & 0xf80);
	return method == NATKIT_TWIN_HELLO || method == NATKIT_TWIN;
}

void
worker_send(struct worker *w, uint8_t place, const struct addr *to,
    const uint8_t *data, size_t len)
{
	struct listener *l = w->sockets->udp[sockets_index(to->family, place)];
	struct path path = {.remote = *to};

	if (l != NULL)
		listener_send(l, &path, data, len);
}

void
worker_flush(struct worker *w)
{
	for (int i = 0; i < SOCKETS; i++) {
		struct listener *l = w->sockets->udp[i];

		if (l == NULL)
			continue;
		listener_flush(l);
		if (listener_lost(l) == w->lost[i])
			continue;
		tally_add(
		    w->tally, TALLY_send_failed, listener_lost(l) - w->lost[i]);
		w->lost[i] = listener_lost(l);
	}
}

/* The answer is built where it leaves from, nearly always. */
static void
datagram_cb(void *arg, const struct path *from, const uint8_t *data, size_t len)
{
	struct worker *w = arg;
	struct listener *l = w->sockets->udp[from->socket];
	struct responder_request q = {
	    .data = data,
	    .len = len,
	    .from = from->remote,
	    .local = from->local,
	    .place = sockets_place(from->socket),
	};
	struct responder_answer a;
	struct path to = *from;
	uint8_t *out;

	if (w->twin.receive != NULL && is_for_twin(data, len)) {
		w->twin.receive(w->twin.arg, from, data, len);
		return;
	}
	out = listener_space(l);
	tally_add(
	    w->tally, responder_step(&w->responder, &q, w->now_ms, out, &a), 1);
	if (a.len == 0)
		return;
	if (a.twin) {
		if (w->twin.send != NULL)
			w->twin.send(w->twin.arg, a.place, &a.to, out, a.len);
	} else if (a.place == q.place) {
		to.remote = a.to;
		listener_queue(l, &to, a.len);
	} else {
		worker_send(w, a.place, &a.to, out, a.len);
	}
}

static void
readable_cb(evutil_socket_t fd, short events, void *arg)
{
	struct worker *w = arg;
	struct listener *l = NULL;

	(void)events;
	for (int i = 0; i < SOCKETS; i++)
		if (w->sockets->udp[i] != NULL &&
		    listener_fd(w->sockets->udp[i]) == fd)
			l = w->sockets->udp[i];
	for (int i = 0; i < BATCHES && l != NULL; i++) {
		int n;

		w->now_ms = now_ms();
		n = listener_read(l, datagram_cb, w);
		worker_flush(w);
		if (n < LISTENER_BATCH)
			break;
	}
}

static bool
message_cb(void *arg, const struct path *from, const uint8_t *data, size_t len)
{
	struct worker *w = arg;
	uint8_t out[RESPONDER_MAX];
	struct responder_request q = {
	    .data = data,
	    .len = len,
	    .from = from->remote,
	    .local = from->local,
	    .place = sockets_place(from->socket),
	    .stream = true,
	};
	struct responder_answer a;
	enum responder_outcome outcome;

	q.from.tcp = false; /* an address like any other, for its rate */
	outcome = responder_step(&w->responder, &q, now_ms(), out, &a);
	tally_add(w->tally, outcome, 1);
	if (outcome == RESPONDER_malformed)
		return false;
	if (a.len > 0)
		streams_send(w->streams, from, out, a.len);
	return true;
}

static void
tell_cb(void *arg, enum stream_fate what)
{
	static const enum tally_name names[] = {
	    [STREAM_ACCEPTED] = TALLY_connections,
	    [STREAM_REFUSED] = TALLY_connections_refused,
	    [STREAM_IDLE] = TALLY_connections_idle,
	    [STREAM_EVICTED] = TALLY_connections_evicted,
	    [STREAM_BROKEN] = TALLY_connections_broken,
	};
	struct worker *w = arg;

	tally_add(w->tally, names[what], 1);
}

int
worker_start(struct worker *w, struct loop *l, struct sockets *s,
    const struct responder_config *config, struct tally *tally)
{
	struct stream_config streams = {
	    .max = STREAM_MAX,
	    .message_max = RESPONDER_MAX,
	    .output_max = OUTPUT_MAX,
	    .message = message_cb,
	    .tell = tell_cb,
	    .arg = w,
	};
	int rc;

	memset(w, 0, sizeof(*w));
	w->loop = l;
	w->sockets = s;
	w->tally = tally;
	rc = responder_init(&w->responder, config);
	if (rc == 0)
		rc = streams_new(&w->streams, l, &streams);
	if (rc != 0) {
		responder_free(&w->responder);
		return rc;
	}
	for (uint8_t i = 0; i < SOCKETS; i++) {
		if (s->udp[i] == NULL)
			continue;
		w->readable[i] = loop_event(l, listener_fd(s->udp[i]),
		    EV_READ | EV_PERSIST, readable_cb, w);
		event_add(w->readable[i], NULL);
		streams_listen(w->streams, s->tcp[i], i);
	}
	return 0;
}

void
worker_stop(struct worker *w)
{
	for (int i = 0; i < SOCKETS; i++)
		if (w->readable[i] != NULL)
			event_free(w->readable[i]);
	streams_free(w->streams);
	responder_free(&w->responder);
}
