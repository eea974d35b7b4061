/* SPDX-License-Identifier: ISC */
/* Buffers of one size, kept for use again. */
#include "block.h"

#include <stddef.h>
#include <stdlib.h>

static struct block *kept;
static uint32_t n_kept;

struct block *
block_take(struct purse *p)
{
	struct block *b = kept;

	if (p->charge != NULL && p->held >= p->reserve &&
	    !p->charge(p->arg, BLOCK_LEN))
		return NULL;
	if (b != NULL) {
		kept = b->next;
		n_kept--;
	} else {
		b = malloc(sizeof(*b));
	}
	if (b == NULL) {
		if (p->charge != NULL && p->held >= p->reserve)
			p->refund(p->arg, BLOCK_LEN);
		return NULL;
	}
	b->next = NULL;
	p->held++;
	return b;
}

void
block_give(struct purse *p, struct block *b)
{
	p->held--;
	if (n_kept < BLOCK_KEPT) {
		b->next = kept;
		kept = b;
		n_kept++;
	} else {
		free(b);
	}
	/* last: the budget's owner may call somebody who waits for it */
	if (p->charge != NULL && p->held >= p->reserve)
		p->refund(p->arg, BLOCK_LEN);
}

void
block_trim(void)
{
	while (kept != NULL) {
		struct block *b = kept;

		kept = b->next;
		free(b);
	}
	n_kept = 0;
}
