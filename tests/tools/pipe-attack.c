/* SPDX-License-Identifier: ISC */
/* Attacks on nat-pipe by a peer that has a key, by numbers, over real UDP on
 * loopback, for tests/e2e/pipe-attacks.bats. The command line is
 * tests/pipe-attacker.h's. */
#include "../pipe-attacker.h"

#define MAX_HELD 256

/* Bytes a second that came back on s, and to the honest peer, while step is
 * called every millisecond. */
struct rates {
	double own, other;
};

static struct rates
measure(struct peer *p, struct stream *s, unsigned ms, void (*step)(void *arg),
    void *arg)
{
	uint64_t began = now_ns(), end = began + ms * 1000000ull, at = began;
	uint64_t own = s != NULL ? s->got : 0, other = honest->bytes;
	double seconds;

	while (now_ns() < end) {
		uint64_t now = now_ns();

		while (step != NULL && at <= now) {
			step(arg);
			at += 1000000;
		}
		peer_turn(p, 1000000);
		look();
		if (p->end != QUIC_ALIVE)
			fail("the connection is %s", quic_end_name(p->end));
	}
	if (s != NULL && (s->differs || s->reset || s->stopped))
		fail("a stream beside the attack is spoilt");
	seconds = (double)(now_ns() - began) / 1e9;
	return (struct rates){
	    .own = s != NULL ? (double)(s->got - own) / seconds : 0,
	    .other = (double)(honest->bytes - other) / seconds};
}

/* The best of some windows, until in one or another both are a quarter of plain's:
 * a machine that is busy for a second slows down one or two, an attack all. */
static struct rates
measure_best(struct peer *p, struct stream *s, struct rates plain)
{
	struct rates best = {0};

	for (int w = 0; w < 20 && (best.own < plain.own / 4 ||
				      best.other < plain.other / 4);
	     w++) {
		struct rates r = measure(p, s, 500, NULL, NULL);

		best.own = r.own > best.own ? r.own : best.own;
		best.other = r.other > best.other ? r.other : best.other;
	}
	return best;
}

static void
print_rates(const char *name, struct rates r)
{
	printf("%s_own=%.0f %s_other=%.0f\n", name, r.own, name, r.other);
}

/* ---- flood: a stream every millisecond, never finished ---- */

struct flood {
	struct peer *p;
	const char *line;
	struct stream *held[MAX_HELD];
	size_t n, oldest;
	unsigned asked, full, yes, busy, no;
};

static void
flood_judge(struct flood *f, const struct stream *s)
{
	if (!s->has_line)
		return;
	if (strncmp(s->line, "ok", 2) == 0)
		f->yes++;
	else if (strncmp(s->line, "no reason=busy", 14) == 0)
		f->busy++;
	else
		f->no++;
}

/* Whoever had no answer when his turn comes did not get one. */
static void
flood_step(void *arg)
{
	struct flood *f = arg;
	struct stream *s = peer_open(f->p, f->line, strlen(f->line));

	if (s != NULL) {
		f->asked++;
		f->held[(f->oldest + f->n) % MAX_HELD] = s;
		f->n++;
	} else {
		f->full++;
	}
	if (f->n < MAX_HELD && s != NULL)
		return;
	if (f->n == 0)
		return;
	s = f->held[f->oldest];
	f->oldest = (f->oldest + 1) % MAX_HELD;
	f->n--;
	flood_judge(f, s);
	quic_reset(f->p->q, s->id, 7);
	quic_stop(f->p->q, s->id, 7);
}

/* flood MS LINE */
static void
flood(char **argv)
{
	struct flood f = {.line = with_newline(argv[1])};
	struct rates plain, attacked_rates;
	struct stream *s;

	honest_start(false);
	f.p = connected();
	s = endless_echo(f.p);
	measure(f.p, s, 500, NULL, NULL);
	plain = measure(f.p, s, 1500, NULL, NULL);
	attacked_rates =
	    measure(f.p, s, (unsigned)atoi(argv[0]), flood_step, &f);
	print_rates("plain", plain);
	print_rates("attacked", attacked_rates);
	for (; f.n > 0; f.n--, f.oldest = (f.oldest + 1) % MAX_HELD) {
		flood_judge(&f, f.held[f.oldest]);
		quic_reset(f.p->q, f.held[f.oldest]->id, 7);
		quic_stop(f.p->q, f.held[f.oldest]->id, 7);
	}
	printf("asked=%u full=%u yes=%u busy=%u no=%u\n", f.asked, f.full,
	    f.yes, f.busy, f.no);
	measure(f.p, s, 1000, NULL, NULL);
	honest_end();
	look_print();
	peer_close(f.p);
}

