/* SPDX-License-Identifier: ISC */
/* relay-client [option ...] ADDRESS:PORT command ...
 *
 * Clients of nat-relayd, played from one script: plain pairs, TURN, and what
 * neither would do. A command is SIDE:VERB[=ARG][!WANT]; a side is a letter with a
 * key and a socket of its own. Each prints a line; the first that does not go as
 * wanted ends it all with 1. The command `-` stands for the lines of standard input.
 *   -k file  secret of the credentials (both kinds)
 *   -b addr  own address (that of the family's loopback)
 *   -w ms    how long to wait for what should come (2000)
 *   -K X=KEY the key of a side, base64 (random)
 *
 * Sockets:
 *   a:tcp[=BYTES]   from here on over a TCP connection (with so small a receive
 *                   buffer)
 *   a:move          another local port, the rest stays
 *   a:from=ADDR     the same at another own address
 *   a:end           the socket is closed
 *   a:key           prints the key          a:where  prints the socket's address
 *   a:who=x         uses side x's key
 * Pairs:
 *   a:bind=b        for a datagram path to b; !401: that error; !none: no answer
 *   a:unbind        of the latest bind
 *   a:replay=b      b's latest signed BIND, from a's socket; !CODE, !0, !none
 *   a:expiry=S      of the next credentials, seconds from now (3600)
 *   a:secret=FILE   for the next credentials
 *   a:name=TEXT     as user name, whatever it is
 *   a:nonce=TEXT    in the next BIND, instead of asking for one
 *   a:storm=N       BINDs that are not waited for, every other one signed; prints
 *                   how many answers came, and how many bytes of 100 sent
 *   a:plain         a Binding request to where data goes; !none
 * Data:
 *   a:to=b|main|x:y to the latest relay port bound for b, the server, an address
 *   a:send=TEXT     a:hex=HEX    a:raw=HEX (over TCP: no framing)
 *   a:expect=TEXT   is the next datagram       a:nothing[=MS]  comes
 *   a:flood=N,LEN   numbered datagrams         a:count=N,MS  come within MS of
 *                   each other; prints how many; !M: at least M
 * TURN:
 *   a:turn[=USER]   allocates (-w); prints the relayed address; !CODE
 *   a:permit=b|ADDR a:channel=b|x:y a:wrap=b|x:y,TEXT; !CODE */
#include <ctype.h>

#include "../relay-side.h"

static void
do_bind(struct side *s, const char *arg, const char *want)
{
	int peer = arg[0] - 'a';

	if (arg[0] < 'a' || arg[0] > 'z')
		fail("bind=%s: a side", arg);
	s->peer = peer;
	check(s, "bind",
	    bind_loop(s, peer, false,
		s->at[peer].family != ADDR_NONE && !s->tcp ? s->at[peer]
							   : server),
	    want);
}

static void
do_replay(struct side *s, const char *arg, const char *want)
{
	static uint8_t in[BUFFER];
	const struct side *other = side(arg[0]);
	struct stun_msg m;
	int code = -1;

	put_bytes(s, s->tcp ? &server : &other->at[other->peer], other->bind,
	    other->bind_len);
	if (await(s, other->bind + 8, in, &m) >= 0)
		code = m.class == STUN_SUCCESS ? 0 : stun_get_error(&m);
	if (code == 0)
		printf("%c replay taken\n", s->name);
	check(s, "replay", code, want);
}

static void
count_answers(struct side *s, unsigned int *answers, size_t *bytes)
{
	static uint8_t in[BUFFER];
	ssize_t n;

	while ((n = recv(s->fd, in, sizeof(in), MSG_DONTWAIT)) > 0) {
		(*answers)++;
		*bytes += (size_t)n;
	}
}

