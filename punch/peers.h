/* SPDX-License-Identifier: ISC */
/* All peers of one nat-punch: whose record, whose packet, and what the answer
 * is in the end. */
#ifndef NATKIT_PEERS_H
#define NATKIT_PEERS_H

#include "peer.h"

#define PEERS_MAX 64

struct peers {
	bool again;	 /* failed ones are tried again */
	bool relay_only; /* to be set before the first record */
	size_t n;
	struct peer peer[PEERS_MAX];
	/* Packets that came and were nobody's, or forged: no answer. */
	uint64_t foreign;
	uint64_t forged;
};

enum verdict {
	VERDICT_OPEN, /* something is still being tried */
	/* every peer is direct, or relayed and not direct so far, and
	 * acknowledged */
	VERDICT_YES,
	VERDICT_NO,	/* all is decided, and one has failed */
	VERDICT_LATE,	/* none has failed, but one was not decided in time */
	VERDICT_NOBODY, /* nobody has been asked for */
};

struct peers *peers_new(bool again); /* NULL: out of memory */
void peers_free(struct peers *p);

/* Applies one line of input. *peer is whom it concerns, NULL for nobody.
 * Returns 0, or -errno and in *wrong what to say of it (-ENOSPC also when
 * there are PEERS_MAX others already). */
int peers_line(struct peers *p, const char *line, size_t len, uint64_t now_us,
    struct peer **peer, const char **wrong);
/* A STUN datagram; returns whose it was, or NULL (counted). */
struct peer *peers_receive(struct peers *p, const uint8_t *data, size_t len,
    const struct addr *from, const struct addr *local, uint64_t now_us);
/* An address that couldn't be sent to, for all peers that have it. */
void peers_port_error(
    struct peers *p, const struct addr *remote, int error, uint64_t now_us);
/* ended: no record will come any more, so who waits for one waits in vain. */
enum verdict peers_verdict(const struct peers *p, bool ended, uint64_t now_us);
/* When there is no time left: never VERDICT_OPEN. */
enum verdict peers_verdict_late(const struct peers *p, uint64_t now_us);

#endif
