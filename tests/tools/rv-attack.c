/* SPDX-License-Identifier: ISC */
/* Honest and hostile clients of nat-rendezvousd over real UDP, for
 * tests/e2e/rendezvousd.bats.
 *
 * usage: rv-attack KEY@host:port scenario [argument ...]
 *
 * Exit code 0: all went as it has to; 1: it did not, and standard error says
 * what. There are no sleeps: to see that a datagram was not answered, a STUN
 * Binding request follows it from the same socket, and whatever the server
 * has to say to the first is there before the answer to the second. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../rv.h"
#include "addr.h"

#define ANSWER_MS 5000
#define INBOX 64

struct peer {
	struct rv rv;
	int fd;
	struct addr local;
	uint8_t nonce[WIRE_NONCE_MAX];
	size_t nonce_len;
	/* what came, latest call of fence */
	uint8_t in[INBOX][STUN_MAX];
	size_t in_len[INBOX];
	int n_in;
};

static uint8_t server_key[KEY_LEN];
static struct addr server_addr;
static uint8_t buf[STUN_MAX];

__attribute__((noreturn, format(printf, 1, 2))) static void
fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void
check(int ok, const char *what)
{
	if (!ok)
		fail("wrong: %s", what);
}

/* A client on a socket of its own; local is an address, NULL for any. */
static struct peer *
new_peer(const char *local)
{
	static struct peer peers[4];
	static int n_peers;
	struct peer *p = &peers[n_peers++];
	struct sockaddr_storage ss;
	socklen_t len;

	rv_init(&p->rv);
	/* rises over restarts of this program, as a client's clock does */
	p->rv.timestamp = (uint64_t)getpid() << 20;
	p->fd = socket(
	    server_addr.family == ADDR_V6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
	if (local != NULL) {
		if (addr_parse_ip(&p->local, local, 0) != 0)
			fail("bad address %s", local);
		len = addr_to_sockaddr(&p->local, &ss);
		if (bind(p->fd, (struct sockaddr *)&ss, len) == -1)
			fail("bind %s: %s", local, strerror(errno));
	}
	/* connected: only answers from the address that was asked come in */
	len = addr_to_sockaddr(&server_addr, &ss);
	if (connect(p->fd, (struct sockaddr *)&ss, len) == -1)
		fail("connect: %s", strerror(errno));
	len = sizeof(ss);
	getsockname(p->fd, (struct sockaddr *)&ss, &len);
	addr_from_sockaddr(&p->local, (struct sockaddr *)&ss);
	return p;
}

static void
put(struct peer *p, const void *data, int len)
{
	if (len < 0 || send(p->fd, data, (size_t)len, 0) != len)
		fail("send: %s", strerror(errno));
}

/* One datagram. Returns its length, -1 when none came in time. */
static int
get(struct peer *p, uint8_t *out, int wait_ms)
{
	struct pollfd pf = {.fd = p->fd, .events = POLLIN};

	if (poll(&pf, 1, wait_ms) != 1)
		return -1;
	return (int)recv(p->fd, out, STUN_MAX, 0);
}

/* Takes what comes until the answer to one Binding request. */
static void
fence_once(struct peer *p)
{
	uint8_t req[64], tid[STUN_TID_LEN];
	struct addr mapped;
	struct stun_msg m;
	struct stun_buf b;

	stun_new_tid(tid);
	stun_begin(&b, req, sizeof(req), STUN_BINDING, STUN_REQUEST, tid);
	put(p, req, stun_end(&b, true));
	for (; p->n_in < INBOX; p->n_in++) {
		uint8_t *in = p->in[p->n_in];
		int len = get(p, in, ANSWER_MS);

		if (len < 0)
			fail("the server does not answer any more");
		p->in_len[p->n_in] = (size_t)len;
		if (stun_parse(&m, in, (size_t)len) == 0 &&
		    m.method == STUN_BINDING &&
		    memcmp(m.tid, tid, sizeof(tid)) == 0) {
			check(stun_get_mapped(&m, &mapped) == 0 &&
				  mapped.port == p->local.port,
			    "mapped address");
			return;
		}
	}
	fail("too many answers");
}

/* Collects all that the server had to say until now. Returns how many. Twice,
 * because the server pushes at the end of a batch, which the first request
 * may have been in. */
static int
fence(struct peer *p)
{
	p->n_in = 0;
	fence_once(p);
	fence_once(p);
	return p->n_in;
}

/* The status of a HELLO, or minus the error code of the session. */
static int
hello_once(struct peer *p)
{
	struct stun_msg m;
	uint8_t in[STUN_MAX];
	int len = rv_hello(&p->rv, server_key,
	    p->nonce_len > 0 ? p->nonce : NULL, p->nonce_len, buf);

	put(p, buf, len);
	len = get(p, in, ANSWER_MS);
	if (len < 0)
		return -ETIMEDOUT;
	if (stun_parse(&m, in, (size_t)len) == 0 &&
	    wire_challenge_read(&m, p->nonce, &p->nonce_len) == 0)
		return WIRE_STALE_NONCE;
	return rv_finish(&p->rv, in, (size_t)len);
}

static int
hello(struct peer *p)
{
	int rc = hello_once(p);

	return rc == WIRE_STALE_NONCE ? hello_once(p) : rc;
}

/* Sends a SESSION request and opens its answer into plain. */
static int
ask(struct peer *p, int len, uint8_t plain[WIRE_PLAIN_MAX])
{
	struct stun_msg m;
	int n;

	put(p, buf, len);
	n = fence(p);
	for (int i = 0; i < n; i++) {
		int rc = stun_parse(&m, p->in[i], p->in_len[i]);

		if (rc != 0 || memcmp(m.tid, p->rv.tid, STUN_TID_LEN) != 0)
			continue;
		if (m.class == STUN_ERROR)
			return -stun_get_error(&m);
		return wire_open(&p->rv.session, &m, plain, WIRE_PLAIN_MAX);
	}
	return -ETIMEDOUT;
}

static int
join(struct peer *p)
{
	uint8_t plain[WIRE_PLAIN_MAX];
	int rc = hello(p);

	if (rc != WIRE_OK)
		return rc;
	rc = ask(p, rv_request(&p->rv, 0, NULL, 0, buf), plain);
	return rc < 0 ? rc : WIRE_OK;
}

static struct peer *
joined(const char *local)
{
	struct peer *p = new_peer(local);
	int rc = join(p);

	if (rc != WIRE_OK)
		fail("can't register: %d", rc);
	return p;
}

static void
want(struct peer *p, const uint8_t key[KEY_LEN])
{
	uint8_t plain[WIRE_PLAIN_MAX];

	check(ask(p, rv_want(&p->rv, key, 1, buf), plain) > 0, "WANT");
}

/* Looks for an attribute in what the last fence collected, and acknowledges
 * every push. */
static int
told(struct peer *p, uint16_t type, const uint8_t key[KEY_LEN])
{
	uint8_t plain[WIRE_PLAIN_MAX], ack[STUN_MAX];
	struct stun_attr a;
	struct stun_msg m;
	int found = 0;

	for (int i = 0; i < p->n_in; i++) {
		int len = rv_open(&p->rv, &m, p->in[i], p->in_len[i], plain);

		if (len < 0)
			continue;
		if (m.class == STUN_REQUEST)
			put(p, ack, rv_ack(&p->rv, m.tid, ack));
		if (rv_find(plain, (size_t)len, type, &a) == 0 &&
		    a.len >= KEY_LEN && memcmp(a.value, key, KEY_LEN) == 0)
			found++;
	}
	return found;
}

/* Takes a pair all the way from WANT to GO. */
static void
introduce(struct peer *a, struct peer *b)
{
	uint8_t plain[WIRE_PLAIN_MAX];

	want(a, b->rv.public);
	put(b, buf, rv_want(&b->rv, a->rv.public, 2, buf));
	fence(b);
	check(told(b, NATKIT_PEER, a->rv.public), "B has no PEER");
	fence(a);
	check(told(a, NATKIT_PEER, b->rv.public), "A has no PEER");
	put(a, buf, rv_send(&a->rv, b->rv.public, "sealed", 6, buf));
	fence(a);
	fence(b);
	check(told(b, NATKIT_FROM, a->rv.public), "B has no FROM");
	check(ask(a, rv_ready(&a->rv, b->rv.public, 1, 1, 9, buf), plain) > 0,
	    "READY");
	put(b, buf, rv_ready(&b->rv, a->rv.public, 1, 1, 9, buf));
	fence(b);
	check(told(b, NATKIT_GO, a->rv.public) > 0, "B has no GO");
	fence(a);
	check(told(a, NATKIT_GO, b->rv.public) > 0, "A has no GO");
}

static void
do_pair(char **args)
{
	introduce(joined(args[0]), joined(args[1]));
	puts("introduced");
}

static void
do_register(char **args)
{
	int rc = join(new_peer(args[0]));

	printf("%d\n", rc);
}

/* A private key from standard input, as wg genkey writes it. */
static void
do_register_key(char **args)
{
	struct peer *p = new_peer(args[0]);
	bool loose;

	check(key_load(p->rv.secret, p->rv.public, "-", &loose) == 0, "key");
	printf("%d\n", join(p));
}

/* Registers, says so, and when a line comes on standard input: what is the
 * session worth now? If nothing, makes a new one. */
static void
do_survive(char **args)
{
	uint8_t plain[WIRE_PLAIN_MAX];
	struct peer *p = joined(args[0]);
	char line[16];

	puts("registered");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL)
		fail("no line on standard input");
	check(ask(p, rv_request(&p->rv, 0, NULL, 0, buf), plain) ==
		  -WIRE_UNKNOWN_SESSION,
	    "no 481 from a server that knows no session");
	check(join(p) == WIRE_OK, "registering again");
	puts("registered again");
}