static void
do_storm(struct side *s, unsigned int n)
{
	static uint8_t in[BUFFER];
	size_t sent = 0, got = 0;
	unsigned int answers = 0;
	char nonce[256] = "";
	uint8_t out[STUN_MAX];
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	struct ticket ticket;
	struct stun_msg m;

	make_ticket(s, s->peer, &ticket);
	sent = build_bind(s, &ticket, NULL, s->peer, false, out);
	put_bytes(s, &server, out, sent);
	if (await(s, out + 8, in, &m) < 0 ||
	    !take_nonce(&m, nonce, sizeof(nonce)))
		fail("%c: no nonce", s->name);
	for (unsigned int i = 0; i < n; i++) {
		size_t len = build_bind(
		    s, &ticket, i % 2 == 0 ? NULL : nonce, s->peer, false, out);

		put_bytes(s, &server, out, len);
		sent += len;
		count_answers(s, &answers, &got);
	}
	while (poll(&p, 1, 200) == 1)
		count_answers(s, &answers, &got);
	printf("%c storm=%u answers=%u percent=%zu\n", s->name, n, answers,
	    got * 100 / sent);
}

static void
do_plain(struct side *s, const char *want)
{
	static uint8_t in[BUFFER];
	uint8_t out[STUN_MAX], tid[STUN_TID_LEN];
	char text[ADDR_STRLEN];
	struct addr mapped = {.family = ADDR_NONE};
	struct stun_buf b;
	struct stun_msg m;
	int code = -1;

	stun_new_tid(tid);
	stun_begin(&b, out, sizeof(out), STUN_BINDING, STUN_REQUEST, tid);
	stun_put(&b, STUN_SOFTWARE, "a client, as long as a check", 28);
	put_bytes(s, &s->to, out, (size_t)stun_end(&b, true));
	if (await(s, tid, in, &m) >= 0)
		code = stun_get_mapped(&m, &mapped) == 0 ? 0 : 400;
	if (code == 0)
		printf("%c mapped=%s\n", s->name, addr_format(&mapped, text));
	check(s, "plain", code, want);
}

/* Data */

static void
do_to(struct side *s, const char *arg)
{
	if (strcmp(arg, "main") == 0) {
		s->to = server;
	} else if (arg[0] != '\0' && arg[1] == '\0' && isalpha(arg[0])) {
		s->peer = arg[0] - 'a';
		s->to = s->at[s->peer];
	} else {
		s->to = endpoint(arg);
	}
}

static void
do_expect(struct side *s, const char *arg)
{
	static uint8_t in[BUFFER + 1];
	ssize_t n = next_data(s, in, now_ms() + (uint64_t)wait_ms);

	if (n < 0)
		fail("%c: nothing came, and not '%s'", s->name, arg);
	in[n] = '\0';
	if ((size_t)n != strlen(arg) || memcmp(in, arg, (size_t)n) != 0)
		fail("%c: '%s' (%zd bytes) came, and not '%s'", s->name,
		    (char *)in, n, arg);
	printf("%c got=%s\n", s->name, arg);
}

static void
do_nothing(struct side *s, const char *arg)
{
	static uint8_t in[BUFFER + 1];
	ssize_t n = next_data(
	    s, in, now_ms() + (arg != NULL ? (uint64_t)atoi(arg) : 300));

	if (n < 0) {
		printf("%c %s\n", s->name,
		    n == -2 ? "closed by server" : "nothing");
		return;
	}
	in[n] = '\0';
	fail("%c: %zd bytes came: %s", s->name, n, (char *)in);
}

static void
do_flood(struct side *s, const char *arg)
{
	static uint8_t data[BUFFER];
	unsigned int n = 0, len = 0;

	if (sscanf(arg, "%u,%u", &n, &len) != 2 || len < 4 || len > 65527)
		fail("flood=%s: N,LEN", arg);
	for (unsigned int i = 0; i < n; i++) {
		put_u32(data, i);
		put_data(s, data, len);
	}
	printf("%c sent=%u\n", s->name, n);
}

