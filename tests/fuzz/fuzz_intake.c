/* SPDX-License-Identifier: ISC */
/* Any lines as nat-punch's standard input: no crash, no more peers than the
 * table has, nothing kept of a record that is refused. */
#include <stdlib.h>
#include <string.h>

#include "line.h"
#include "peers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct run {
	struct peers *peers;
	uint64_t now_us;
};

static void
line_cb(void *arg, const char *line, size_t len)
{
	struct run *r = arg;
	struct peer *peer = NULL;
	const char *wrong = NULL;
	struct output o;
	size_t before = r->peers->n;
	int rc = peers_line(r->peers, line, len, r->now_us, &peer, &wrong);

	if (rc < 0 && (wrong == NULL || wrong[0] == '\0'))
		abort();
	if (peer == NULL && r->peers->n != before)
		abort();
	if (r->peers->n > PEERS_MAX)
		abort();
	r->now_us += 50000;
	if (peer == NULL)
		return;
	if (peer->list.candidates.n > CANDIDATE_MAX ||
	    peer->relay.candidates.n > CANDIDATE_MAX ||
	    peer_state(peer, r->now_us) == PATH_DIRECT ||
	    peer_state(peer, r->now_us) == PATH_RELAYED)
		abort();
	if (peer_step(peer, r->now_us) <= r->now_us)
		abort();
	while (peer_take(peer, &o))
		if (!o.is_report &&
		    (!addr_is_sendable(&o.remote) ||
			(r->peers->relay_only &&
			    !checklist_bound(&peer->relay, &o.remote))))
			abort();
	if (peer->list.out.lost > 0 || peer->relay.out.lost > 0 ||
	    peer->out.lost > 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct run r = {.peers = peers_new(true), .now_us = 1000000};
	struct line l;

	if (r.peers == NULL)
		abort();
	r.peers->relay_only = len > 0 && data[0] == 'r';
	line_init(&l);
	line_feed(&l, data, len, line_cb, &r);
	line_end(&l, line_cb, &r);
	peers_verdict(r.peers, true, r.now_us);
	peers_free(r.peers);
	return 0;
}
