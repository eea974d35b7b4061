/* SPDX-License-Identifier: ISC */
/* One QUIC connection (RFC 9000, 9001, 9002, 9221) between two keys. quic.c is
 * the only file that touches libngtcp2 and its TLS (GnuTLS); it compiles
 * against 0.12 (Debian 12) and 1.11 (Debian 13).
 *
 * TLS 1.3 with one external PSK, psk_dhe_ke only, X25519, no certificate, ALPN
 * "natkit". QUIC sees one constant pair of addresses: the path below it is
 * proven and changed by nat-punch (see DESIGN.md).
 *
 * Bytes and a clock in, bytes out: no socket, no timer, no libevent. Every
 * time is in nanoseconds of the monotonic clock. */
#ifndef NATKIT_QUIC_H
#define NATKIT_QUIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "psk.h"

#define QUIC_CID_LEN 16	     /* of the connection ids that we give out */
#define QUIC_WRITE_MAX 65000 /* bytes of one quic_write: a UDP_SEGMENT train */
#define QUIC_IOV_MAX 8
#define QUIC_IDLE_S 30 /* nothing heard: the peer is gone */
#define QUIC_KEEPALIVE_S 10
#define QUIC_HANDSHAKE_S 10

struct quic;

/* Why a connection ended. */
enum quic_end {
	QUIC_ALIVE = 0,
	QUIC_CLOSED, /* the peer has closed it (code: its application code) */
	QUIC_GONE,   /* nothing was heard for QUIC_IDLE_S */
	QUIC_RESTARTED, /* a stateless reset: the peer does not know it any more */
	QUIC_UNPROVEN,	/* the handshake failed: the other side lacks the key */
	QUIC_NO_ANSWER, /* the handshake took longer than QUIC_HANDSHAKE_S */
	QUIC_BROKEN,	/* the peer broke the protocol, or we have an error */
};
const char *quic_end_name(enum quic_end e); /* "closed", "gone", ... */

/* What is to be sent next. A stream's data stays with the caller, at the same
 * place, until stream_acked, stream_closed or quic_free, after quic_reset and
 * stream_stopped too: the library may send it again. */
struct quic_chunk {
	int64_t id; /* -1: a datagram */
	struct iovec iov[QUIC_IOV_MAX];
	size_t n;
	bool fin; /* these are the last bytes of the stream (n may be 0) */
};

/* Called from within quic_read, quic_write and quic_expire. None may free the
 * quic. A stream id is known from stream_opened (the peer's) or quic_open (ours)
 * until stream_closed. */
struct quic_calls {
	/* Handshake done, both keys proven. */
	void (*established)(void *arg);
	/* The peer opened a (bidirectional) stream. */
	void (*stream_opened)(void *arg, int64_t id);
	/* In order. Give credit back with quic_credit when it was consumed. */
	void (*stream_data)(
	    void *arg, int64_t id, const uint8_t *data, size_t len, bool fin);
	/* The next len bytes of what was sent need not be kept any more. */
	void (*stream_acked)(void *arg, int64_t id, uint64_t len);
	/* The peer gave up sending: what is missing never comes. */
	void (*stream_reset)(void *arg, int64_t id, uint64_t code);
	/* The peer reads no more of it: sending is of no use. Comes at the
	 * latest before stream_closed. The code is not known always (then 0). */
	void (*stream_stopped)(void *arg, int64_t id, uint64_t code);
	/* Flow control lets more of it be sent after `blocked`. */
	void (*stream_writable)(void *arg, int64_t id);
	/* Both directions are over and all is acknowledged, or reset. */
	void (*stream_closed)(void *arg, int64_t id);
	void (*datagram)(void *arg, const uint8_t *data, size_t len);
	/* The peer allows more streams than before. */
	void (*may_open)(void *arg);

	/* For quic_write: what next? false: nothing. */
	bool (*next)(void *arg, struct quic_chunk *out);
	/* n bytes of that chunk went (all of a datagram; with fin and all bytes:
	 * the end, too). */
	void (*sent)(void *arg, int64_t id, size_t n, bool fin);
	/* Nothing of it can go for now (flow control of the stream), or a
	 * datagram that is too long or not wanted: dropped. */
	void (*blocked)(void *arg, int64_t id);
};

struct quic_config {
	/* PSK_LEN each, copied: of connections that we begin, that the peer
	 * begins. */
	const uint8_t *psk, *peer_psk;
	const struct quic_calls *calls;
	void *arg;
	uint64_t stream_window; /* bytes: initial credit for each stream */
	uint64_t window;	/* bytes: initial credit for all together */
	uint32_t streams;	/* of the peer, open at once */
};

