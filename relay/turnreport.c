/* SPDX-License-Identifier: ISC */
/* What nat-relay turn says: its records, and what to do about a refusal. */
#include "turnreport.h"

#include "exitcode.h"

/* In the order that nat-relayd's records of allocations have, too. */
void
turnreport_up(struct record *r, const struct turnclient *c,
    const struct addr *server, enum turnlink_transport transport)
{
	record_begin(r, "allocation");
	record_put_addr(r, "endpoint", &c->mapped);
	record_put(r, "transport", turnlink_name(transport));
	record_put_addr(r, "relayed", &c->relayed[0]);
	record_put_addr(r, "relayed6", &c->relayed[1]);
	record_put_u64(r, "lifetime_s", c->lifetime_s);
	record_put(r, "state", "up");
	record_put_addr(r, "server", server);
}

void
turnreport_down(struct record *r, const struct addr *server,
    enum turnlink_transport transport, int code, const char *why)
{
	record_begin(r, "allocation");
	record_put(r, "transport", turnlink_name(transport));
	record_put(r, "state", "down");
	record_put_addr(r, "server", server);
	if (code > 0)
		record_put_u64(r, "code", (uint64_t)code);
	record_put(r, "reason", why);
}

void
turnreport_grant(struct record *r, const struct turn_grant *g)
{
	char ip[ADDR_STRLEN];

	record_begin(r, "permission");
	record_put(r, "peer", addr_format_ip(&g->ip, ip));
	record_put(
	    r, "state", g->state == TURN_GRANTED ? "granted" : "refused");
	if (g->state != TURN_GRANTED) {
		record_put_u64(r, "code", (uint64_t)g->code);
		record_put(r, "reason", turnclient_why(g->code));
	}
}

void
turnreport_seat(
    struct record *r, const struct addr *peer, const struct addr *local)
{
	record_begin(r, "proxy");
	record_put_addr(r, "peer", peer);
	if (local != NULL)
		record_put_addr(r, "endpoint", local);
	record_put(r, "state", local != NULL ? "open" : "closed");
}

int
turnreport_exit_code(int code)
{
	switch (code) {
	case 401:
	case 441:
		return EXIT_USAGE;
	case 403:
	case 440:
	case 442:
		return EXIT_NO;
	default:
		return EXIT_TEMP;
	}
}

const char *
turnreport_advice(int code, bool secret, enum turnlink_transport transport)
{
	if (code == 401 && secret)
		return ": check the secret in -k (coturn: use-auth-secret), "
		       "and the clocks of both hosts";
	if (code == 401)
		return ": check the file in -u (user in its first line, "
		       "password in its second)";
	if (code == TURNCLIENT_CODE_NO_ANSWER && transport == TURNLINK_UDP)
		return ": is it a TURN server? If UDP is blocked on the way, "
		       "-T tcp or -T tls may pass";
	if (code == 440)
		return ": give -r 4 or -r 6";
	return "";
}
