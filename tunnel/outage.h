/* SPDX-License-Identifier: ISC */
/* What is wrong with our own rendezvous servers, by what nat-rendezvous has said
 * on standard error: who waits for a peer is told that first. Pure. */
#ifndef NATKIT_OUTAGE_H
#define NATKIT_OUTAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTAGE_SERVERS 8
#define OUTAGE_NAME 280
#define OUTAGE_WHY 120
#define OUTAGE_TEXT 500

struct outage {
	struct {
		char name[OUTAGE_NAME]; /* host:port */
		char why[OUTAGE_WHY];	/* "does not answer" */
	} one[OUTAGE_SERVERS];
	size_t n;
	bool met;	/* since then one has let us in */
	uint64_t at_ms; /* the latest */
};

/* A line of the pipeline's; one that says nothing of servers changes nothing. */
void outage_line(struct outage *o, const char *line, uint64_t now_ms);
/* We have met a peer, at a server. */
void outage_over(struct outage *o);
/* "the rendezvous server h:3478 does not answer", or NULL. */
const char *outage_text(const struct outage *o, char out[OUTAGE_TEXT]);

#endif