static void
do_count(struct side *s, const char *arg, const char *want)
{
	static uint8_t in[BUFFER + 1];
	unsigned int n = 0, ms = 0, got = 0, late = 0;
	unsigned int wanted = want != NULL ? (unsigned int)atoi(want) : 0;
	uint32_t last = 0;

	if (sscanf(arg, "%u,%u", &n, &ms) != 2)
		fail("count=%s: N,MS", arg);
	/* those that are wanted may be late */
	while (got < n &&
	       next_data(s, in,
		   now_ms() + (got < wanted ? (uint64_t)wait_ms : ms)) >= 4) {
		uint32_t number =
		    (uint32_t)in[0] << 24 | in[1] << 16 | in[2] << 8 | in[3];

		late += got > 0 && number < last;
		last = number;
		got++;
	}
	printf("%c received=%u reordered=%u\n", s->name, got, late);
	if (got < wanted)
		fail("%c: only %u", s->name, got);
}

/* TURN */

/* Until fn is content, or the time is over. */
static bool
turn_until(
    struct side *s, bool (*content)(const struct side *, void *), void *arg)
{
	static uint8_t in[BUFFER];
	uint8_t out[TURNCLIENT_OUT];
	uint64_t until = now_ms() + (uint64_t)wait_ms;
	struct turnclient_in got;
	struct addr from;

	for (;;) {
		uint64_t now = now_ms();
		size_t len;
		ssize_t n;

		while ((len = turnclient_step(s->turn, now, out)) > 0)
			put_bytes(s, &server, out, len);
		if (content(s, arg))
			return true;
		if (now >= until)
			return false;
		n = get(s, in, &from,
		    s->turn->next_ms < until ? s->turn->next_ms : until);
		if (n < 0)
			continue;
		turnclient_input(s->turn, in, (size_t)n, now_ms(), &got);
		if (got.what == TURNCLIENT_DATA)
			keep(s, got.data, got.len);
	}
}

static bool
is_settled(const struct side *s, void *arg)
{
	(void)arg;
	return s->turn->state != TURNCLIENT_ASKING;
}

static void
do_turn(struct side *s, const char *user, const char *want)
{
	char text[ADDR_STRLEN], six[ADDR_STRLEN];
	uint64_t expiry =
	    (uint64_t)((long)(wall_ns() / 1000000000u) + s->expiry);

	s->turn = sodium_malloc(sizeof(*s->turn));
	memset(s->turn, 0, sizeof(*s->turn));
	s->turn->stream = s->tcp;
	s->turn->want4 = server.family == ADDR_V4;
	s->turn->want6 = server.family == ADDR_V6;
	s->turn->keepalive_ms = 60000;
	if (turnlogin_make(&s->turn->login, &s->secret, expiry,
		user != NULL ? user : "tester") != 0)
		fail("turn=%s: bad name", user);
	turnclient_start(s->turn, now_ms());
	if (!turn_until(s, is_settled, NULL)) {
		check(s, "turn", -1, want);
		return;
	}
	if (s->turn->state == TURNCLIENT_UP)
		printf("%c relayed=%s,%s lifetime_s=%u\n", s->name,
		    addr_format(&s->turn->relayed[0], text),
		    addr_format(&s->turn->relayed[1], six),
		    s->turn->lifetime_s);
	check(s, "turn", s->turn->state == TURNCLIENT_UP ? 0 : s->turn->code,
	    want);
}

static struct side *
turning(struct side *s)
{
	if (s->turn == NULL)
		fail("%c: no allocation", s->name);
	return s;
}

static bool
has_grants(const struct side *s, void *arg)
{
	(void)arg;
	return turnclient_settled(s->turn);
}

static void
do_permit(struct side *s, const char *arg, const char *want)
{
	struct addr ip = endpoint(arg);
	const struct turn_grant *g;

	turnclient_permit(turning(s)->turn, &ip, now_ms());
	if (!turn_until(s, has_grants, NULL))
		fail("%c: no answer about %s", s->name, arg);
	g = turnclient_grant(s->turn, &ip);
	if (g->state == TURN_GRANTED)
		printf("%c permitted=%s\n", s->name, arg);
	check(s, "permit", g->state == TURN_GRANTED ? 0 : g->code, want);
}

static const struct turn_route *
route(const struct side *s, const struct addr *peer)
{
	for (int i = 0; i < TURNCLIENT_ROUTES; i++)
		if (addr_equal(&s->turn->route[i].peer, peer))
			return &s->turn->route[i];
	fail("%c: no channel", s->name);
}

