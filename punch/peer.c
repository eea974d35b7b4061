/* SPDX-License-Identifier: ISC */
/* One peer: its direct ways and its relays. While direct stands, the relays'
 * list sleeps; a doubt wakes it, on both sides; and while it carries the peer,
 * the two sides tell each other through it when to try the direct ways. */
#include "peer.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

static uint64_t
sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void
peer_init(
    struct peer *p, const uint8_t key[KEY_LEN], bool again, bool relay_only)
{
	uint64_t tie_breaker;

	memset(p, 0, sizeof(*p));
	memcpy(p->key, key, KEY_LEN);
	p->relay_only = relay_only;
	randombytes_buf(&tie_breaker, sizeof(tie_breaker));
	checklist_init(&p->list, again, tie_breaker);
	checklist_init_relayed(&p->relay, again, tie_breaker);
	choice_init(&p->choice, relay_only);
	p->next_us = UINT64_MAX;
}

static void
say(struct peer *p, const struct report *said, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct output *put = outputs_add(&p->out);

		if (put == NULL)
			return;
		put->is_report = true;
		put->report = said[i];
	}
}

/* Records */

/* A relay is no direct way, whatever the peer says. */
static void
shun_relays(struct peer *p, uint64_t now_us)
{
	for (size_t i = 0; i < p->relay.n_remotes; i++)
		checklist_shun(&p->list, &p->relay.remotes[i].addr, now_us);
}

static void
wait_for(struct peer *p, const char *reason)
{
	struct report said[CHOICE_MAX];

	p->asked = true;
	say(p, said, choice_waiting(&p->choice, reason, said));
}

static int
bind_relay(struct peer *p, const struct intake *in, uint64_t now_us)
{
	int rc = checklist_bind(&p->relay, &in->remote, now_us);

	if (rc == 0 && in->mapped.family != ADDR_NONE)
		p->relay.mapped = in->mapped;
	shun_relays(p, now_us);
	return rc;
}

static int
introduce(struct peer *p, const struct introduction *i, uint64_t now_us)
{
	int rc = p->relay_only ? 0 : checklist_introduce(&p->list, i, now_us);
	struct report said[CHOICE_MAX];

	if (rc != 0)
		return rc;
	shun_relays(p, now_us);
	say(p, said, choice_anew(&p->choice, said));
	if (p->relay_only)
		p->unserved_us = now_us + PEER_UNSERVED_US;
	return checklist_introduce(&p->relay, i, now_us);
}

int
peer_apply(struct peer *p, const struct intake *in, uint64_t now_us,
    const char **wrong)
{
	switch (in->kind) {
	case INTAKE_WAITING:
		wait_for(p, in->reason);
		return 0;
	case INTAKE_REMOTE:
		*wrong = "endpoint is none to send to, or one too many";
		return p->relay_only ? 0
				     : checklist_remote(&p->list,
					   in->generation, &in->remote);
	case INTAKE_INTRODUCED:
		p->asked = true;
		*wrong = "count is not that of the remote records before it";
		return introduce(p, &in->introduction, now_us);
	case INTAKE_GO:
		*wrong = "generation was not introduced";
		return p->relay_only ? 0
				     : checklist_go(&p->list, in->generation,
					   in->age_ms, in->skew_ms, now_us);
	case INTAKE_GONE:
		choice_gone(&p->choice);
		if (!p->relay_only)
			checklist_gone(&p->list, now_us);
		checklist_gone(&p->relay, now_us);
		return 0;
	case INTAKE_RELAY_BINDING:
		p->expect_us = now_us + PEER_EXPECT_US;
		return 0;
	case INTAKE_RELAY_BOUND:
		*wrong = "endpoint is none to send to, or one too many";
		return bind_relay(p, in, now_us);
	case INTAKE_RELAY_GONE:
		checklist_unbind(&p->relay, &in->remote.addr, now_us);
		return 0;
	case INTAKE_NOTHING:
		break;
	}
	return 0;
}

/* Datagrams */

int
peer_receive(struct peer *p, const struct stun_msg *m, const struct addr *from,
    const struct addr *local, uint64_t now_us)
{
	int rc;

	if (m->class == STUN_REQUEST && check_is_relayed(m))
		return checklist_receive(&p->relay, m, from, local, now_us);
	if (m->class == STUN_REQUEST && checklist_bound(&p->relay, from))
		return -ENOENT;
	rc = checklist_receive(&p->list, m, from, local, now_us);
	if (rc != -ENOENT || m->class == STUN_REQUEST)
		return rc;
	return checklist_receive(&p->relay, m, from, local, now_us);
}

void
peer_port_error(
    struct peer *p, const struct addr *remote, int error, uint64_t now_us)
{
	checklist_port_error(&p->list, remote, error, now_us);
	checklist_port_error(&p->relay, remote, error, now_us);
}

static void
collect(struct peer *p)
{
	struct checklist *lists[] = {&p->list, &p->relay};
	struct report said[CHOICE_MAX];
	struct output o, *put;

	for (int i = 0; i < 2; i++) {
		while (outputs_take(&lists[i]->out, &o)) {
			size_t n = 0;

			if (!o.is_report) {
				put = outputs_add(&p->out);
				if (put != NULL)
					*put = o;
				continue;
			}
			n = i == 0 ? choice_direct(&p->choice, &o.report, said)
				   : choice_relay(&p->choice, &o.report, said);
			say(p, said, n);
		}
	}
}

