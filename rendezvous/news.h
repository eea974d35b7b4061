/* SPDX-License-Identifier: ISC */
/* What a server tells about a peer: one attribute of an opened SESSION
 * message each. */
#ifndef NATKIT_NEWS_H
#define NATKIT_NEWS_H

#include "token.h"
#include "wire.h"

enum news_what {
	NEWS_NONE,   /* an attribute that tells nothing, or is malformed */
	NEWS_PEER,   /* the peer consents too; tag */
	NEWS_FROM,   /* a sealed payload of the peer's: data */
	NEWS_GO,     /* mine, theirs, age_ms, skew_ms */
	NEWS_GONE,   /* the peer is not there any more */
	NEWS_FULL,   /* the server has no room to note that we want the peer */
	NEWS_TOKEN,  /* credentials for relays: token */
	NEWS_MAPPED, /* our own address, in mapped; no key */
};

struct news {
	enum news_what what;
	int peer; /* for the caller */
	const uint8_t *key;
	const uint8_t *tag;
	const uint8_t *data;
	size_t len;
	uint32_t mine, theirs;
	uint16_t age_ms, skew_ms;
	struct addr mapped;
	struct token token;
};

/* class is that of the message: each tells its own things. */
struct news news_read(enum stun_class class, const struct stun_attr *a);

#endif