/* A captured registration, and a captured request, from another address. */
static void
do_replay(char **args)
{
	struct peer *p = new_peer(args[0]), *thief = new_peer(args[1]);
	uint8_t first[STUN_MAX], in[STUN_MAX], second[STUN_MAX];
	uint8_t plain[WIRE_PLAIN_MAX];
	int first_len = rv_hello(&p->rv, server_key, NULL, 0, first), len;

	put(p, first, first_len);
	len = get(p, in, ANSWER_MS);
	check(
	    len > 0 && rv_finish(&p->rv, in, (size_t)len) == WIRE_OK, "HELLO");
	len = rv_request(&p->rv, 0, NULL, 0, buf);
	memcpy(second, buf, sizeof(second));
	check(ask(p, len, plain) > 0, "first request");
	for (int i = 0; i < 3; i++) {
		put(thief, first, first_len);
		put(thief, second, len);
	}
	check(fence(thief) == 0, "a replay was answered");
	check(ask(p, rv_request(&p->rv, 0, NULL, 0, buf), plain) > 0,
	    "the session does not work any more");
}

/* The public half of somebody's key is not enough. */
static void
do_steal(char **args)
{
	struct peer *victim = joined(args[0]), *thief = new_peer(args[1]);
	uint8_t plain[WIRE_PLAIN_MAX];

	memcpy(thief->rv.public, victim->rv.public, KEY_LEN);
	thief->rv.timestamp = UINT64_MAX - 10;
	put(thief, buf, rv_hello(&thief->rv, server_key, NULL, 0, buf));
	check(fence(thief) == 0, "the thief was answered");
	check(ask(victim, rv_request(&victim->rv, 0, NULL, 0, buf), plain) > 0,
	    "the victim's session is gone");
}

