/* SPDX-License-Identifier: ISC */
/* A joint: a stream of a link, joined with descriptors of this host. Bytes
 * flow from `in` to the peer and from the peer to `out`, each direction with an
 * end of its own; nobody is read faster than the slowest behind him. With
 * to=udp it is datagrams: one read, one datagram.
 *
 * Nothing is lost silently: JOINT_DONE says that the end of both directions has
 * come, all of ours was acknowledged and all of theirs written. */
#ifndef NATKIT_JOINT_H
#define NATKIT_JOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "opening.h"

#define JOINT_AHEAD (256 * 1024) /* bytes read ahead, not sent yet */
/* Bytes: a stream's first credit (quic_config.stream_window), which costs the
 * budget nothing; what it becomes at once and may grow to, as the budget has
 * room. A connection's credit (quic_config.window) is given back on receipt, so
 * it must not be less than the last. */
#define JOINT_WINDOW (64 * 1024)
#define JOINT_WINDOW_OPEN (256 * 1024)
#define JOINT_WINDOW_MAX (16 << 20)
#define JOINT_RESERVE (64 * 1024) /* bytes read ahead that cost it nothing */
#define JOINT_DATAGRAMS 256 /* that wait, each way; then the oldest goes */

struct joint;
struct link;

enum joint_end {
	JOINT_DONE,	 /* both directions are over, complete */
	JOINT_REFUSED,	 /* the peer said no: reason */
	JOINT_NO_PATH,	 /* no connection within wait_ms */
	JOINT_GONE,	 /* the connection died: nothing heard */
	JOINT_RESTARTED, /* the peer's process is another one now */
	JOINT_ABORTED, /* the other end gave up: its program or socket failed */
	JOINT_STOPPED, /* the other end reads no more; ours was not all sent */
	JOINT_READ,    /* reading from in failed */
	JOINT_WRITE,   /* writing to out failed: our reader is gone */
	JOINT_CLOSED,  /* this process ends, or joint_cancel */
};
const char *joint_end_name(enum joint_end e); /* "done", "refused", ... */
const char *joint_end_text(enum joint_end e); /* a sentence for people */

struct joint_result {
	enum joint_end end;
	enum opening_reason reason; /* with JOINT_REFUSED */
	uint64_t sent, received; /* bytes of in acknowledged, written to out */
};

struct joint_config {
	/* Owned by the joint from now on and closed at its end. The same number
	 * twice is a socket (shutdown(2) ends its writing). -1: nothing to send (the
	 * end at once), nothing wanted (what comes is an error of the peer's).
	 * They need not be non-blocking: files and terminals are taken as they
	 * are, pipes are opened anew (/proc/self/fd), sockets asked with
	 * MSG_DONTWAIT, so that nobody else's descriptor changes. */
	int in, out;
	bool hold;	  /* LISTEN: no end of ours until joint_finish */
	bool listen_end;  /* like nc -l: the peer's end is ours, too */
	uint32_t wait_ms; /* for a connection; 0: 30 s; UINT32_MAX: for ever */
	/* Ours only: the peer's answer; once. port as in opening.h. May be NULL. */
	void (*answered)(void *arg, enum opening_reason r, uint16_t port);
	/* Its end is none of the good ones, and its descriptors are closed when this
	 * returns: the last chance to tell whoever would take that for an end.
	 * Also from within joint_cancel; not to touch the joint. May be NULL. */
	void (*broken)(void *arg); /* joint_copy */
	/* Once; the joint is gone when it returns. */
	void (*ended)(void *arg, const struct joint_result *result);
	void *arg;
};

/* Returns 0 or -errno (then the descriptors are still the caller's, and nothing
 * is called). ended is never called from within. */
int joint_open(struct joint **out, struct link *l, const struct opening *what,
    const struct joint_config *config);
/* Answers a peer's stream. */
int joint_accept(
    struct joint *j, uint16_t port, const struct joint_config *config);
void joint_refuse(struct joint *j, enum opening_reason reason);
/* Ends it now: the peer sees JOINT_ABORTED; ended is called with JOINT_CLOSED
 * unless quiet. */
void joint_cancel(struct joint *j, bool quiet);
void joint_finish(struct joint *j); /* with hold: our end */
/* From within broken: copies of in and out (-1: there is none any more), so that
 * their other ends do not see them closed as long as the caller holds those. */
void joint_copy(const struct joint *j, int fds[2]);
/* A peer's stream that nobody has answered within 30 s is refused (BUSY); this
 * is called if the peer gives up before that, so that who looks for an answer
 * stops. */
void joint_on_gone(
    struct joint *j, void (*fn)(void *arg, struct joint *j), void *arg);

const struct opening *joint_what(const struct joint *j);
struct link *joint_link(const struct joint *j);

struct joint_status {
	uint64_t number; /* since the start, counts from 1 */
	bool ours;	 /* we opened it */
	bool answered;
	uint64_t sent, received, queued, unwritten, window; /* bytes */
	uint64_t dropped;				    /* datagrams */
	uint64_t since_ms;
};
void joint_status(const struct joint *j, struct joint_status *out);
/* All joints of a link, the oldest first; NULL: the first; NULL: no more. Those
 * that have ended, and whose stream still waits for its last acknowledgement,
 * are not among them. */
struct joint *joint_next_of(struct link *l, const struct joint *after);

/* ---- for link.c ---- */

/* Before a link is freed, when its connection is gone: ends what is left of its
 * joints (JOINT_CLOSED). */
void joint_end_all(struct link *l);
struct quic_chunk;
/* A stream of the peer's. NULL: no memory (then it is reset). */
struct joint *joint_incoming(struct link *l, int64_t id);
void joint_link_up(struct joint *j); /* opens its stream */
/* The connection is over; nothing is said to it any more, and the link has
 * forgotten the stream's id. A joint that had no stream yet goes on waiting,
 * unless why is JOINT_CLOSED or JOINT_NO_PATH. JOINT_CLOSED ends all of them,
 * and tells so from within: no loop is needed any more. JOINT_DONE: the peer has
 * closed it with code 0, by which it says that all of its streams were over: so
 * are those of ours that have sent and got their ends; the others are ABORTED. */
void joint_gone(struct joint *j, enum joint_end why);
void joint_data(struct joint *j, const uint8_t *data, size_t len, bool fin);
void joint_acked(struct joint *j, uint64_t len);
void joint_was_reset(struct joint *j, uint64_t code);
void joint_was_stopped(struct joint *j, uint64_t code);
void joint_stream_closed(struct joint *j);
void joint_datagram(struct joint *j, const uint8_t *data, size_t len);
/* What it would send now, at most 64 KiB. false: nothing (more). */
bool joint_next(struct joint *j, struct quic_chunk *out);
void joint_sent(struct joint *j, size_t n, bool fin);
/* n bytes of a datagram are gone, or (n 0) it could not go. */
void joint_datagram_sent(struct joint *j, size_t n);
void joint_flush(struct joint *j); /* writes what waits */
void joint_room(struct joint *j);  /* the budget has room again */
/* We have said no, and nothing more is to come of it. */
bool joint_is_refused(const struct joint *j);

#endif