/* ---- deaf: readers that never read; upload: targets that never read ---- */

static void
deaf_or_upload(char **argv, bool deaf)
{
	int n = atoi(argv[0]), opened = 0, still = 0;
	const char *line = with_newline(argv[1]);
	struct rates plain, attacked_rates;
	struct stream *s, *stuck[MAX_HELD];
	uint64_t now = 0, before = 0;
	struct peer *p;

	honest_start(false);
	p = connected();
	s = endless_echo(p);
	measure(p, s, 300, NULL, NULL);
	plain = measure(p, s, 1000, NULL, NULL);
	for (int i = 0; i < n && i < MAX_HELD; i++) {
		struct stream *d = peer_open(p, line, strlen(line));

		if (d == NULL)
			break;
		stuck[opened++] = d;
		d->deaf = deaf;
		if (!deaf)
			peer_send(d, ENDLESS, false);
	}
	/* Until nothing of them moves any more: before that they have a right to
	 * their part. */
	for (int tries = 0; tries < 50 && still < 3; tries++) {
		measure(p, s, 200, NULL, NULL);
		before = now;
		now = 0;
		for (int i = 0; i < opened; i++)
			now += stuck[i]->got + stuck[i]->sent;
		still = now != 0 && now == before ? still + 1 : 0;
	}
	printf("stuck=%d\n", still == 3);
	attacked_rates = measure_best(p, s, plain);
	print_rates("plain", plain);
	print_rates("attacked", attacked_rates);
	printf("opened=%d\n", opened);
	honest_end();
	look_print();
	peer_close(p);
}

static void
deaf(char **argv)
{
	deaf_or_upload(argv, true);
}

static void
upload(char **argv)
{
	deaf_or_upload(argv, false);
}

/* ---- stall: handshakes that are begun and never go on ---- */

/* stall N: from the peer's own endpoint and from another one, hellos of its own
 * key and a recorded one again and again; then all that together with a dial of
 * the same key from the same endpoint. */
static void
stall(char **argv)
{
	static uint8_t buf[QUIC_WRITE_MAX], old[QUIC_WRITE_MAX];
	int n = atoi(argv[0]), other = peer_socket(0), tries, in = 0;
	struct peer *p = peer_new(psk, port, &attacked);
	size_t len, old_len = make_hello(psk, old);
	uint64_t before;

	honest_start(true);
	before = honest->entries;
	for (int i = 0; i < n; i++) {
		len = make_hello(psk, buf);
		peer_put(p, buf, len, len);
		peer_put_to(other, &attacked, buf, len, len);
		peer_put(p, old, old_len, old_len);
		if (i % 50 == 0)
			peer_read(p);
		look();
	}
	printf("honest_entries=%llu honest_lost=%llu\n",
	    (unsigned long long)(honest->entries - before),
	    (unsigned long long)honest->lost);
	printf("stalled=%d out=%llu in=%llu\n", n, (unsigned long long)p->out,
	    (unsigned long long)p->in);
	check_silent(other, "a known key at another address");
	printf("amplified=%d\n", p->in > p->out);
	/* The key's own owner, while somebody plays his first packet again and
	 * makes some up, 2000 a second. */
	for (tries = 0; tries < 5; tries++) {
		uint64_t end = now_ns() + 10000000000ull, at = now_ns();
		unsigned got = p->established;

		quic_free(p->q);
		p->q = NULL;
		p->end = QUIC_ALIVE;
		quic_dial(&p->q, &p->config, now_ns());
		while (p->established == got && now_ns() < end) {
			for (; now_ns() >= at; at += 1000000) {
				peer_put(p, old, old_len, old_len);
				make_garbage(10, old, old_len, buf);
				peer_put(p, buf, 1200, 1200);
			}
			peer_turn(p, 1000000);
		}
		in += p->established != got;
	}
	printf("tries=%d in=%d\n", tries, in);
	honest_end();
	look_print();
}

