/* SPDX-License-Identifier: ISC */
/* The comments of a namespace's nftables rules, by which a drop gets its
 * reason: fed with NFT_MSG_NEWRULE messages, of a dump or as news. */
#ifndef NATKIT_RULEBOOK_H
#define NATKIT_RULEBOOK_H

#include <stddef.h>
#include <stdint.h>

#include "traceevent.h"

#define RULEBOOK_MAX 4096 /* rules with a comment; the oldest are forgotten */
#define RULEBOOK_COMMENT 64

struct rulebook_rule {
	uint64_t handle;
	uint8_t family;
	char table[TRACEEVENT_NAME];
	char chain[TRACEEVENT_NAME];
	char comment[RULEBOOK_COMMENT];
};

struct rulebook {
	struct rulebook_rule *rule; /* RULEBOOK_MAX of them */
	size_t n;
	size_t next; /* to be replaced when all are taken */
};

/* Returns 0 or -ENOMEM. */
int rulebook_init(struct rulebook *b);
void rulebook_free(struct rulebook *b);
/* type of the nlmsghdr, data from the nfgenmsg on. Returns 0 (also for a rule
 * without a comment), -EBADMSG, -EPROTONOSUPPORT when it tells of no rule. */
int rulebook_feed(
    struct rulebook *b, uint16_t type, const uint8_t *data, size_t len);
/* The comment of the rule that an event names; NULL when it has none. */
const char *rulebook_comment(
    const struct rulebook *b, const struct traceevent *e);

#endif
