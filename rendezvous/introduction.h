/* SPDX-License-Identifier: ISC */
/* The introduction to one peer (DESIGN.md, "Sealed payloads"), as a pure state
 * machine: offers are exchanged through every server that has the peer, until
 * each side holds the other's latest candidates; then READY, and GO.
 *
 * After every call that hands something in, call introduction_step until it
 * gives INTRODUCTION_WAIT, and again at the time that this names. */
#ifndef NATKIT_INTRODUCTION_H
#define NATKIT_INTRODUCTION_H

#include <stdbool.h>

#include "hello.h"
#include "offer.h"
#include "seal.h"

#define INTRODUCTION_SERVERS 8
#define INTRODUCTION_RESEND_MIN_MS 200
#define INTRODUCTION_RESEND_MAX_MS 5000
/* Whatever a server or the peer says, offers go out, and the peer's are told,
 * no oftener than this, once so many did: else one server, or a peer, could
 * make us flood the others, and who reads our records. */
#define INTRODUCTION_PACE_MS 1000
#define INTRODUCTION_BURST 16
#define INTRODUCTION_PAYLOAD_MAX (OFFER_MAX + SEAL_OVERHEAD)

enum introduction_what {
	INTRODUCTION_WAIT,  /* nothing before ->at_ms */
	INTRODUCTION_SEND,  /* ->payload through ->server */
	INTRODUCTION_READY, /* tell ->server: ->mine, ->theirs */
	INTRODUCTION_DONE,  /* print the candidates of ->theirs, a generation */
	INTRODUCTION_GO,    /* ->theirs, ->age_ms, ->skew_ms */
	INTRODUCTION_GONE,
};

struct introduction_event {
	enum introduction_what what;
	uint64_t at_ms;
	int server;
	uint32_t mine, theirs;
	uint16_t age_ms, skew_ms;
	size_t len;
	uint8_t payload[INTRODUCTION_PAYLOAD_MAX];
};

/* The peer as one server has it. */
struct introduction_via {
	bool up;		   /* we have a session there */
	bool there;		   /* and the peer, as far as we were told */
	uint8_t tag[WIRE_TAG_LEN]; /* the peer's, as this server has it */
	uint32_t mine, theirs;	   /* of the READY that it was told */
};

/* Holds keys: to be allocated with sodium_malloc. */
struct introduction {
	uint8_t key[KEY_LEN], own[KEY_LEN];
	uint8_t send_key[32], recv_key[32];
	bool controlling;
	uint8_t tag[WIRE_TAG_LEN]; /* ours for this peer in this run */
	char user[OFFER_USER_LEN + 1];
	char password[OFFER_PASSWORD_LEN + 1]; /* as it is offered */
	uint32_t mine; /* our generation, 0 before the first */
	size_t n;
	struct offer_candidate candidate[OFFER_CANDIDATES];

	struct introduction_via via[INTRODUCTION_SERVERS];
	bool met;	     /* theirs is of the peer's present run */
	struct offer theirs; /* the latest that was accepted */
	uint64_t heard_ns;   /* greatest time stamp accepted in this run */
	uint64_t said_ns;    /* the latest time stamp of ours */
	uint64_t resend_ms;
	uint32_t interval_ms;
	/* when all of the rounds begun, and all that was told, is paid for */
	uint64_t rounds_ms, told_ms;
	bool answer; /* an offer is due, whatever the peer holds */
	/* servers that this round of offers has still to go through, with the
	 * tag that the server told, or with the one that the peer proved */
	unsigned round_told, round_proven;

	uint32_t went_mine, went_theirs; /* the pair that had its GO */
	uint16_t age_ms, skew_ms;
	bool tell_done, tell_go, tell_gone;
	bool told; /* INTRODUCTION_DONE was given, and no GONE since */
};

/* own is secret. Makes a tag and credentials for this run.
 * Returns 0, or -EINVAL for a low-order key. */
int introduction_init(struct introduction *i, const uint8_t own[KEY_LEN],
    const uint8_t own_pub[KEY_LEN], const uint8_t peer[KEY_LEN]);
/* A new generation of our candidates; the numbers must rise from 1. */
void introduction_candidates(struct introduction *i, uint32_t generation,
    const struct offer_candidate *list, size_t n);
/* The session with a server is up, or down. */
void introduction_session(struct introduction *i, int server, bool up);
/* The server says that the peer consents, and what its tag is. */
void introduction_peer(
    struct introduction *i, int server, const uint8_t tag[WIRE_TAG_LEN]);
/* A sealed payload. Returns 0; -EBADMSG: not sealed by the peer for us, or
 * malformed; -ESTALE: of another run, or an older one; -EPROTO: not
 * consistent with what went before. */
int introduction_payload(
    struct introduction *i, int server, const uint8_t *payload, size_t len);
/* Returns 0, or -ESTALE when it is not about the present generations, or is
 * known already. */
int introduction_go(struct introduction *i, uint32_t mine, uint32_t theirs,
    uint16_t age_ms, uint16_t skew_ms);
void introduction_gone(struct introduction *i, int server);
/* The passwords of the checks: ours, which the peer checks us with, and the
 * peer's. They are the offered ones bound to both keys and the direction
 * (BLAKE2b), so a peer that hands the credentials of one of its peers to
 * another can't make those two take each other for it. */
void introduction_passwords(const struct introduction *i,
    char own[OFFER_PASSWORD_LEN + 1], char theirs[OFFER_PASSWORD_LEN + 1]);
void introduction_step(struct introduction *i, const struct moment *now,
    struct introduction_event *ev);

#endif