/* ---- datagrams of streams that are not there ---- */

static bool datagram_came;

static void
datagram_got(struct peer *p, const uint8_t *data, size_t len)
{
	(void)p;
	datagram_came |= len >= 5 && memcmp(data + len - 4, "ping", 4) == 0;
}

/* datagrams N LINE: N of each kind; LINE opens a flow to an echo */
static void
datagrams(char **argv)
{
	static const struct {
		const char *bytes;
		size_t len;
	} kinds[] = {
	    {"", 0},
	    {"\x40", 1},
	    {"\xff\xff\xff\xff\xff\xff\xff\xff data", 13},
	    {"\xc0\0\0\0\0\0\0\1x", 9},
	    {"\x04ping", 5},
	    {"\x80\x01\0\0ping", 8},
	    {"\x01ping", 5},
	    {"\x00ping", 5},
	};
	uint64_t n = strtoull(argv[0], NULL, 10);
	struct peer *p = connected();
	const char *line = with_newline(argv[1]);
	static const uint8_t ping[] = {'p', 'i', 'n', 'g'};
	uint8_t tag[16] = {0};
	struct stream *s;

	fence(p); /* stream 0 is over */
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		p->datagram = (const uint8_t *)kinds[i].bytes;
		p->datagram_len = kinds[i].len;
		p->datagrams = n;
		while (p->datagrams > 0 && p->end == QUIC_ALIVE)
			peer_turn(p, 1000000);
		fence(p);
	}
	s = peer_open(p, line, strlen(line));
	peer_until(p, &s->has_line, 10000);
	printf("answer=%s\n", outcome(s));
	p->datagram_got = datagram_got;
	tag[0] = 0x80;
	tag[2] = (uint8_t)(s->id >> 8);
	tag[3] = (uint8_t)s->id;
	memcpy(tag + 4, ping, sizeof(ping));
	p->datagram = tag;
	p->datagram_len = 8;
	for (int i = 0; i < 50 && !datagram_came; i++) {
		p->datagrams = 1;
		peer_until(p, &datagram_came, 100);
	}
	printf("echo=%d\n", datagram_came);
	look_print();
	peer_close(p);
}

/* ---- listen: asks for ports ---- */

/* listen N LINE-WITHOUT-ID */
static void
listen_flood(char **argv)
{
	int n = atoi(argv[0]), at = 0;
	struct flood f = {.p = connected()};
	char *line;

	while (at < n) {
		for (int i = 0; i < 20 && at < n; i++, at++) {
			if (asprintf(&line, "%s id=%d\n", argv[1], at) == -1)
				fail("out of memory");
			f.line = line;
			flood_step(&f);
		}
		/* the first ones are waited for, the others are not */
		peer_for(f.p, at <= 240 ? 50 : 1);
		look();
		if (f.p->end != QUIC_ALIVE)
			fail("the connection is %s", quic_end_name(f.p->end));
	}
	peer_for(f.p, 300);
	for (; f.n > 0; f.n--, f.oldest = (f.oldest + 1) % MAX_HELD) {
		flood_judge(&f, f.held[f.oldest]);
		quic_reset(f.p->q, f.held[f.oldest]->id, 7);
		quic_stop(f.p->q, f.held[f.oldest]->id, 7);
	}
	printf("asked=%u full=%u yes=%u busy=%u no=%u\n", f.asked, f.full,
	    f.yes, f.busy, f.no);
	peer_for(f.p, 1000);
	look_print();
	peer_close(f.p);
}

static const struct verb verbs[] = {
    {"datagrams", 2, datagrams},
    {"deaf", 2, deaf},
    {"flood", 2, flood},
    {"listen", 2, listen_flood},
    {"stall", 1, stall},
    {"upload", 2, upload},
};

int
main(int argc, char **argv)
{
	return attacker_main(
	    argc, argv, verbs, sizeof(verbs) / sizeof(verbs[0]));
}