static bool
is_bound(const struct side *s, void *arg)
{
	return route(s, arg)->bound;
}

static void
do_channel(struct side *s, const char *arg)
{
	struct addr peer = endpoint(arg);

	if (turnclient_route(turning(s)->turn, &peer, now_ms()) != 0 ||
	    !turn_until(s, is_bound, &peer))
		fail("%c: no channel for %s", s->name, arg);
	printf("%c channel=%04x\n", s->name, route(s, &peer)->channel);
}

static void
do_wrap(struct side *s, char *arg)
{
	static uint8_t out[BUFFER];
	char *text = strchr(arg, ',');
	struct addr peer;
	int len;

	if (text == NULL)
		fail("wrap=%s: ENDPOINT,TEXT", arg);
	*text++ = '\0';
	peer = endpoint(arg);
	len = turnclient_wrap(
	    turning(s)->turn, &peer, (const uint8_t *)text, strlen(text), out);
	if (len < 0)
		fail("wrap: %s", strerror(-len));
	while (s->tcp && len % 4 != 0)
		out[len++] = 0;
	put_bytes(s, &server, out, (size_t)len);
	printf("%c sent=%s\n", s->name, text);
}

/* The script */

static void
do_socket(struct side *s, const char *verb, const char *arg)
{
	char text[ADDR_STRLEN], key[KEY_STRLEN];

	if (strcmp(verb, "tcp") == 0) {
		open_tcp(s, arg != NULL ? atoi(arg) : 0);
		printf("%c connected\n", s->name);
	} else if (strcmp(verb, "move") == 0) {
		open_udp(s);
	} else if (strcmp(verb, "end") == 0) {
		close(s->fd);
		s->fd = -1;
	} else if (strcmp(verb, "key") == 0) {
		printf("%c key=%s\n", s->name, key_format(s->key, key));
	} else if (strcmp(verb, "where") == 0) {
		printf("%c where=%s\n", s->name, addr_format(&s->own, text));
	} else {
		fail("%c:%s: no such command", s->name, verb);
	}
}

/* Those that only set something. */
static bool
set(struct side *s, const char *verb, const char *arg)
{
	if (arg == NULL)
		return false;
	if (strcmp(verb, "expiry") == 0) {
		s->expiry = atol(arg);
	} else if (strcmp(verb, "secret") == 0) {
		if (credential_load(&s->secret, arg) != 0)
			fail("%s: no secret", arg);
	} else if (strcmp(verb, "name") == 0) {
		s->raw_name = strdup(arg);
	} else if (strcmp(verb, "nonce") == 0) {
		s->nonce = strdup(arg);
	} else if (strcmp(verb, "who") == 0) {
		memcpy(s->key, side(arg[0])->key, KEY_LEN);
	} else if (strcmp(verb, "from") == 0) {
		s->own = endpoint(arg);
		open_udp(s);
	} else if (strcmp(verb, "to") == 0) {
		do_to(s, arg);
	} else {
		return false;
	}
	return true;
}

static void
do_hex(struct side *s, const char *verb, const char *arg)
{
	static uint8_t data[BUFFER];
	size_t len = unhex(arg, data, sizeof(data));

	if (strcmp(verb, "hex") == 0)
		put_data(s, data, len);
	else
		put_bytes(s, &s->to, data, len);
	printf("%c sent=%zu\n", s->name, len);
}