/* The id of somebody's session, with other keys. */
static void
do_hijack(char **args)
{
	struct peer *victim = joined(args[0]), *thief = joined(args[1]);
	uint8_t plain[WIRE_PLAIN_MAX];

	memcpy(thief->rv.session.id, victim->rv.session.id, WIRE_ID_LEN);
	thief->rv.session.counter = 1000;
	put(thief, buf, rv_request(&thief->rv, NATKIT_BYE, NULL, 0, buf));
	put(thief, buf, rv_want(&thief->rv, victim->rv.public, 1, buf));
	check(fence(thief) == 0, "the thief was answered");
	check(ask(victim, rv_request(&victim->rv, 0, NULL, 0, buf), plain) > 0,
	    "the victim's session is gone");
}

/* A key that is not there, and one that is but does not want us. */
static void
do_lookup(char **args)
{
	struct peer *a = joined(args[0]), *b = joined(args[1]);
	uint8_t nobody[KEY_LEN], one[WIRE_PLAIN_MAX], two[WIRE_PLAIN_MAX];
	int n_one, n_two;

	randombytes_buf(nobody, sizeof(nobody));
	n_one = ask(a, rv_want(&a->rv, nobody, 1, buf), one);
	check(a->n_in == 1, "more than the answer");
	n_two = ask(a, rv_want(&a->rv, b->rv.public, 1, buf), two);
	check(a->n_in == 1, "more than the answer");
	check(
	    n_one > 0 && n_one == n_two && memcmp(one, two, (size_t)n_one) == 0,
	    "the answers tell who is there");
	put(a, buf, rv_send(&a->rv, b->rv.public, "boo", 3, buf));
	put(a, buf, rv_send(&a->rv, nobody, "boo", 3, buf));
	check(fence(a) == 0, "SEND was answered");
	check(fence(b) == 0, "B heard of A");
}

