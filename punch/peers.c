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
	struct peer *peer;

	if (p->n == PEERS_MAX)
		return NULL;
	peer = &p->peer[p->n++];
	peer_init(peer, key, p->again, p->relay_only);
	return peer;
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
	if (*peer == NULL && in.kind == INTAKE_RELAY_GONE)
		return 0;
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
	return peer_apply(*peer, &in, now_us, wrong);
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
		int rc = peer_receive(&p->peer[i], &m, from, local, now_us);

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
		peer_port_error(&p->peer[i], remote, error, now_us);
}

enum verdict
peers_verdict(const struct peers *p, bool ended, uint64_t now_us)
{
	size_t asked = 0, failed = 0, waiting = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct peer *peer = &p->peer[i];
		enum path_state state = peer_state(peer, now_us);

		if (!peer->asked)
			continue;
		asked++;
		if (state == PATH_WAITING && ended)
			waiting++;
		else if (!peer_settled(peer, now_us))
			return VERDICT_OPEN;
		else if (state == PATH_FAILED)
			failed++;
	}
	if (asked == 0)
		return VERDICT_NOBODY;
	if (failed > 0)
		return VERDICT_NO;
	return waiting > 0 ? VERDICT_LATE : VERDICT_YES;
}

enum verdict
peers_verdict_late(const struct peers *p, uint64_t now_us)
{
	enum verdict v = VERDICT_NOBODY;

	for (size_t i = 0; i < p->n; i++) {
		enum path_state state = peer_state(&p->peer[i], now_us);

		if (!p->peer[i].asked)
			continue;
		if (state == PATH_FAILED)
			return VERDICT_NO;
		if (state != PATH_DIRECT && state != PATH_RELAYED)
			v = VERDICT_LATE;
		else if (v == VERDICT_NOBODY)
			v = VERDICT_YES;
	}
	return v;
}