/* What a packet's start tells, of any version (RFC 8999). */
struct quic_head {
	bool initial; /* a client's first packet, of our version */
	bool long_header;
	uint8_t cid[20]; /* destination connection id */
	size_t cid_len;
};
/* Returns 0 or -EBADMSG (also for what is not QUIC at all). Short headers are
 * taken to have ids of QUIC_CID_LEN. */
int quic_peek(struct quic_head *out, const uint8_t *data, size_t len);
/* psk: of connections that the peer begins. Is it a first packet of who knows
 * it? Its destination id is half chance,
 * half a keyed hash of that: to be looked at before quic_accept, which costs a
 * thousand times as much. A recorded packet has the id that it had. */
bool quic_is_marked(const struct quic_head *head, const uint8_t psk[PSK_LEN]);

/* We begin. Returns 0 or -ENOMEM. */
int quic_dial(
    struct quic **out, const struct quic_config *config, uint64_t now_ns);
/* A first packet came. Returns 0 when it holds a ClientHello that proves that
 * its maker knows the PSK (a recorded one may be played again: established
 * alone proves freshness), -EACCES when not: then nothing may be answered;
 * -EBADMSG, -ENOMEM. */
int quic_accept(struct quic **out, const struct quic_config *config,
    const uint8_t *data, size_t len, uint64_t now_ns);
void quic_free(struct quic *q);

/* One datagram. Returns QUIC_ALIVE or why it ended. */
enum quic_end quic_read(
    struct quic *q, const uint8_t *data, size_t len, uint64_t now_ns);
/* Fills buf (cap >= 1200; up to QUIC_WRITE_MAX is of use) with datagrams of *seg
 * bytes each, the last perhaps shorter. Returns the bytes; 0: nothing to send
 * now (see quic_expiry). Call again until 0 (a full path returns 0). most: no
 * datagram longer than that, bytes (what the path below is known to carry); less
 * than 1200 is no path for QUIC, and taken for 1200. */
size_t quic_write(struct quic *q, uint8_t *buf, size_t cap, size_t most,
    size_t *seg, uint64_t now_ns);
/* When quic_expire has to be called; UINT64_MAX: never. quic_write is to be
 * called after it. */
uint64_t quic_expiry(const struct quic *q);
enum quic_end quic_expire(struct quic *q, uint64_t now_ns);
/* The path below has changed: when what was sent is missing, the next probe is
 * due now, not after the time-out that has grown meanwhile (twice as long each
 * time). quic_write is to be called after it. */
enum quic_end quic_moved(struct quic *q, uint64_t now_ns);
/* What quic_read, quic_write or quic_expire ended with; the peer's code. */
enum quic_end quic_ended(const struct quic *q, uint64_t *code);

bool quic_is_established(const struct quic *q);
/* Does the connection own this destination id? */
bool quic_owns(const struct quic *q, const uint8_t *cid, size_t len);
/* A new stream of ours. Returns its id, -EAGAIN when the peer allows no more
 * now (may_open tells), -ENOTCONN. */
int64_t quic_open(struct quic *q);
/* credit bytes more may come on a stream; on all together. The library tells the
 * peer once it is more than half of the first window (later: a quarter). */
void quic_credit_stream(struct quic *q, int64_t id, uint64_t credit);
void quic_credit(struct quic *q, uint64_t credit);
/* RESET_STREAM; STOP_SENDING. */
void quic_reset(struct quic *q, int64_t id, uint64_t code);
void quic_stop(struct quic *q, int64_t id, uint64_t code);
/* Writes CONNECTION_CLOSE into buf; returns its length. Then free it. */
size_t quic_close(
    struct quic *q, uint64_t code, uint8_t *buf, size_t cap, uint64_t now_ns);
size_t quic_datagram_max(const struct quic *q); /* payload bytes; 0: none */

struct quic_stats {
	uint64_t rtt_us, min_rtt_us;
	uint64_t cwnd, in_flight; /* bytes */
	uint32_t datagram_len;	  /* bytes: what path MTU discovery has found */
	uint32_t pto_count;	  /* time-outs in a row without an answer */
	uint64_t quiet_us; /* since when an answer is missing; 0: none is */
};
void quic_stats(const struct quic *q, struct quic_stats *out);

/* A stateless reset (RFC 9000 section 10.3) for a packet of a connection that
 * we don't know: only who has the PSK (of those that we begin: ids are told
 * apart by who gave them out) can make or know it. Returns its length, 0 when
 * the packet is too short for one. */
size_t quic_stateless_reset(uint8_t *buf, size_t cap,
    const uint8_t psk[PSK_LEN], const uint8_t *packet, size_t len);

#endif