/* Everything that the server has said, back to it. */
static void
do_reflect(char **args)
{
	struct peer *a = new_peer(args[0]), *b = joined(args[1]);
	uint8_t all[16][STUN_MAX];
	size_t len[16];
	int n = 0, rc = rv_hello(&a->rv, server_key, NULL, 0, buf);

	put(a, buf, rc);
	rc = get(a, all[0], ANSWER_MS);
	check(rc > 0, "HELLO");
	len[n++] = (size_t)rc;
	check(rv_finish(&a->rv, all[0], (size_t)rc) == WIRE_OK, "HELLO");
	want(b, a->rv.public);
	put(a, buf, rv_want(&a->rv, b->rv.public, 1, buf));
	put(b, buf, rv_send(&b->rv, a->rv.public, "hi", 2, buf));
	fence(b);
	for (int i = 0; i < 2; i++) {
		fence(a);
		/* the answer to the fence is there too */
		for (int k = 0; k <= a->n_in && n < 16; k++) {
			memcpy(all[n], a->in[k], a->in_len[k]);
			len[n++] = a->in_len[k];
		}
	}
	check(n >= 5, "too little to reflect");
	for (int i = 0; i < n; i++) {
		put(a, all[i], (int)len[i]);
		put(b, all[i], (int)len[i]);
	}
	/* PEER may be pushed again, as it was not acknowledged; nothing else
	 * comes, and no packet that makes another */
	fence(b);
	check(told(b, NATKIT_GONE, a->rv.public) == 0, "GONE");
	put(b, buf, rv_send(&b->rv, a->rv.public, "hi", 2, buf));
	fence(b);
	fence(a);
	check(told(a, NATKIT_FROM, b->rv.public) == 1, "FROM");
}

/* A client that says what only a server may say. */
static void
do_forge(char **args)
{
	static const uint16_t types[] = {
	    NATKIT_GO, NATKIT_PEER, NATKIT_GONE, NATKIT_FROM};
	struct peer *a = joined(args[0]), *b = joined(args[1]),
		    *c = joined(args[0]);
	uint8_t value[KEY_LEN + 12] = {0}, plain[WIRE_PLAIN_MAX];

	introduce(a, b);
	for (int i = 0; i < 4; i++) {
		memcpy(value, b->rv.public, KEY_LEN);
		check(
		    ask(c,
			rv_request(&c->rv, types[i], value, sizeof(value), buf),
			plain) > 0,
		    "an unknown action is no reason not to answer");
		memcpy(value, a->rv.public, KEY_LEN);
		put(c, buf,
		    rv_request(&c->rv, types[i], value, sizeof(value), buf));
	}
	fence(c);
	check(fence(a) == 0 && fence(b) == 0, "A or B heard something");
	/* with somebody else's keys A itself would not take it */
	put(c, buf, rv_request(&c->rv, NATKIT_GO, value, sizeof(value), buf));
	memcpy(a->in[0], buf, STUN_MAX);
	a->n_in = 1;
	a->in_len[0] = 20 + ((size_t)buf[2] << 8 | buf[3]);
	check(told(a, NATKIT_GO, a->rv.public) == 0, "a forged GO opened");
}

static void
do_empty(char **args)
{
	struct peer *p = joined(args[0]);
	uint8_t junk[2000], plain[WIRE_PLAIN_MAX];

	for (int i = 0; i < 500; i++) {
		randombytes_buf(junk, sizeof(junk));
		put(p, junk, 0);
		put(p, junk, (int)randombytes_uniform(sizeof(junk)));
	}
	check(fence(p) == 0, "garbage was answered");
	check(ask(p, rv_request(&p->rv, 0, NULL, 0, buf), plain) > 0,
	    "the session is gone");
}

/* https://cr.yp.to/ecdh.html#validate, as base64 */
static const char *const low_order[] = {
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA=",
    "X5yVvKNQjCSx0LFVnIPvWwREXMRYHI6G2CJO3dCfEVc=",
    "7P///////////////////////////////////////38=",
    "7f///////////////////////////////////////38=",
    "7v///////////////////////////////////////38=",
    "zet6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuIA=",
};

