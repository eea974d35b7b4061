/* SPDX-License-Identifier: ISC */
/* STUN over TCP or TLS (RFC 8489 section 6.2.2; RFC 8656 section 2.1 and 12.5):
 * one connection, of a client or of a server, that carries whole messages: STUN
 * ones, framed by their own length, and ChannelData, padded to 4 bytes. Output is
 * bounded: what may be lost is dropped, oldest first, when the other side
 * reads too slowly. */
#ifndef NATKIT_CONN_H
#define NATKIT_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "loop.h"

#define CONN_MESSAGE_MAX (65536 + 64)
#define CONN_OUTPUT_MAX (256 * 1024) /* bytes of messages that wait */
#define CONN_TLS_MS 10000	     /* for the handshake of an accepted one */
#define CONN_DRAIN_MS 10000 /* for what waits when the other side has ended */

struct conn;
struct conn_tls; /* a certificate (server), or whom to trust (client) */

/* PEM files. Returns 0, or -EINVAL and a text. It has to outlive its conns. */
int conn_tls_server(struct conn_tls **out, const char *cert_file,
    const char *key_file, const char **why);
/* ca_file NULL: the system's. */
int conn_tls_client(
    struct conn_tls **out, const char *ca_file, const char **why);
void conn_tls_free(struct conn_tls *t);

struct conn_config {
	bool channel_data;    /* frames that begin with 01 are ChannelData */
	size_t message_max;   /* longer ones end the connection; 0: the most */
	size_t output_max;    /* 0: CONN_OUTPUT_MAX */
	struct conn_tls *tls; /* NULL: plain TCP */
	/* accepted: plain TCP too, as the first byte says (22: TLS) */
	bool tls_optional;
	/* client with TLS: whose certificate it has to be; a host name, or an
	 * address without brackets */
	const char *server_name;
	/* A whole message, without padding. Returns false when the conn was freed
	 * by the callback. */
	bool (*message)(void *arg, const uint8_t *data, size_t len);
	/* Connected (and TLS done): what was not so yet when conn_accept or
	 * conn_connect returned. May be NULL. */
	void (*ready)(void *arg);
	/* It has ended, once; why is a text that stays. Free it here or later. A
	 * side that has only stopped to write gets what waits for it first. */
	void (*closed)(void *arg, const char *why);
	void *arg;
};

/* An accepted descriptor (non-blocking), which is the conn's from now on, and
 * closed if this fails. Returns 0 or -errno. */
int conn_accept(struct conn **out, struct loop *l, int fd,
    const struct conn_config *config);
/* Connects; closed is called when that fails, or takes longer than wait_ms (TLS
 * included). Returns 0, or -errno when it fails at once: then there is no conn
 * and closed is not called. Messages may be sent already, and wait. */
int conn_connect(struct conn **out, struct loop *l, const struct addr *to,
    uint32_t wait_ms, const struct conn_config *config);
void conn_free(struct conn *c);
/* Queues a message (data is copied; ChannelData gets its padding here).
 * droppable: may be dropped later for newer ones. Returns 0, or -ENOBUFS: what
 * may not be dropped found no room; -ENOTCONN: it has ended. Never calls back. */
int conn_send(struct conn *c, const void *head, size_t head_len,
    const void *data, size_t len, bool droppable);
/* Writes what can be written at once, for who is about to free it. Never calls
 * back. */
void conn_flush(struct conn *c);
uint64_t conn_dropped(const struct conn *c); /* messages */
size_t conn_waiting(const struct conn *c);   /* bytes, with their overhead */
bool conn_is_tls(const struct conn *c);
/* In closed and later: it ended since what came was no message. */
bool conn_had_garbage(const struct conn *c);
const struct addr *conn_remote(const struct conn *c);
const struct addr *conn_local(const struct conn *c);

#endif
