/* SPDX-License-Identifier: ISC */
/* What the hostile peers of nat-pipe have in common: options, a look at the
 * attacked process, an honest peer that runs beside. For tests/tools/pipe-attack.c
 * and pipe-stranger.c:
 *
 * usage: PROGRAM [-k keyfile] [-P KEY] [-p port] [-o host:port]
 *            [-K keyfile -q port] [-e pid] verb [argument ...]
 *
 * -k, -p: ours; -P, -o: the attacked one's; -K, -q: of an honest peer, who runs
 * beside the attack; -e: the attacked process, whose memory and descriptors are
 * looked at.
 *
 * Prints name=value for the test to judge; exit code 1 and a sentence: the
 * attacked one did what it must not do, whatever was asked. */
#ifndef NATKIT_TESTS_PIPE_ATTACKER_H
#define NATKIT_TESTS_PIPE_ATTACKER_H

#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "key.h"
#include "pipe-peer.h"

#define PROGRAM "open to=program\n"

static uint8_t priv[KEY_LEN], pub[KEY_LEN], peer_key[KEY_LEN];
static uint8_t psk[PSK_LEN], honest_psk[PSK_LEN];
static uint8_t peer_psk[PSK_LEN]; /* of what the attacked one begins */
static uint16_t port, honest_port;
static struct addr attacked;
static long pid;

struct verb {
	const char *name;
	int arguments; /* at least */
	void (*run)(char **argv);
};

/* ---- the attacked process ---- */

static inline long
rss_kib(void)
{
	char name[64], line[200];
	long kib = 0;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%ld/status", pid);
	f = fopen(name, "r");
	if (f == NULL)
		fail("process %ld is gone", pid);
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	fclose(f);
	return kib;
}

