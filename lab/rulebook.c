/* SPDX-License-Identifier: ISC */
/* The comments of a namespace's nftables rules. */
#include "rulebook.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "nlattr.h"

/* nft(8) keeps the comment in the user data: type, length, text with NUL. */
#define USERDATA_COMMENT 0

int
rulebook_init(struct rulebook *b)
{
	memset(b, 0, sizeof(*b));
	b->rule = calloc(RULEBOOK_MAX, sizeof(*b->rule));
	return b->rule == NULL ? -ENOMEM : 0;
}

void
rulebook_free(struct rulebook *b)
{
	free(b->rule);
	b->rule = NULL;
}

static void
read_userdata(struct rulebook_rule *r, const struct nlattr_view *data)
{
	struct nlattr_view text;
	struct cursor c;
	uint8_t type;

	nlattr_nested(data, &c);
	while (cursor_left(&c) >= 2) {
		type = cursor_u8(&c);
		text.len = cursor_u8(&c);
		text.value = cursor_bytes(&c, text.len);
		if (text.value == NULL)
			return;
		if (type == USERDATA_COMMENT)
			nlattr_text(&text, r->comment, sizeof(r->comment));
	}
}

static int
read_rule(struct rulebook_rule *r, struct cursor *c)
{
	struct nlattr_view a;
	int err;

	while ((err = nlattr_next(c, &a)) == 1) {
		switch (a.type) {
		case NFTA_RULE_TABLE:
			nlattr_text(&a, r->table, sizeof(r->table));
			break;
		case NFTA_RULE_CHAIN:
			nlattr_text(&a, r->chain, sizeof(r->chain));
			break;
		case NFTA_RULE_HANDLE:
			r->handle = nlattr_u64(&a);
			break;
		case NFTA_RULE_USERDATA:
			read_userdata(r, &a);
			break;
		default:
			break;
		}
	}
	return err;
}

static bool
same(const struct rulebook_rule *r, uint64_t handle, uint8_t family,
    const char *table, const char *chain)
{
	return r->handle == handle && r->family == family &&
	       strcmp(r->table, table) == 0 && strcmp(r->chain, chain) == 0;
}

static struct rulebook_rule *
find(const struct rulebook *b, uint64_t handle, uint8_t family,
    const char *table, const char *chain)
{
	for (size_t i = 0; i < b->n; i++)
		if (same(&b->rule[i], handle, family, table, chain))
			return &b->rule[i];
	return NULL;
}

int
rulebook_feed(
    struct rulebook *b, uint16_t type, const uint8_t *data, size_t len)
{
	struct rulebook_rule r = {0}, *slot;
	struct cursor c;

	if (type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE))
		return -EPROTONOSUPPORT;
	cursor_init(&c, data, len);
	r.family = cursor_u8(&c);
	cursor_bytes(&c, sizeof(struct nfgenmsg) - 1);
	if (c.bad || read_rule(&r, &c) < 0)
		return -EBADMSG;
	/* a table made anew has the same handles again */
	slot = find(b, r.handle, r.family, r.table, r.chain);
	if (slot == NULL && r.comment[0] == '\0')
		return 0;
	if (slot == NULL)
		slot = b->n < RULEBOOK_MAX ? &b->rule[b->n++]
					   : &b->rule[b->next++ % RULEBOOK_MAX];
	*slot = r;
	return 0;
}

const char *
rulebook_comment(const struct rulebook *b, const struct traceevent *e)
{
	struct rulebook_rule *r =
	    find(b, e->handle, e->family, e->table, e->chain);

	return r == NULL || r->comment[0] == '\0' ? NULL : r->comment;
}
