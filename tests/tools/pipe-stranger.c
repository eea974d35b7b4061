/* SPDX-License-Identifier: ISC */
/* Attacks on nat-pipe by strangers, and by a peer that has a key, with what is
 * no sense, over real UDP on loopback, for tests/e2e/pipe-attacks.bats. The
 * command line is tests/pipe-attacker.h's. */
#include "../pipe-attacker.h"

/* ---- ask: what is answered to these first lines ---- */

static void
ask_one(struct peer *p, const char *line, size_t len, const char *name)
{
	struct stream *s = peer_open(p, line, len);
	uint64_t end = now_ns() + 40ull * 1000000000u;

	if (s == NULL)
		fail("no more streams");
	while (!s->has_line && !s->reset && !s->stopped && !s->fin_got &&
	       p->end == QUIC_ALIVE && now_ns() < end)
		peer_turn(p, 20000000);
	if (p->end != QUIC_ALIVE)
		fail("%s: the connection is %s", name, quic_end_name(p->end));
	printf("%s: %s\n", name, outcome(s));
	quic_reset(p->q, s->id, 0);
	quic_stop(p->q, s->id, 0);
}

static void
ask(char **argv)
{
	struct peer *p = connected();

	for (; *argv != NULL; argv++) {
		char *line = malloc(strlen(*argv) + 2);

		sprintf(line, "%s\n", *argv);
		ask_one(p, line, strlen(line), *argv);
	}
	peer_close(p);
}

/* ---- lines: first lines that are none ---- */

static void
lines(char **argv)
{
	struct peer *p = connected();
	char *big = malloc(1 << 20);
	static char mid[2][520];
	size_t at;

	(void)argv;
	memset(big, 'a', 1 << 20);
	ask_one(p, big, 1 << 20, "endless");
	ask_one(p, "open to=program\0\n", 17, "nul");
	ask_one(p, "\0\n", 2, "nul-alone");
	ask_one(p, "\n", 1, "empty");
	ask_one(p, "open to=program\r\n", 17, "cr");
	ask_one(p, " open to=program\n", 17, "blank");
	ask_one(p, "open to=program to=tcp\n", 23, "twice");
	ask_one(p, "open\n", 5, "bare");
	ask_one(p, "close to=program\n", 17, "verb");
	ask_one(p, "open to=tcp host=127.0.0.1 port=00022\n", 38, "zeros");
	ask_one(p, "open to=tcp host=127.0.0.1 port=65558\n", 38, "wraps");
	ask_one(p, "open to=tcp host=127.0.0.1 port=-1\n", 35, "minus");
	ask_one(p, "open to=tcp host= port=22\n", 26, "no-host");
	ask_one(p, "open to=tcp host=%00 port=22\n", 29, "host-nul");
	ask_one(p, "open to=tcp host=a%0ab port=22\n", 31, "host-newline");
	ask_one(p, "open to=unix path=%2e%2e/x\n", 27, "relative");
	ask_one(p, "open to=back id=4294967296\n", 27, "id-wraps");
	ask_one(p, "open to=listen proto=tcp bind=0 id=-1\n", 38, "id-minus");
	/* 511 bytes are a record; 512 are none */
	for (int i = 0; i < 2; i++) {
		at = (size_t)snprintf(mid[i], sizeof(mid[i]),
		    "open to=program x=%0*d", i == 0 ? 493 : 494, 1);
		mid[i][at] = '\n';
		ask_one(p, mid[i], at + 1, i == 0 ? "511" : "512");
	}
	if (!echo_byte(p))
		fail("no echo after all that");
	look_print();
	peer_close(p);
}

/* ---- strangers ---- */

static uint8_t recorded[2048]; /* a packet of the honest connection */
static size_t recorded_len;
static unsigned longs; /* packets with a long header that came to it */

static void
record(struct peer *p, const uint8_t *data, size_t len, size_t seg)
{
	size_t n = len < seg ? len : seg;

	(void)p;
	if (recorded_len == 0 && (data[0] & 0x80) == 0 && n > 30) {
		memcpy(recorded, data, n);
		recorded_len = n;
	}
}

static void
count_longs(struct peer *p, const uint8_t *data, size_t len)
{
	(void)p;
	(void)len;
	longs += (data[0] & 0x80) != 0;
}

static void
mixed_trains(int fd)
{
	uint8_t *buf = malloc(QUIC_WRITE_MAX);

	for (size_t seg = 1; seg < 1452; seg += 97) {
		size_t n = seg * 40 < 60000 ? seg * 40 : 60000;

		randombytes_buf(buf, n);
		peer_put_to(fd, &attacked, buf, n - seg / 2, seg);
	}
	free(buf);
}

static void
strangers(char **argv)
{
	static uint8_t buf[QUIC_WRITE_MAX], wrong[PSK_LEN];
	int count = argv[0] != NULL ? atoi(argv[0]) : 1000, fd[4];
	struct peer *p = peer_new(psk, port, &attacked);
	size_t len;

	p->tap = record;
	if (!peer_dial(p))
		fail("no connection");
	fence(p);
	p->tap = NULL;
	p->heard = count_longs;
	for (int i = 0; i < 4; i++)
		fd[i] = peer_socket(0);
	randombytes_buf(wrong, sizeof(wrong));
	for (int i = 0; i < count; i++) {
		if (i % 10 == 0) {
			len = make_hello(wrong, buf);
			peer_put_to(fd[0], &attacked, buf, len, len);
			/* from where a key is proven to be: another key */
			peer_put(p, buf, len, len);
			len = make_hello(psk, buf);
			peer_put_to(fd[1], &attacked, buf, len, len);
		}
		len = make_garbage(
		    (unsigned)i % GARBAGE, recorded, recorded_len, buf);
		peer_put_to(fd[2], &attacked, buf, len, len);
		if (i % 50 == 49)
			fence(p);
	}
	mixed_trains(fd[3]);
	fence(p);
	check_silent(fd[0], "an unknown key");
	check_silent(fd[1], "a known key at another address");
	check_silent(fd[2], "a stranger");
	check_silent(fd[3], "a stranger with trains");
	if (longs > 0)
		fail("another key at a proven address got %u answers", longs);
	printf("silent=%d\n", count);
	look_print();
	peer_close(p);
}

