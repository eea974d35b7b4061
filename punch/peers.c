/* SPDX-License-Identifier: ISC */
/* All peers of one nat-punch. */
#include "peers.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct peers *
peers_new(bool again)
{
	struct peers *p = calloc(1, sizeof(*p));

	if (p != NULL)
		p->again = again;
	return p;
}

void
peers_free(struct peers *p)
{
	if (p != NULL)
		sodium_memzero(p, sizeof(*p));
	free(p);
}

static struct peer *
find(struct peers *p, const uint8_t key[KEY_LEN])
{
	for (size_t i = 0; i < p->n; i++)
		if (memcmp(p->peer[i].key, key, KEY_LEN) == 0)
			return &p->peer[i];
	return NULL;
}

static struct peer *
add(struct peers *p, const uint8_t key[KEY_LEN])
{
	uint64_t tie_breaker;
	struct peer *peer;

	if (p->n == PEERS_MAX)
		return NULL;
	peer = &p->peer[p->n++];
	memcpy(peer->key, key, KEY_LEN);
	randombytes_buf(&tie_breaker, sizeof(tie_breaker));
	checklist_init(&peer->list, p->again, tie_breaker);
	peer->next_us = UINT64_MAX;
	return peer;
}

static int
apply(struct peer *peer, const struct intake *in, uint64_t now_us,
    const char **wrong)
{
	struct checklist *x = &peer->list;

	switch (in->kind) {
	case INTAKE_WAITING:
		peer->asked = true;
		return 0;
	case INTAKE_REMOTE:
		*wrong = "endpoint is none to send to, or one too many";
		return checklist_remote(x, in->generation, &in->remote);
	case INTAKE_INTRODUCED:
		peer->asked = true;
		*wrong = "count is not that of the remote records before it";
		return checklist_introduce(x, &in->introduction, now_us);
	case INTAKE_GO:
		*wrong = "generation was not introduced";
		return checklist_go(
		    x, in->generation, in->age_ms, in->skew_ms, now_us);
	case INTAKE_GONE:
		checklist_gone(x, now_us);
		return 0;
	case INTAKE_NOTHING:
		break;
	}
	return 0;
}

int
peers_line(struct peers *p, const char *line, size_t len, uint64_t now_us,
    struct peer **peer, const char **wrong)
{
	struct intake in;
	int rc;

	*peer = NULL;
	rc = intake_parse(&in, line, len, wrong);
	if (rc != 0 || in.kind == INTAKE_NOTHING)
		return rc;
	*peer = find(p, in.key);
	if (*peer == NULL && (in.kind == INTAKE_GO || in.kind == INTAKE_GONE)) {
		*wrong = "key is nobody's that was introduced";
		return -ENOENT;
	}
	if (*peer == NULL)
		*peer = add(p, in.key);
	if (*peer == NULL) {
		*wrong = "one peer too many";
		return -ENOSPC;
	}
	return apply(*peer, &in, now_us, wrong);
}

struct peer *
peers_receive(struct peers *p, const uint8_t *data, size_t len,
    const struct addr *from, const struct addr *local, uint64_t now_us)
{
	struct stun_msg m;
	bool forged = false;

	if (stun_parse(&m, data, len) != 0 || m.method != STUN_BINDING) {
		p->foreign++;
		return NULL;
	}
	for (size_t i = 0; i < p->n; i++) {
		int rc = checklist_receive(
		    &p->peer[i].list, &m, from, local, now_us);

		if (rc == 0)
			return &p->peer[i];
		if (rc == -EACCES)
			forged = true;
	}
	if (forged)
		p->forged++;
	else
		p->foreign++;
	return NULL;
}

void
peers_port_error(
    struct peers *p, const struct addr *remote, int error, uint64_t now_us)
{
	for (size_t i = 0; i < p->n; i++)
		checklist_port_error(&p->peer[i].list, remote, error, now_us);
}

enum verdict
peers_verdict(const struct peers *p, bool ended, uint64_t now_us)
{
	size_t asked = 0, failed = 0, waiting = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct checklist *x = &p->peer[i].list;

		if (!p->peer[i].asked)
			continue;
		asked++;
		if (x->state == PATH_WAITING && ended)
			waiting++;
		else if (!checklist_settled(x, now_us))
			return VERDICT_OPEN;
		else if (x->state == PATH_FAILED)
			failed++;
	}
	if (asked == 0)
		return VERDICT_NOBODY;
	if (failed > 0)
		return VERDICT_NO;
	return waiting > 0 ? VERDICT_LATE : VERDICT_YES;
}

enum verdict
peers_verdict_late(const struct peers *p)
{
	enum verdict v = VERDICT_NOBODY;

	for (size_t i = 0; i < p->n; i++) {
		const struct checklist *x = &p->peer[i].list;

		if (!p->peer[i].asked)
			continue;
		if (x->state == PATH_FAILED)
			return VERDICT_NO;
		if (x->state != PATH_DIRECT)
			v = VERDICT_LATE;
		else if (v == VERDICT_NOBODY)
			v = VERDICT_YES;
	}
	return v;
}