static void
perform(struct side *s, const char *verb, char *arg, const char *want)
{
	if (set(s, verb, arg))
		return;
	if (strcmp(verb, "bind") == 0 && arg != NULL)
		do_bind(s, arg, want);
	else if (strcmp(verb, "unbind") == 0)
		check(s, "unbind",
		    bind_loop(
			s, s->peer, true, s->tcp ? server : s->at[s->peer]),
		    want);
	else if (strcmp(verb, "replay") == 0 && arg != NULL)
		do_replay(s, arg, want);
	else if (strcmp(verb, "storm") == 0 && arg != NULL)
		do_storm(s, (unsigned int)atoi(arg));
	else if (strcmp(verb, "plain") == 0)
		do_plain(s, want);
	else if (strcmp(verb, "send") == 0 && arg != NULL)
		put_data(s, (const uint8_t *)arg, strlen(arg));
	else if (arg != NULL &&
		 (strcmp(verb, "hex") == 0 || strcmp(verb, "raw") == 0))
		do_hex(s, verb, arg);
	else if (strcmp(verb, "expect") == 0)
		do_expect(s, arg != NULL ? arg : "");
	else if (strcmp(verb, "nothing") == 0)
		do_nothing(s, arg);
	else if (strcmp(verb, "flood") == 0 && arg != NULL)
		do_flood(s, arg);
	else if (strcmp(verb, "count") == 0 && arg != NULL)
		do_count(s, arg, want);
	else if (strcmp(verb, "turn") == 0)
		do_turn(s, arg, want);
	else if (strcmp(verb, "permit") == 0 && arg != NULL)
		do_permit(s, arg, want);
	else if (strcmp(verb, "channel") == 0 && arg != NULL)
		do_channel(s, arg);
	else if (strcmp(verb, "wrap") == 0 && arg != NULL)
		do_wrap(s, arg);
	else
		do_socket(s, verb, arg);
}

static void
command(const char *text)
{
	char copy[4096], *verb, *arg, *want;

	if (strlen(text) < 3 || strlen(text) >= sizeof(copy) || text[1] != ':')
		fail("%s: SIDE:VERB", text);
	snprintf(copy, sizeof(copy), "%s", text);
	verb = copy + 2;
	if ((want = strrchr(verb, '!')) != NULL)
		*want++ = '\0';
	if ((arg = strchr(verb, '=')) != NULL)
		*arg++ = '\0';
	perform(side(text[0]), verb, arg, want);
	fflush(stdout);
}

static void
script(void)
{
	char line[4096];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\0')
			command(line);
	}
}

static void
set_key(const char *text)
{
	if (text[0] < 'a' || text[0] > 'z' || text[1] != '=' ||
	    key_parse_public(sides[text[0] - 'a'].key, text + 2) != 0)
		fail("-K %s: X=KEY", text);
}

static void
prepare(void)
{
	uint8_t sk[KEY_LEN];

	for (int i = 0; i < SIDES; i++) {
		sides[i].fd = -1;
		sides[i].expiry = 3600;
		crypto_box_keypair(sides[i].key, sk);
	}
}

static void
begin(void)
{
	for (int i = 0; i < SIDES; i++) {
		sides[i].own = own;
		sides[i].to = server;
		sides[i].secret = secret;
	}
}

static void
end(void)
{
	for (int i = 0; i < SIDES; i++) {
		sodium_free(sides[i].turn);
		for (; sides[i].n > 0; sides[i].n--)
			free(sides[i]
				 .inbox[(sides[i].first + sides[i].n - 1) %
					INBOX]
				 .data);
	}
}

int
main(int argc, char **argv)
{
	int ch;

	if (sodium_init() == -1)
		fail("libsodium can't start");
	prepare();
	while ((ch = getopt(argc, argv, "b:K:k:w:")) != -1) {
		switch (ch) {
		case 'b':
			own = endpoint(optarg);
			break;
		case 'K':
			set_key(optarg);
			break;
		case 'k':
			if (credential_load(&secret, optarg) != 0)
				fail("%s: no secret", optarg);
			break;
		case 'w':
			wait_ms = atoi(optarg);
			break;
		default:
			return 100;
		}
	}
	if (optind == argc || addr_parse(&server, argv[optind]) != 0)
		fail("ADDRESS:PORT of a relay, then commands");
	if (own.family == ADDR_NONE)
		addr_parse_ip(
		    &own, server.family == ADDR_V4 ? "127.0.0.1" : "::1", 0);
	begin();
	for (int i = optind + 1; i < argc; i++) {
		if (strcmp(argv[i], "-") == 0)
			script();
		else
			command(argv[i]);
	}
	end();
	return 0;
}