/* ---- garbage: from the proven endpoint, amid a transfer ---- */

static unsigned injected;

static void
inject(struct peer *p, const uint8_t *data, size_t len, size_t seg)
{
	uint8_t buf[1452];
	size_t n = len < seg ? len : seg, out;

	record(p, data, len, seg);
	if ((data[0] & 0x80) != 0 || n < 30)
		return;
	for (int i = 0; i < 3; i++) {
		out = make_garbage(injected++ % GARBAGE, data, n, buf);
		peer_put(p, buf, out, out);
	}
	if (injected % 300 == 0)
		mixed_trains(p->fd);
}

static void
garbage(char **argv)
{
	uint64_t bytes = strtoull(argv[0], NULL, 10), in, out;
	struct peer *p = connected();
	struct stream *s = peer_open(p, PROGRAM, sizeof(PROGRAM) - 1);
	uint8_t buf[1452];
	size_t len;

	s->echo = true;
	p->tap = inject;
	peer_send(s, bytes, true);
	peer_until(p, &s->fin_got, 60000);
	if (s->got != bytes || s->differs || p->end != QUIC_ALIVE)
		fail("%llu of %llu bytes came back, %s; %s",
		    (unsigned long long)s->got, (unsigned long long)bytes,
		    s->differs ? "spoilt" : "whole", quic_end_name(p->end));
	p->tap = NULL;
	fence(p);
	in = p->in;
	out = p->out;
	for (unsigned i = 0; i < 1000; i++) {
		len = make_garbage(
		    i % 11, recorded_len ? recorded : buf, 1200, buf);
		peer_put(p, buf, len, len);
		if (i % 50 == 49)
			fence(p);
	}
	printf("injected=%u out=%llu in=%llu\n", injected,
	    (unsigned long long)(p->out - out),
	    (unsigned long long)(p->in - in));
	look_print();
	peer_close(p);
}

/* ---- answer: a listener that answers nonsense ---- */

static const char *answer_kind;

static void
answer_opened(struct peer *p, struct stream *s)
{
	static char big[1 << 20];
	static const struct {
		const char *kind, *text;
		size_t len;
	} answers[] = {
	    {"endless", big, sizeof(big)},
	    {"nul", "ok\0\n", 4},
	    {"empty", "\n", 1},
	    {"unknown", "perhaps\n", 8},
	    {"port", "ok port=99999\n", 14},
	    {"escape", "no reason=\033[31mred\033]0;owned\007\n", 29},
	    {"escaped", "no reason=%1b%5b31mred%1b%5d0;x%07\n", 35},
	    {"binary", "\377\376\375\n", 4},
	    {"two", "ok\nok\nok port=1\n", 16},
	    {"silent", "", 0},
	};

	memset(big, 'a', sizeof(big));
	if (strcmp(answer_kind, "reset") == 0)
		quic_reset(p->q, s->id, UINT32_MAX);
	else if (strcmp(answer_kind, "stop") == 0)
		quic_stop(p->q, s->id, (1ull << 62) - 1);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (strcmp(answers[i].kind, answer_kind) == 0) {
			s->head = answers[i].text;
			s->head_len = answers[i].len;
			peer_send(s, 0, strcmp(answer_kind, "two") == 0);
		}
}

/* answer KIND: until it is ended. Also opens streams of its own. */
static void
answer(char **argv)
{
	struct peer *p = peer_new(peer_psk, port, &attacked);
	unsigned had = 0;

	answer_kind = argv[0];
	p->opened = answer_opened;
	p->answers = true;
	printf("ready=1\n");
	fflush(stdout);
	for (;;) {
		peer_turn(p, 100000000);
		if (p->established != had) {
			had = p->established;
			for (int i = 0; i < 20; i++)
				peer_open(p, "open to=back id=1\n", 18);
		}
	}
}

/* ---- enter: one connection and one echo ---- */

static void
enter(char **argv)
{
	struct peer *p = connected();

	(void)argv;
	fence(p);
	peer_close(p);
	printf("in=1\n");
}

static void
print_psk(char **argv)
{
	char hex[2 * PSK_LEN + 1], text[64];

	(void)argv;
	puts(sodium_bin2hex(hex, sizeof(hex), psk, PSK_LEN));
	puts(sodium_bin2base64(
	    text, sizeof(text), psk, PSK_LEN, sodium_base64_VARIANT_ORIGINAL));
	puts(sodium_bin2hex(hex, sizeof(hex), priv, KEY_LEN));
}

static const struct verb verbs[] = {
    {"answer", 1, answer},
    {"ask", 1, ask},
    {"enter", 0, enter},
    {"garbage", 1, garbage},
    {"lines", 0, lines},
    {"psk", 0, print_psk},
    {"strangers", 0, strangers},
};

int
main(int argc, char **argv)
{
	return attacker_main(
	    argc, argv, verbs, sizeof(verbs) / sizeof(verbs[0]));
}
