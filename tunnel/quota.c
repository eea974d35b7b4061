/* SPDX-License-Identifier: ISC */
/* How much one peer may ask for. */
#include "quota.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FULL_MS (1000 * QUOTA_BURST / QUOTA_RATE) /* an empty bucket is full */

struct quotas {
	struct quota of[QUOTA_PEERS];
};

int
quotas_new(struct quotas **out)
{
	*out = calloc(1, sizeof(**out));
	return *out == NULL ? -ENOMEM : 0;
}

void
quotas_free(struct quotas *q)
{
	free(q);
}

/* For another key. Who has nothing here and whose bucket is full again is not
 * told from somebody new. */
static struct quota *
place(struct quotas *q, uint64_t now)
{
	struct quota *best = NULL;

	for (size_t i = 0; i < QUOTA_PEERS; i++) {
		struct quota *p = &q->of[i];

		if (!p->used)
			return p;
		if (p->visits == 0 &&
		    (best == NULL || p->last_ms < best->last_ms))
			best = p;
	}
	return best == NULL || now - best->last_ms < FULL_MS ? NULL : best;
}

static struct quota *
find(struct quotas *q, const uint8_t key[KEY_LEN])
{
	for (size_t i = 0; i < QUOTA_PEERS; i++)
		if (q->of[i].used && key_equal(q->of[i].key, key))
			return &q->of[i];
	return NULL;
}

struct quota *
quotas_take(struct quotas *q, const uint8_t key[KEY_LEN], uint64_t now)
{
	struct quota *p = find(q, key);

	if (p == NULL) {
		p = place(q, now);
		if (p == NULL)
			return NULL;
		*p = (struct quota){.used = true};
		memcpy(p->key, key, KEY_LEN);
		bucket_fill(&p->bucket, QUOTA_BURST, now);
	}
	p->last_ms = now;
	return bucket_take(&p->bucket, QUOTA_RATE, QUOTA_BURST, now) ? p : NULL;
}