/* As static key, as ephemeral key, and wanted. */
static void
do_low_order(char **args)
{
	struct peer *p = joined(args[0]);
	uint8_t key[KEY_LEN], plain[WIRE_PLAIN_MAX];

	for (size_t i = 0; i < sizeof(low_order) / sizeof(low_order[0]); i++) {
		struct stun_attr noise;
		struct stun_msg m;
		struct rv bad;
		int len;

		check(
		    sodium_base642bin(key, sizeof(key), low_order[i], 44, NULL,
			NULL, NULL, sodium_base64_VARIANT_ORIGINAL) == 0,
		    "base64");
		rv_init(&bad);
		memcpy(bad.public, key, KEY_LEN);
		put(p, buf, rv_hello(&bad, server_key, NULL, 0, buf));

		len = rv_hello(&bad, server_key, NULL, 0, buf);
		check(stun_parse(&m, buf, (size_t)len) == 0 &&
			  stun_find(&m, NATKIT_NOISE, &noise) == 0,
		    "HELLO");
		memcpy(buf + (noise.value - buf), key, KEY_LEN);
		{
			uint8_t out[STUN_MAX];
			struct stun_buf b;

			stun_begin(&b, out, sizeof(out), NATKIT_HELLO,
			    STUN_REQUEST, bad.tid);
			stun_put(&b, NATKIT_NOISE, noise.value, noise.len);
			stun_put_space(&b, NATKIT_PADDING, 32);
			put(p, out, stun_end(&b, true));
		}
		check(fence(p) == 0, "a HELLO was answered");
		check(ask(p, rv_want(&p->rv, key, 1, buf), plain) > 0, "WANT");
	}
}

/* Registers count distinct keys from one address. While that goes on and
 * after it, a pair at other addresses is served, and newcomers are. */
static void
do_flood(char **args)
{
	struct peer *a = joined(args[1]), *b = joined(args[2]), *p;
	int count = atoi(args[4]), ok = 0, full = 0, other = 0;
	uint8_t plain[WIRE_PLAIN_MAX];

	p = new_peer(args[0]);
	for (int i = 0; i < count; i++) {
		int rc;

		rv_init(&p->rv);
		rc = hello(p);
		if (rc == WIRE_OK) {
			put(p, buf, rv_request(&p->rv, 0, NULL, 0, buf));
			ok += get(p, plain, ANSWER_MS) > 0;
		} else if (rc == WIRE_FULL)
			full++;
		else
			other++;
		if (i % 20000 == 0)
			check(ask(a, rv_request(&a->rv, 0, NULL, 0, buf),
				  plain) > 0,
			    "A is not served any more");
	}
	printf("registered=%d full=%d other=%d\n", ok, full, other);
	introduce(a, b);
	introduce(a, joined(args[3]));
}

/* 300 HELLOs at once, then as many with the NONCE of the challenge. */
static void
do_burst(char **args)
{
	struct peer *p = new_peer(args[0]);
	int challenged = 0, ok = 0;
	uint8_t in[STUN_MAX];
	struct stun_msg m;

	for (int i = 0; i < 300; i++) {
		put(p, buf, rv_hello(&p->rv, server_key, NULL, 0, buf));
		int len = get(p, in, ANSWER_MS);

		check(len > 0, "neither a session nor a challenge");
		check(stun_parse(&m, in, (size_t)len) == 0, "STUN");
		if (wire_challenge_read(&m, p->nonce, &p->nonce_len) == 0)
			challenged++;
		else
			ok++;
	}
	for (int i = 0; i < 300; i++)
		put(p, buf,
		    rv_hello(&p->rv, server_key, p->nonce, p->nonce_len, buf));
	printf("ok=%d challenged=%d\n", ok, challenged);
}

static const struct {
	const char *name;
	void (*fn)(char **);
	int args;
} scenarios[] = {
    {"pair", do_pair, 2},
    {"register", do_register, 1},
    {"register-key", do_register_key, 1},
    {"survive", do_survive, 1},
    {"replay", do_replay, 2},
    {"steal", do_steal, 2},
    {"hijack", do_hijack, 2},
    {"lookup", do_lookup, 2},
    {"reflect", do_reflect, 2},
    {"forge", do_forge, 2},
    {"empty", do_empty, 1},
    {"low-order", do_low_order, 1},
    {"flood", do_flood, 5},
    {"burst", do_burst, 1},
};

int
main(int argc, char **argv)
{
	char *host, *port, text[ADDR_STRLEN + 32];

	if (sodium_init() == -1 || argc < 3)
		fail("usage: rv-attack KEY@host:port scenario [argument ...]");
	if (key_parse_server(argv[1], server_key, &host, &port) != 0)
		fail("bad server");
	snprintf(text, sizeof(text), strchr(host, ':') ? "[%s]:%s" : "%s:%s",
	    host, port);
	if (addr_parse(&server_addr, text) != 0)
		fail("bad endpoint %s", text);
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (strcmp(scenarios[i].name, argv[2]) == 0) {
			if (argc - 3 != scenarios[i].args)
				fail("%s takes %d arguments", argv[2],
				    scenarios[i].args);
			scenarios[i].fn(argv + 3);
			return 0;
		}
	fail("no scenario %s", argv[2]);
}
