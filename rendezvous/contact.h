/* SPDX-License-Identifier: ISC */
/* The first contact with a server, for the person who waits for it: nothing
 * has answered yet, and is it that nobody is there, or somebody with another
 * key? A server keeps silent to a HELLO for another key, so a plain Binding
 * request (RFC 8489) goes out beside it. Its answer is a hint for people: it
 * proves nothing, and nothing else depends on it. */
#ifndef NATKIT_CONTACT_H
#define NATKIT_CONTACT_H

#include "hello.h"

#define CONTACT_MS 6000	 /* from the first HELLO */
#define CONTACT_HELLOS 2 /* unanswered, then the Binding request goes out */

struct contact {
	uint64_t due_ms; /* when to give it up; UINT64_MAX: not counting */
	bool over;	 /* a session, a refusal, or it was told */
	bool alive;	 /* some STUN server answers there */
	bool proven;	 /* and it has the key */
	bool ask;	 /* a Binding request for ->to is due */
	struct addr to;	 /* the latest that was asked, or that answered */
	uint8_t tid[STUN_TID_LEN];
};

void contact_init(struct contact *c);
/* h is going out. */
void contact_hello(
    struct contact *c, const struct hello *h, const struct moment *now);
/* The Binding request for ->to. Returns its length, 0: none is due. */
int contact_request(struct contact *c, uint8_t *out, size_t cap);
/* Returns whether m, from one of list, answers it. */
bool contact_input(struct contact *c, const struct addr *list, size_t n,
    const struct addr *from, const struct stun_msg *m);
/* Why there is no session, and the contact is over. */
const char *contact_fail(struct contact *c);
void contact_end(struct contact *c);

#endif
