/* SPDX-License-Identifier: ISC */
/* What a peer's stream gets here: what the allow file permits (a hook may
 * decide), and then a program, our own standard input and output, a TCP, UDP or
 * Unix socket, or a listener (ssh -R). */
#ifndef NATKIT_SERVE_H
#define NATKIT_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "joint.h"
#include "link.h"
#include "loop.h"
#include "peerbook.h"
#include "permit.h"
#include "resolve.h"

#define SERVE_HOOK_MS 10000
#define SERVE_PROGRAMS 64 /* hooks and programs of one peer at once */

struct serve;

struct serve_config {
	struct loop *loop;
	struct resolver *resolver;
	const struct permit *permit;
	const struct peerbook *book; /* names for NATKIT_NAME; or NULL */
	/* -l: a program for each stream, NULL-terminated; NULL: our standard
	 * input and output, for one stream (stdio true), or nothing. */
	char *const *program;
	bool stdio;
	uint32_t hook_ms; /* that a hook may take; 0: SERVE_HOOK_MS */
	/* The stream on standard input and output is over. */
	void (*stdio_ended)(void *arg, const struct joint_result *r);
	void *arg;
};

int serve_new(struct serve **out, const struct serve_config *c);
void serve_free(struct serve *s); /* programs that run get SIGHUP */
/* Another allow file: streams that stand go on, listeners (-R) that it does not
 * permit any more are closed. */
void serve_allow(
    struct serve *s, const struct permit *permit, const struct peerbook *book);
/* A peer's stream (tunnel_config.opened). Answers it, now or later; what comes
 * back from a listener that we have asked for goes to its forwarding. */
void serve_opened(struct serve *s, struct joint *j);

struct serve_status {
	uint32_t programs;  /* that run, hooks too */
	uint32_t listeners; /* for peers (-R) */
	uint32_t open;	    /* connections to and from sockets of this host */
	uint64_t total;	    /* streams that peers have asked for */
	uint64_t refused;   /* of those */
};
void serve_status(const struct serve *s, struct serve_status *out);

/* The environment of a program, by joint: as UCSPI has it.
 *   PROTO=QUIC  NATKIT_PEER=KEY  NATKIT_NAME=NAME (if it has one)
 *   QUICLOCALIP QUICLOCALPORT  QUICREMOTEIP QUICREMOTEPORT (the path's end)
 *   NATKIT_PATH=direct|relayed
 * and of a hook: NATKIT_PEER, NATKIT_NAME, NATKIT_WANT=tcp|udp|unix|listen,
 *   NATKIT_HOST, NATKIT_PORT, NATKIT_SOCKET */

#endif
