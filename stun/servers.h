/* SPDX-License-Identifier: ISC */
/* The STUN servers that gather asks, all from one port: a Binding transaction
 * with each address, keepalives, and rounds. A round asks everybody anew and
 * believes no earlier answer: at the start, after a network change, and when
 * a mapping has changed. Bytes and a clock in, actions out. */
#ifndef NATKIT_SERVERS_H
#define NATKIT_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "binding.h"

#define SERVERS_MAX 32	 /* addresses */
#define SERVERS_NAMES 16 /* what the user gave, each with many addresses */
/* Keepalives in a row without an answer that end a mapping. */
#define SERVERS_FAILURES 3

struct server {
	struct addr addr;
	uint32_t names; /* bit i: an address of name i */
	struct binding binding;
	uint32_t rtt_us;  /* of the latest answer to a first send, or 0 */
	bool unreachable; /* the system can't send there now */
	bool known;	  /* mapped and base are what it told */
	struct addr mapped;
	struct addr base;
	unsigned int failures; /* keepalives since the last answer */
	uint64_t next_ms;      /* next keepalive */
	bool warned;	       /* the program's: it has said that it's silent */
};

struct servers {
	struct server list[SERVERS_MAX];
	size_t n;
	uint32_t keepalive_ms; /* 0: none */
	bool open;	       /* a round is on */
	uint64_t close_ms;     /* when the round ends at the latest */
	uint32_t after_first_ms;
};

enum servers_event {
	SERVERS_NOTHING,
	SERVERS_SEND,	   /* send this request to who->addr */
	SERVERS_SILENT,	   /* a keepalive got no answer */
	SERVERS_FORGOTTEN, /* that was one too many: its mapping is dropped */
	SERVERS_ANSWER,	   /* its first mapping in this round */
	SERVERS_REMAPPED,  /* it sees another mapping than before */
	SERVERS_REFUSED,   /* an error response */
};

void servers_init(struct servers *s, uint32_t keepalive_ms);
/* The addresses of a name from now on, at most 32 in all: new ones are asked
 * at once, those that belong to no name any more are taken out. True when one
 * that had told a mapping went. */
bool servers_set(struct servers *s, size_t name, const struct addr *list,
    size_t n, uint64_t now_us);
/* Starts a round of at most limit_ms, that ends after_first_ms after its first
 * answer. The caller ends it (servers_over) and clears open. */
void servers_round(struct servers *s, uint64_t now_us, uint32_t limit_ms,
    uint32_t after_first_ms);
/* The round's time is up, or everybody has answered or can't. */
bool servers_over(const struct servers *s, uint64_t now_us);

/* Call until it gives SERVERS_NOTHING. With SERVERS_SEND the request of *len
 * bytes is in out. */
enum servers_event servers_step(struct servers *s, uint64_t now_us,
    uint8_t out[BINDING_REQUEST_MAX], size_t *len, struct server **who);
/* When to step or to look at the round again, in ms; UINT64_MAX never. */
uint64_t servers_next(const struct servers *s);
/* A datagram; local is the own address and port. *who is set on all events
 * but SERVERS_NOTHING, which is also what a forged or late one gives. */
enum servers_event servers_reply(struct servers *s, const void *data,
    size_t len, const struct addr *from, const struct addr *local,
    uint64_t now_us, struct server **who);
/* Sending there failed. The transaction goes on, as the network may still be
 * coming up, but the round does not wait for it. NULL when it's none of ours,
 * or known already. */
struct server *servers_unreachable(struct servers *s, const struct addr *addr);

#endif
