/* SPDX-License-Identifier: ISC */
/* The records that nat-rendezvous prints (nat-records(5)). */
#include "report.h"

#include <sodium.h>
#include <stdio.h>

#include "record.h"

static int
finish(const struct report *r, struct record *rec)
{
	int err = record_write(rec, r->fd, r->json);

	sodium_memzero(rec, sizeof(*rec)); /* may hold credentials */
	return err;
}

static void
put_transport(struct record *rec, const struct addr *server)
{
	if (server->tcp)
		record_put(rec, "transport", "tcp");
}

int
report_session(const struct report *r, const uint8_t server[KEY_LEN],
    const struct client_event *ev)
{
	struct record rec;

	record_begin(&rec, "session");
	record_put_key(&rec, "server", server);
	record_put_addr(&rec, "endpoint", &ev->to);
	switch (ev->what) {
	case CLIENT_UP:
		record_put(&rec, "state", "up");
		record_put_u64(&rec, "rtt_us", ev->rtt_us);
		record_put_addr(&rec, "mapped", &ev->mapped);
		break;
	case CLIENT_REFUSED:
		record_put(&rec, "state", "refused");
		record_put(&rec, "reason", ev->reason);
		break;
	default:
		record_put(&rec, "state", "down");
		record_put(&rec, "reason", ev->reason);
	}
	put_transport(&rec, &ev->to);
	return finish(r, &rec);
}

int
report_waiting(
    const struct report *r, const uint8_t key[KEY_LEN], const char *reason)
{
	struct record rec;

	record_begin(&rec, "peer");
	record_put_key(&rec, "key", key);
	record_put(&rec, "state", "waiting");
	if (reason != NULL)
		record_put(&rec, "reason", reason);
	return finish(r, &rec);
}

static int
report_remote(const struct report *r, const struct introduction *i,
    const struct offer_candidate *c)
{
	struct record rec;

	record_begin(&rec, "remote");
	record_put_key(&rec, "key", i->key);
	record_put_u64(&rec, "generation", i->theirs.generation);
	record_put(&rec, "type", offer_type_name(c->type));
	record_put_addr(&rec, "endpoint", &c->addr);
	record_put_u64(&rec, "priority", c->priority);
	return finish(r, &rec);
}

int
report_introduced(const struct report *r, const struct introduction *i)
{
	char own[OFFER_PASSWORD_LEN + 1], theirs[OFFER_PASSWORD_LEN + 1];
	struct record rec;
	int err;

	for (size_t k = 0; k < i->theirs.n; k++)
		if ((err = report_remote(r, i, &i->theirs.candidate[k])) != 0)
			return err;
	introduction_passwords(i, own, theirs);
	record_begin(&rec, "peer");
	record_put_key(&rec, "key", i->key);
	record_put(&rec, "state", "introduced");
	record_put_u64(&rec, "generation", i->theirs.generation);
	record_put_u64(&rec, "count", i->theirs.n);
	record_put(&rec, "role", i->controlling ? "controlling" : "controlled");
	record_put(&rec, "user", i->user);
	record_put(&rec, "password", own);
	record_put(&rec, "peer_user", i->theirs.user);
	record_put(&rec, "peer_password", theirs);
	sodium_memzero(own, sizeof(own));
	sodium_memzero(theirs, sizeof(theirs));
	return finish(r, &rec);
}

int
report_go(const struct report *r, const struct introduction *i,
    const struct introduction_event *ev)
{
	struct record rec;

	record_begin(&rec, "go");
	record_put_key(&rec, "key", i->key);
	record_put_u64(&rec, "generation", ev->theirs);
	record_put_u64(&rec, "age_ms", ev->age_ms);
	record_put_u64(&rec, "skew_ms", ev->skew_ms);
	return finish(r, &rec);
}

int
report_gone(const struct report *r, const uint8_t key[KEY_LEN])
{
	struct record rec;

	record_begin(&rec, "gone");
	record_put_key(&rec, "key", key);
	record_put(&rec, "reason", "left");
	return finish(r, &rec);
}

static void
put_endpoints(struct record *rec, const struct token_relay *relay)
{
	char text[2 * ADDR_STRLEN], one[ADDR_STRLEN], other[ADDR_STRLEN];

	snprintf(text, sizeof(text), "%s%s%s", addr_format(&relay->at[0], one),
	    relay->n > 1 ? "," : "",
	    relay->n > 1 ? addr_format(&relay->at[1], other) : "");
	record_put(rec, "server", text);
}

/* e NULL: there is no relay for the peer (any more). */
static int
report_relay(const struct report *r, const struct relaybook *b,
    const struct relaybook_entry *e)
{
	char name[CREDENTIAL_NAME_MAX];
	struct record rec;

	record_begin(&rec, "relay");
	record_put_key(&rec, "key", b->peer);
	if (e != NULL) {
		relaybook_name(b, e, name);
		put_endpoints(&rec, &e->relay);
		record_put(&rec, "user", name);
		record_put(&rec, "password", e->relay.password);
		record_put_u64(&rec, "priority", e->priority);
		record_put_u64(&rec, "lifetime_s", e->lifetime_s);
	}
	return finish(r, &rec);
}

int
report_relays(const struct report *r, struct relaybook *b, int server,
    const struct token *token, uint64_t now_ms)
{
	struct relaybook_entry news[TOKEN_RELAYS];
	bool none;
	size_t n = relaybook_token(b, server, token, now_ms, news, &none);
	int err = none ? report_relay(r, b, NULL) : 0;

	for (size_t i = 0; i < n && err == 0; i++)
		err = report_relay(r, b, &news[i]);
	sodium_memzero(news, sizeof(news));
	return err;
}

int
report_server(const struct report *r, const uint8_t key[KEY_LEN],
    const struct addr *endpoint, uint64_t rtt_us, const struct addr *mapped)
{
	struct record rec;

	record_begin(&rec, "server");
	record_put_key(&rec, "key", key);
	record_put_addr(&rec, "endpoint", endpoint);
	record_put_u64(&rec, "rtt_us", rtt_us);
	if (!endpoint->tcp) /* there it is not about a UDP port */
		record_put_addr(&rec, "mapped", mapped);
	put_transport(&rec, endpoint);
	return finish(r, &rec);
}

int
report_key(const struct report *r, const uint8_t pub[KEY_LEN])
{
	struct record rec;

	record_begin(&rec, "key");
	record_put_key(&rec, "public", pub);
	return finish(r, &rec);
}
