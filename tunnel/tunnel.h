/* SPDX-License-Identifier: ISC */
/* The engine of nat-pipe: one key, one UDP port, a link to each peer. Makes
 * links of keys, hands them the datagrams of their paths. */
#ifndef NATKIT_TUNNEL_H
#define NATKIT_TUNNEL_H

#include "link.h"
#include "loop.h"

#define TUNNEL_PEERS 64 /* as nat-punch */

struct tunnel;

struct tunnel_config {
	struct loop *loop;
	const uint8_t *priv, *pub; /* KEY_LEN; priv has to outlive the tunnel */
	uint16_t port;		   /* UDP; 0: any */
	const char *path;	   /* of the port socket; NULL: none */
	uid_t user;		   /* netport.h */
	bool gso;
	uint64_t budget;  /* bytes of buffers for each peer */
	uint32_t streams; /* of each peer, open at once */
	/* A peer opened a stream: joint_what and joint_link tell. To be answered
	 * by joint_accept or joint_refuse, now or later. */
	void (*opened)(void *arg, struct joint *j);
	/* Something that link_status tells has changed. May be NULL. */
	void (*changed)(void *arg, struct link *l);
	void *arg;
};

int tunnel_new(struct tunnel **out, const struct tunnel_config *config);
/* Closes every connection (the peers are told), ends every joint. */
void tunnel_free(struct tunnel *t);
uint16_t tunnel_port(const struct tunnel *t);
const uint8_t *tunnel_key(const struct tunnel *t); /* ours, the public one */

/* The link of a key; made if need be. NULL: TUNNEL_PEERS are there. A key that
 * has no link can do nothing: its datagrams are strangers'. */
struct link *tunnel_link(struct tunnel *t, const uint8_t key[KEY_LEN]);
struct link *tunnel_find(struct tunnel *t, const uint8_t key[KEY_LEN]);
/* i from 0; NULL: no more. */
struct link *tunnel_each(struct tunnel *t, size_t i);
/* Ends it: its joints end with JOINT_CLOSED, its key is a stranger's again. */
void tunnel_forget(struct tunnel *t, struct link *l);

#endif
