/* SPDX-License-Identifier: ISC */
/* What nat-relay tcp knows of the peers: their relays and credentials, and
 * whether they are reached over UDP, from the records that pass. Pure: it says
 * when TCP is needed. */
#ifndef NATKIT_TCPPEERS_H
#define NATKIT_TCPPEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "key.h"
#include "record.h"
#include "relayrecord.h"
#include "streambind.h"

#define TCPPEERS_MAX 64
#define TCPPEERS_RELAYS 4    /* of one peer */
#define TCPPEERS_WAIT_MS 400 /* that UDP gets, from the first relay record */
#define TCPPEERS_LINGER_MS 30000 /* the connection stays after UDP has come */
#define TCPPEERS_LEFT_MS (10 * 60 * 1000) /* and a peer that went is given up */

/* A side at one relay. */
struct tcpside {
	bool used;
	struct tcppeer *peer;
	size_t n;
	struct addr at[2]; /* of the relay */
	uint32_t priority;
	uint64_t expiry_ms;
	struct streambind bind;
	/* the program's */
	struct streamrelay *relay;
	struct seat *seat;
	int told; /* enum streambind_state, -1: nothing */
	const char *told_reason;
	uint64_t unheard;
};

struct tcppeer {
	bool used;
	uint8_t key[KEY_LEN];
	uint64_t left_ms; /* when it went; 0: it is there */
	uint64_t due_ms;  /* when TCP begins, if there is no UDP */
	uint64_t udp_ms;  /* since when there is; 0: there is not */
	struct {
		struct addr server; /* ADDR_NONE: free */
		bool bound;
	} udp[TCPPEERS_RELAYS];
	struct tcpside side[TCPPEERS_RELAYS];
};

/* Holds passwords: in memory of sodium_malloc, zeroed. */
struct tcppeers {
	struct tcppeer peer[TCPPEERS_MAX];
};

struct tcppeer *tcppeers_find(struct tcppeers *t, const uint8_t key[KEY_LEN]);
/* One record of the pipeline. Returns 0, or -EBADMSG and which key is wrong; -ENOSPC.
 * Records of other types change nothing. */
int tcppeers_record(struct tcppeers *t, const struct record_view *v,
    uint64_t now_ms, const char **wrong);
/* Is this peer to be bound over TCP now? *at_ms is lowered to when that may
 * change. */
bool tcppeer_needs(const struct tcppeer *p, uint64_t now_ms, uint64_t *at_ms);
/* Is the connection to be kept, needed or not? */
bool tcppeer_lingers(const struct tcppeer *p, uint64_t now_ms, uint64_t *at_ms);
/* Has it left so long ago that it is to be dropped? */
bool tcppeer_is_over(const struct tcppeer *p, uint64_t now_ms, uint64_t *at_ms);

#endif