bool
peer_take(struct peer *p, struct output *out)
{
	collect(p);
	return outputs_take(&p->out, out);
}

/* The two lists together */

static bool
sure(const struct peer *p, uint64_t now_us)
{
	return p->list.consent.active &&
	       !consent_doubtful(&p->list.consent, now_us);
}

/* Awake as long as the relay is all that is sure, for us or for the peer. The
 * last check tells the peer that we don't need it any more. */
static void
rouse(struct peer *p, uint64_t now_us)
{
	struct checklist *x = &p->relay;

	if (!sure(p, now_us)) {
		p->needs = true;
		checklist_wake(x, now_us);
		return;
	}
	if (p->needs)
		checklist_nudge(x);
	p->needs = false;
	if (now_us >= p->needed_us && !x->asleep &&
	    !(x->consent.active && x->consent.nudged)) {
		checklist_sleep(x, now_us);
		choice_asleep(&p->choice);
	}
}

/* The barrier of a try, through the relay: each side says when its NATs are
 * open, and hears it of the other. */
static void
signal_try(struct peer *p, uint64_t now_us)
{
	bool open =
	    !p->list.consent.active && now_us >= checklist_opened_at(&p->list);

	p->relay.hint = sure(p, now_us) ? 0 : CHECK_HINT_NEED;
	if (open)
		p->relay.hint |= CHECK_HINT_TRY;
	if (p->relay_only)
		p->relay.hint |= CHECK_HINT_ONLY;
	if (open && !p->told)
		checklist_nudge(&p->relay);
	p->told = open;
}

/* A binding that has begun is waited for. */
static uint64_t
served_until(const struct peer *p)
{
	return p->unserved_us != 0 && p->unserved_us < p->expect_us
		   ? p->expect_us
		   : p->unserved_us;
}

static void
govern(struct peer *p, uint64_t now_us)
{
	uint32_t hinted = p->relay.hinted;
	struct report said[CHOICE_MAX];

	p->relay.hinted = 0;
	if ((hinted & CHECK_HINT_NEED) != 0)
		p->needed_us = now_us + PEER_NEEDED_US;
	if (p->relay.content)
		p->needed_us = 0;
	p->relay.content = false;
	if (!checklist_bound(&p->relay, &p->relay.seen))
		checklist_elsewhere(&p->list, &p->relay.seen, now_us);
	memset(&p->relay.seen, 0, sizeof(p->relay.seen));
	if ((hinted & CHECK_HINT_TRY) != 0)
		checklist_try(&p->list, now_us);
	p->list.consent.kind =
	    p->relay.n_remotes > 0 ? CONSENT_RESERVED : CONSENT_PLAIN;
	p->list.spare = p->relay.consent.active;
	signal_try(p, now_us);
	rouse(p, now_us);
	if (p->unserved_us != 0 && now_us >= served_until(p)) {
		p->unserved_us = 0;
		checklist_unserved(&p->relay, now_us);
	}
	collect(p);
	say(p, said, choice_expect(&p->choice, now_us < p->expect_us, said));
	say(p, said, choice_peer_only(&p->choice, p->relay.only, said));
}

/* What govern has to see, and no list steps for. */
static uint64_t
next_look(const struct peer *p, uint64_t now_us)
{
	const uint64_t at[] = {
	    p->relay.asleep ? consent_doubt_at(&p->list.consent) : UINT64_MAX,
	    p->relay.asleep ? UINT64_MAX : p->needed_us,
	    p->told ? UINT64_MAX : checklist_opened_at(&p->list),
	    p->expect_us,
	    served_until(p),
	};
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		if (at[i] > now_us)
			next = sooner(next, at[i]);
	return next;
}

uint64_t
peer_step(struct peer *p, uint64_t now_us)
{
	struct checklist *direct = &p->list, *relay = &p->relay;
	uint64_t next;

	govern(p, now_us);
	next = checklist_step(direct, now_us);
	collect(p);
	/* What has just been lost or found is for the other one to know. */
	govern(p, now_us);
	next = sooner(next, checklist_step(relay, now_us));
	collect(p);
	if (direct->spare != relay->consent.active)
		next = now_us + 1000;
	return sooner(next, next_look(p, now_us));
}

/* The end */

enum path_state
peer_state(const struct peer *p, uint64_t now_us)
{
	const struct checklist *first = p->relay_only ? &p->relay : &p->list;

	if (p->list.consent.active)
		return PATH_DIRECT;
	if (p->relay.consent.active)
		return PATH_RELAYED;
	if (first->state == PATH_FAILED &&
	    (now_us < p->expect_us || (p->relay.state != PATH_WAITING &&
					  p->relay.state != PATH_FAILED)))
		return PATH_CHECKING;
	if (first->state == PATH_WAITING || first->state == PATH_FAILED)
		return first->state;
	return PATH_CHECKING;
}

bool
peer_settled(const struct peer *p, uint64_t now_us)
{
	switch (peer_state(p, now_us)) {
	case PATH_DIRECT:
		return consent_settled(&p->list.consent, now_us);
	case PATH_RELAYED:
		return (p->relay_only || p->list.state == PATH_FAILED) &&
		       consent_settled(&p->relay.consent, now_us);
	case PATH_FAILED:
		return true;
	default:
		return false;
	}
}

const char *
peer_missing(const struct peer *p)
{
	return checklist_missing(p->relay_only ? &p->relay : &p->list);
}