static inline long
descriptors(void)
{
	char name[64];
	long n = -2; /* . and .. */
	DIR *d;

	snprintf(name, sizeof(name), "/proc/%ld/fd", pid);
	d = opendir(name);
	if (d == NULL)
		fail("process %ld is gone", pid);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static long rss_before, rss_max, fds_before, fds_max;
static uint64_t looked_ns;

static inline void
look(void)
{
	long rss, fds;

	if (pid == 0 || now_ns() - looked_ns < 50000000)
		return;
	looked_ns = now_ns();
	rss = rss_kib();
	fds = descriptors();
	if (rss_before == 0) {
		rss_before = rss;
		fds_before = fds;
	}
	rss_max = rss > rss_max ? rss : rss_max;
	fds_max = fds > fds_max ? fds : fds_max;
}

static inline void
look_print(void)
{
	looked_ns = 0;
	look();
	printf("rss_before=%ld rss_max=%ld fds_before=%ld fds_max=%ld "
	       "rss_after=%ld fds_after=%ld\n",
	    rss_before, rss_max, fds_before, fds_max, rss_kib(), descriptors());
}

/* ---- an honest peer, in a process of its own ---- */

static struct honest {
	volatile uint64_t bytes;   /* that came back */
	volatile uint64_t entries; /* connections that were made */
	volatile uint64_t lost;
	volatile bool stop, dials, up;
} * honest;
static pid_t honest_pid;

static inline bool
echo_byte(struct peer *p)
{
	struct stream *s = peer_open(p, PROGRAM, sizeof(PROGRAM) - 1);

	s->echo = true;
	peer_send(s, 1, true);
	peer_until(p, &s->fin_got, 20000);
	return s->got == 1 && !s->differs;
}

__attribute__((noreturn)) static inline void
be_honest(void)
{
	struct peer *p = peer_new(honest_psk, honest_port, &attacked);
	struct stream *s = NULL;

	while (!honest->stop) {
		if (p->q == NULL || p->end != QUIC_ALIVE) {
			s = NULL;
			if (!peer_dial(p)) {
				honest->lost++;
				continue;
			}
			if (!echo_byte(p))
				fail("an honest peer got no echo");
			honest->entries++;
			honest->up = true;
		}
		if (honest->dials) {
			peer_close(p);
			continue;
		}
		if (s == NULL) {
			s = peer_open(p, PROGRAM, sizeof(PROGRAM) - 1);
			s->echo = true;
			peer_send(s, ENDLESS, false);
		}
		peer_turn(p, 20000000);
		honest->bytes = s->got;
		if (s->differs || s->reset || s->stopped ||
		    p->end != QUIC_ALIVE)
			fail("an honest peer's stream: %s%s",
			    s->differs ? "other bytes came back " : "",
			    quic_end_name(p->end));
	}
	peer_close(p);
	_exit(0);
}

static inline void
honest_start(bool dials)
{
	honest = mmap(NULL, sizeof(*honest), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	honest->dials = dials;
	honest_pid = fork();
	if (honest_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		be_honest();
	}
	for (int i = 0; !honest->up && i < 1000; i++)
		usleep(10000);
	if (!honest->up)
		fail("the honest peer does not get in");
}

static inline void
honest_end(void)
{
	int status;

	honest->stop = true;
	if (waitpid(honest_pid, &status, 0) != honest_pid || status != 0)
		fail("the honest peer has failed");
}

/* ---- what many begin with ---- */

static inline struct peer *
connected(void)
{
	struct peer *p = peer_new(psk, port, &attacked);

	if (!peer_dial(p))
		fail("no connection: %s", quic_end_name(p->end));
	return p;
}

static inline struct stream *
endless_echo(struct peer *p)
{
	struct stream *s = peer_open(p, PROGRAM, sizeof(PROGRAM) - 1);

	s->echo = true;
	peer_send(s, ENDLESS, false);
	peer_until(p, &s->has_line, 20000);
	if (strcmp(s->line, "ok") != 0)
		fail("no stream for an echo: %s", s->line);
	return s;
}

/* The echo of one byte: whatever was sent before to that socket was read, and
 * answered if it is. */
static inline void
fence(struct peer *p)
{
	if (!echo_byte(p))
		fail("no echo: %s", quic_end_name(p->end));
}

static inline char *
with_newline(const char *text)
{
	char *line = malloc(strlen(text) + 2);

	sprintf(line, "%s\n", text);
	return line;
}

static inline const char *
outcome(const struct stream *s)
{
	static char text[PEER_LINE + 20];

	if (s->has_line)
		snprintf(text, sizeof(text), "%.*s", (int)s->line_len, s->line);
	else
		snprintf(text, sizeof(text), "%s",
		    s->reset	 ? "reset"
		    : s->stopped ? "stopped"
		    : s->fin_got ? "ended"
				 : "nothing");
	return text;
}

/* ---- what nobody has asked for ---- */

static inline size_t
make_hello(const uint8_t with[PSK_LEN], uint8_t *buf)
{
	struct quic_config c = {.psk = with,
	    .peer_psk = with,
	    .calls = &peer_calls,
	    .stream_window = 65536,
	    .window = 65536,
	    .streams = 1};
	size_t len, seg;
	struct quic *q;

	if (quic_dial(&q, &c, now_ns()) != 0)
		fail("out of memory");
	len = quic_write(q, buf, QUIC_WRITE_MAX, 1452, &seg, now_ns());
	quic_free(q);
	return len;
}

#define GARBAGE 12

/* One of GARBAGE kinds of what nobody has asked for. real: a packet to spoil.
 * Returns its length, at most 1452. */
static inline size_t
make_garbage(unsigned kind, const uint8_t *real, size_t real_len, uint8_t *out)
{
	size_t len = 1 + randombytes_uniform(1400);

	randombytes_buf(out, 1452);
	switch (kind) {
	case 0: /* noise */
		return len;
	case 1: /* cut off */
		memcpy(out, real, real_len);
		return 1 + randombytes_uniform((uint32_t)real_len);
	case 2: /* a bit flipped */
		memcpy(out, real, real_len);
		out[randombytes_uniform((uint32_t)real_len)] ^=
		    (uint8_t)(1 << randombytes_uniform(8));
		return real_len;
	case 3: /* a version that nobody has: servers use to answer that */
		out[0] = 0xc0;
		memcpy(out + 1, "\x1a\x2a\x3a\x4a\x10", 5);
		return 1300;
	case 4: /* Version Negotiation */
		out[0] = 0x80;
		memcpy(out + 1, "\0\0\0\0\x10", 5);
		memcpy(out + 6, real + 1, 16);
		out[22] = 16;
		return 55;
	case 5: /* Retry */
		out[0] = 0xf0;
		memcpy(out + 1, "\0\0\0\1\x10", 5);
		memcpy(out + 6, real + 1, 16);
		out[22] = 16;
		return 100;
	case 6: /* Handshake and 0-RTT */
		out[0] = randombytes_uniform(2) ? 0xe0 : 0xd0;
		memcpy(out + 1, "\0\0\0\1\x10", 5);
		out[22] = 16;
		return 1200;
	case 7: /* a stateless reset, with a token that is none */
		out[0] = 0x40 | (out[0] & 0x3f);
		memcpy(out + 1, real + 1, 16);
		return 43;
	case 8: /* another connection's */
		out[0] = 0x40 | (out[0] & 0x3f);
		return 22 + len % 1400;
	case 9: /* what looks like STUN */
		memcpy(out, "\0\1\0\x08\x21\x12\xa4\x42", 8);
		memcpy(out + 20, "\x80\x28\0\4", 4);
		return 28;
	case 10: /* what says Initial and is none */
		out[0] = 0xc3;
		memcpy(out + 1, "\0\0\0\1\x10", 5);
		out[22] = 16;
		out[39] = 0;
		out[40] = 0x44;
		return 1200;
	default: /* a packet again */
		memcpy(out, real, real_len);
		return real_len;
	}
}

static inline void
check_silent(int fd, const char *who)
{
	uint8_t buf[2048];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n >= 0)
		fail("%s got %zd bytes for an answer", who, n);
}

/* ---- the command line ---- */

static inline void
load(const char *path, uint8_t out[PSK_LEN])
{
	bool loose;

	if (key_load(priv, pub, path, &loose) != 0 ||
	    psk_derive(out, priv, pub, peer_key, true) != 0 ||
	    psk_derive(peer_psk, priv, pub, peer_key, false) != 0)
		fail("%s: no key", path);
}

static inline int
attacker_main(int argc, char **argv, const struct verb *verbs, size_t n)
{
	const char *own = NULL, *other = NULL;
	int ch;

	signal(SIGPIPE, SIG_IGN);
	if (sodium_init() == -1)
		fail("libsodium can't start");
	while ((ch = getopt(argc, argv, "+k:P:p:o:K:q:e:")) != -1)
		if (ch == 'k')
			own = optarg;
		else if (ch == 'K')
			other = optarg;
		else if (ch == 'p')
			port = (uint16_t)atoi(optarg);
		else if (ch == 'q')
			honest_port = (uint16_t)atoi(optarg);
		else if (ch == 'e')
			pid = atol(optarg);
		else if ((ch == 'P' && key_parse_public(peer_key, optarg)) ||
			 (ch == 'o' && addr_parse(&attacked, optarg)) ||
			 ch == '?')
			fail("bad option");
	if (other != NULL)
		load(other, honest_psk);
	if (own != NULL)
		load(own, psk);
	argv += optind;
	argc -= optind;
	for (size_t i = 0; argc > 0 && i < n; i++)
		if (strcmp(argv[0], verbs[i].name) == 0 &&
		    argc > verbs[i].arguments) {
			verbs[i].run(argv + 1);
			return 0;
		}
	fail("usage: see the head of pipe-attack.c");
}

#endif
