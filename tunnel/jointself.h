/* SPDX-License-Identifier: ISC */
/* What a joint is made of; for joint*.c alone. */
#ifndef NATKIT_JOINTSELF_H
#define NATKIT_JOINTSELF_H

#include "descriptor.h"
#include "flow.h"
#include "hangup.h"
#include "joint.h"
#include "link.h"
#include "loop.h"
#include "quic.h"
#include "sink.h"
#include "source.h"
#include "window.h"

#define JOINT_ANSWER_MS 30000 /* for an opening, and for its answer */
/* Until then the other side has answered: he who has asked waits longer than
 * he who is asked. */
#define JOINT_REPLY_MS (2 * JOINT_ANSWER_MS)
#define JOINT_IDLE_MS 120000 /* a flow's (RFC 4787 REQ-5) */
#define JOINT_BYE_MS 10000   /* for the peer's end of an idle flow */

/* The codes of RESET_STREAM and STOP_SENDING. A stop says also how many bytes
 * were written, for who sends can't know: what was acknowledged after it was
 * thrown away. */
enum joint_code {
	JOINT_CODE_VANISHED =
	    0,		       /* nobody reads there; all that came was read */
	JOINT_CODE_WRITE = 1,  /* writing failed */
	JOINT_CODE_READ = 2,   /* reading failed */
	JOINT_CODE_CLOSED = 3, /* it was given up */
	JOINT_CODE_BROKEN = 4, /* what came is no sense */
};
#define JOINT_CODE_BITS 3

enum joint_state {
	JOINT_WAITING, /* ours: for a connection */
	JOINT_OPENING, /* the peer's: for its first line */
	JOINT_OFFERED, /* for joint_accept */
	JOINT_OPEN,
	/* Its descriptors are closed. It stays until its stream is over, for the
	 * connection may hold on to bytes of it until then. */
	JOINT_ENDED,
};

struct joint {
	struct joint *prev, *next; /* of the link's, the oldest first */
	struct link *link;
	enum joint_state state;
	struct opening what;
	struct joint_config config;
	struct joint_result result;
	struct event *timer;
	void (*on_gone)(void *arg, struct joint *j);
	void *on_gone_arg;

	int64_t id;
	uint32_t generation; /* of the connection */
	uint64_t number, since_ms, dropped;

	char line[RECORD_MAX]; /* the peer's first */
	size_t line_len;
	uint64_t head_len; /* bytes: our first line and its newline */
	uint8_t flow_head[LINK_TAG_MAX];
	size_t flow_head_len;

	struct descriptor in, out;
	struct hangup_watch in_watch, out_watch;
	struct purse sending, writing;
	struct source source;
	struct sink sink;
	struct flow flow;
	struct window window;
	uint64_t reserved; /* bytes of the budget, for the window */

	int depth; /* callers on the stack: not to be freed */
	bool ours, is_flow, answered, has_line;
	bool live;    /* has a stream that is not over */
	bool told;    /* the end; or nobody wants to know */
	bool refused; /* ends with a `no` that is still to be sent */
	bool same;    /* in and out are one socket */
	bool fin_sent, fin_received;
	bool send_over;	   /* ours came to its end, or is not wanted */
	bool recv_over;	   /* theirs is written, or can't be */
	bool reset;	   /* nothing more is sent */
	bool stopped;	   /* we have asked the peer for no more */
	bool unsent_lost;  /* not all of ours was wanted */
	bool write_failed; /* not all of theirs was written */
	bool reader_gone;  /* out has nobody behind it */
};

/* jointio.c */
void joint_prepare(struct joint *j);
void joint_begin(struct joint *j);	      /* its descriptors are joined */
void joint_took(struct joint *j, uint64_t n); /* of the stream's bytes */
void joint_recv_done(struct joint *j);
void joint_dropped(struct joint *j, uint64_t n); /* datagrams */
/* jointend.c */
struct quic *joint_quic(const struct joint *j); /* NULL: no stream */
void joint_over(struct joint *j, enum joint_end end);
void joint_check_over(struct joint *j);
void joint_tell(struct joint *j);
void joint_leave(struct joint *j);   /* depth--; frees it if it may */
void joint_give_up(struct joint *j); /* the peer did, before an answer */
void joint_stop_peer(struct joint *j, enum joint_code code);
void joint_close_in(struct joint *j, bool abort);
void joint_close_out(struct joint *j, bool abort);
/* joint.c */
void joint_detach(struct joint *j); /* from its link */
void joint_free(struct joint *j);

#endif
