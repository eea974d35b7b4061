/* SPDX-License-Identifier: ISC */
/* Binding requests per second of nat-stund, of coturn's turnserver and of a
 * bare loop that receives and sends in batches and looks at nothing, side by
 * side: over loopback in a network namespace of its own, all servers on CPU 0
 * and this program, the generator, on CPU 1. All three run all the time; the
 * rounds are interleaved, and what counts is the median of the rounds.
 *
 * A request is the plainest there is (20 bytes, RFC 8489 section 5). The bare
 * loop answers each with as many bytes as nat-stund's answer has, from a
 * socket with the same buffers. They come from 32 clients that ask without
 * end, and from ever new ones, each with an address of its own, that ask four
 * times: so are a public server's, and what it keeps of each has its price.
 *
 * coturn: --stun-only, UDP only, one relay thread (-m 0, 1 and 2 are within
 * 2 % of each other here), and without SOFTWARE, MAPPED-ADDRESS and
 * RESPONSE-ORIGIN, which gives it 4 %: as fast as it gets. nat-stund with one
 * address and its limit of requests per source out of the way.
 *
 * usage: [NATKIT_BUILD=build] bench_stund [rounds [milliseconds]] */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cursor.h"
#include "loop.h"
#include "stun.h"

#define BATCH 32
#define SOURCES 32
#define WINDOW 16 /* of each source; the ratios hardly depend on either */
_Static_assert(WINDOW <= BATCH, "a window is sent at once");
#define ROUNDS_MAX 101
#define SOCKET_BUFFER (4 << 20)
#define ANSWER_MAX 512
#define CHILDREN 8

#define FIRST_CLIENT 0x7f400000 /* 127.64.0.0 */
#define CLIENTS (1u << 17) /* addresses of each socket; enough for a round */
#define ASKS 4		   /* requests of each client that is new */
_Static_assert(CLIENTS *SOURCES <= 1 << 22, "all are loopback's");

/* What the issue asks for. */
#define GOAL_COTURN 1.8
#define GOAL_ECHO 0.90
/* With less of its CPU, percent, a server was not what limited the rate. */
#define BUSY 90

struct contestant {
	const char *name;
	uint16_t port;
	bool stun; /* the answers can be checked */
	pid_t pid;
	size_t answer; /* bytes */
	double rate[ROUNDS_MAX], per_cpu[ROUNDS_MAX], busy[ROUNDS_MAX];
	uint64_t lost, wrong;
};

enum {
	NAT_STUND,
	COTURN,
	ECHO,
	CONTESTANTS
};

static struct contestant all[CONTESTANTS] = {
    [NAT_STUND] = {.name = "nat-stund", .port = 3478, .stun = true},
    [COTURN] = {.name = "coturn turnserver", .port = 3488, .stun = true},
    [ECHO] = {.name = "bare echo loop", .port = 3498},
};

struct batch {
	struct mmsghdr hdr[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_in from[BATCH];
	uint8_t data[BATCH][ANSWER_MAX];
	_Alignas(struct cmsghdr) char control[BATCH][CMSG_SPACE(
	    sizeof(struct in_pktinfo))];
};

static struct source {
	int fd;
	int open;	/* requests without an answer */
	uint32_t first; /* of its clients' addresses; 0: it is the client */
	uint32_t asked; /* so often */
} sources[SOURCES];
static struct batch in, out;
static uint32_t serial;

static void
end_all(void)
{
	for (int i = 0; i < CONTESTANTS; i++)
		if (all[i].pid > 0)
			kill(all[i].pid, SIGTERM);
}

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set); /* one CPU is fine too */
}

/* Rules and connection tracking of the machine are not to be measured. */
static void
own_network(void)
{
	struct ifreq r = {.ifr_name = "lo"};
	int fd;

	if (unshare(CLONE_NEWNET) == -1 &&
	    unshare(CLONE_NEWUSER | CLONE_NEWNET) == -1)
		die("unshare");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	if (fd == -1 || ioctl(fd, SIOCSIFFLAGS, &r) == -1)
		die("lo");
	close(fd);
}

static struct sockaddr_in
local(uint16_t port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};

	sin.sin_port = htons(port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sin;
}

static int
udp_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = SOCKET_BUFFER;

	if (fd == -1)
		die("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ==
	    -1)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) ==
	    -1)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

static void
batch_init(struct batch *b, bool named)
{
	for (int i = 0; i < BATCH; i++) {
		b->iov[i].iov_base = b->data[i];
		b->iov[i].iov_len = sizeof(b->data[i]);
		b->hdr[i].msg_hdr.msg_iov = &b->iov[i];
		b->hdr[i].msg_hdr.msg_iovlen = 1;
		if (named) {
			b->hdr[i].msg_hdr.msg_name = &b->from[i];
			b->hdr[i].msg_hdr.msg_namelen = sizeof(b->from[i]);
		}
	}
}

/* The least that a UDP server can do. */
static void
echo(uint16_t port, size_t answer)
{
	struct sockaddr_in at = local(port);
	int fd = udp_socket();

	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1)
		die("echo");
	batch_init(&in, true);
	for (;;) {
		int n, done = 0;

		for (int i = 0; i < BATCH; i++)
			in.iov[i].iov_len = sizeof(in.data[i]);
		n = recvmmsg(fd, in.hdr, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < n; i++)
			in.iov[i].iov_len = answer;
		while (done < n) {
			int sent = sendmmsg(
			    fd, in.hdr + done, (unsigned int)(n - done), 0);

			if (sent < 0)
				die("echo");
			done += sent;
		}
	}
}

/* A child on CPU 0 that ends with us and says nothing. */
static bool
is_child(struct contestant *c)
{
	int null;

	if ((c->pid = fork()) == -1)
		die("fork");
	if (c->pid > 0)
		return false;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(0);
	null = open("/dev/null", O_RDWR);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	return true;
}

static void
start_nat_stund(struct contestant *c)
{
	const char *build = getenv("NATKIT_BUILD");
	char program[512], port[8], alt[8];

	snprintf(program, sizeof(program), "%s/nat-stund",
	    build == NULL ? "build" : build);
	snprintf(port, sizeof(port), "%u", c->port);
	snprintf(alt, sizeof(alt), "%u", c->port + 1U);
	if (!is_child(c))
		return;
	execl(program, program, "-b", "127.0.0.1", "-p", port, "-P", alt, "-n",
	    "1", "-r", "500000", (char *)NULL);
	perror(program);
	_exit(127);
}

static void
start_coturn(struct contestant *c)
{
	char port[8];

	snprintf(port, sizeof(port), "%u", c->port);
	if (!is_child(c))
		return;
	dup2(STDOUT_FILENO, STDERR_FILENO);
	execlp("turnserver", "turnserver", "-n", "--stun-only", "-L",
	    "127.0.0.1", "-p", port, "-m", "1", "--no-tcp", "--no-tls",
	    "--no-dtls", "--no-cli", "--no-auth", "--no-rfc5780",
	    "--no-stun-backward-compatibility",
	    "--response-origin-only-with-rfc5780", "--no-software-attribute",
	    "--log-file=stdout", "--pidfile=/dev/null", "--userdb=/dev/null",
	    (char *)NULL);
	_exit(127);
}

static void
start_echo(struct contestant *c)
{
	if (is_child(c)) {
		echo(c->port, all[NAT_STUND].answer);
		_exit(1);
	}
}

static void
make_request(uint8_t out_msg[STUN_HEADER_LEN])
{
	put_u16(out_msg, 0x0001);
	put_u16(out_msg + 2, 0);
	put_u32(out_msg + 4, STUN_COOKIE);
	put_u32(out_msg + 8, 0x62656e63);
	put_u32(out_msg + 12, 0x68000000);
	put_u32(out_msg + 16, serial++);
}

/* Asks until there is an answer, for 10 s at most; sets its length. */
static void
wait_for(struct contestant *c)
{
	struct sockaddr_in to = local(c->port);
	uint8_t msg[ANSWER_MAX];
	struct pollfd p = {.fd = udp_socket(), .events = POLLIN};
	ssize_t n = -1;

	if (connect(p.fd, (struct sockaddr *)&to, sizeof(to)) == -1)
		die("connect");
	for (int i = 0; i < 200 && n < STUN_HEADER_LEN; i++) {
		if (waitpid(c->pid, NULL, WNOHANG) == c->pid)
			break;
		make_request(msg);
		if (send(p.fd, msg, STUN_HEADER_LEN, 0) != -1 &&
		    poll(&p, 1, 50) == 1)
			n = recv(p.fd, msg, sizeof(msg), 0);
		if (n == -1)
			poll(NULL, 0, 50); /* refused: not there yet */
	}
	close(p.fd);
	if (n < STUN_HEADER_LEN) {
		fprintf(stderr, "bench_stund: %s does not answer\n", c->name);
		exit(1);
	}
	c->answer = (size_t)n;
}

/* User and system, of a process and its children (nat-stund may have
 * workers). */
static double
cpu_seconds(pid_t pid)
{
	struct timespec ts = {0};
	char path[64], line[256] = "", *at = line, *end;
	clockid_t id;
	double sum;
	FILE *f;

	if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &ts) != 0)
		die("a server has ended");
	sum = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid,
	    (int)pid);
	if ((f = fopen(path, "r")) != NULL) {
		if (fgets(line, sizeof(line), f) == NULL)
			line[0] = '\0';
		fclose(f);
	}
	for (int i = 0; i < CHILDREN; i++, at = end) {
		pid_t child = (pid_t)strtol(at, &end, 10);

		if (end == at || child <= 0)
			break;
		if (clock_getcpuclockid(child, &id) == 0 &&
		    clock_gettime(id, &ts) == 0)
			sum += (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
	}
	return sum;
}

/* Whose request this is. */
static void
set_client(struct msghdr *mh, char *control, struct source *s)
{
	struct in_pktinfo info = {.ipi_ifindex = 0};
	struct cmsghdr *c;

	mh->msg_control = NULL;
	mh->msg_controllen = 0;
	if (s->first == 0)
		return;
	info.ipi_spec_dst.s_addr =
	    htonl(s->first + s->asked++ / ASKS % CLIENTS);
	mh->msg_control = control;
	mh->msg_controllen = CMSG_SPACE(sizeof(info));
	c = CMSG_FIRSTHDR(mh);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

static void
send_more(struct source *s)
{
	int n = WINDOW - s->open, done = 0;

	for (int i = 0; i < n; i++) {
		make_request(out.data[i]);
		set_client(&out.hdr[i].msg_hdr, out.control[i], s);
	}
	while (done < n) {
		int sent = sendmmsg(
		    s->fd, out.hdr + done, (unsigned int)(n - done), 0);

		if (sent < 0)
			die("sendmmsg");
		done += sent;
	}
	s->open += n;
}

/* Returns how many answers there were. */
static int
take(struct contestant *c, struct source *s)
{
	int n = recvmmsg(s->fd, in.hdr, BATCH, MSG_DONTWAIT, NULL);

	if (n < 0 && errno != EAGAIN)
		die("recvmmsg");
	for (int i = 0; i < n; i++)
		if (in.hdr[i].msg_len != c->answer ||
		    (c->stun && (in.data[i][0] != 1 || in.data[i][1] != 1)))
			c->wrong++;
	if (n > 0) /* some may have been given up too early */
		s->open = n < s->open ? s->open - n : 0;
	return n < 0 ? 0 : n;
}

/* Nothing came from anybody for 20 ms: it never will. */
static void
give_up(struct contestant *c)
{
	struct pollfd p[SOURCES];

	for (int i = 0; i < SOURCES; i++)
		p[i] = (struct pollfd){.fd = sources[i].fd, .events = POLLIN};
	if (poll(p, SOURCES, 20) != 0)
		return;
	for (int i = 0; i < SOURCES; i++) {
		c->lost += (uint64_t)sources[i].open;
		sources[i].open = 0;
	}
}

/* Keeps the windows full for so long. Returns the answers that came. */
static uint64_t
generate(struct contestant *c, uint64_t duration_us)
{
	uint64_t end_us = now_us() + duration_us, answers = 0;

	do {
		int n = 0;

		for (int i = 0; i < SOURCES; i++) {
			struct source *s = &sources[i];

			n += take(c, s);
			if (s->open <= WINDOW / 2)
				send_more(s);
		}
		answers += (uint64_t)n;
		if (n == 0)
			give_up(c);
	} while (now_us() < end_us);
	return answers;
}

static void
drain(struct contestant *c)
{
	int open = 1;

	while (open > 0) {
		int n = 0;

		open = 0;
		for (int i = 0; i < SOURCES; i++) {
			n += take(c, &sources[i]);
			open += sources[i].open;
		}
		if (n == 0 && open > 0)
			give_up(c);
	}
}

/* A socket that is connected has one address. */
static void
open_sources(uint16_t port, bool many)
{
	struct sockaddr_in to = local(port);

	for (uint32_t i = 0; i < SOURCES; i++) {
		sources[i] = (struct source){.fd = udp_socket(),
		    .first = many ? FIRST_CLIENT + i * CLIENTS : 0};
		if (!many && connect(sources[i].fd, (struct sockaddr *)&to,
				 sizeof(to)) == -1)
			die("connect");
	}
	for (int i = 0; i < BATCH; i++) {
		out.from[i] = to;
		out.hdr[i].msg_hdr.msg_name = many ? &out.from[i] : NULL;
		out.hdr[i].msg_hdr.msg_namelen = many ? sizeof(to) : 0;
	}
}

static void
measure(struct contestant *c, bool many, int round, uint64_t duration_us)
{
	uint64_t answers, from_us;
	double cpu, wall;

	open_sources(c->port, many);
	generate(c, duration_us / 10); /* to warm up */
	cpu = cpu_seconds(c->pid);
	from_us = now_us();
	answers = generate(c, duration_us);
	wall = (double)(now_us() - from_us) / 1e6;
	cpu = cpu_seconds(c->pid) - cpu;
	drain(c);
	for (int i = 0; i < SOURCES; i++)
		close(sources[i].fd);
	c->rate[round] = (double)answers / wall;
	c->per_cpu[round] = (double)answers / cpu;
	c->busy[round] = 100 * cpu / wall;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
median(const double *values, int n)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, values, (size_t)n * sizeof(*values));
	qsort(sorted, (size_t)n, sizeof(*sorted), compare);
	return (sorted[n / 2] + sorted[(n - 1) / 2]) / 2;
}

/* The ratio of each round: its two rates were measured within a second. goal
 * 0: there is none. */
static void
report_ratio(const char *what, int a, int b, double goal, int rounds)
{
	double wall[ROUNDS_MAX], cpu[ROUNDS_MAX], by_wall, by_cpu;

	for (int i = 0; i < rounds; i++) {
		wall[i] = all[a].rate[i] / all[b].rate[i];
		cpu[i] = all[a].per_cpu[i] / all[b].per_cpu[i];
	}
	by_wall = median(wall, rounds);
	by_cpu = median(cpu, rounds);
	printf("%-28s %12.2f %12.2f", what, by_wall, by_cpu);
	if (goal > 0)
		printf("   goal %.2f: %s, per CPU s %s", goal,
		    by_wall >= goal ? "reached" : "NOT REACHED",
		    by_cpu >= goal ? "reached" : "NOT REACHED");
	printf("\n");
}

static void
report(const char *title, int rounds)
{
	printf("%-28s %12s %12s %6s %7s %6s\n", title, "per second",
	    "per CPU s", "CPU %", "answer", "lost");
	for (int i = 0; i < CONTESTANTS; i++) {
		struct contestant *c = &all[i];

		printf("%-28s %12.0f %12.0f %6.0f %7zu %6llu\n", c->name,
		    median(c->rate, rounds), median(c->per_cpu, rounds),
		    median(c->busy, rounds), c->answer,
		    (unsigned long long)c->lost);
		if (c->wrong > 0)
			printf("%-28s %12llu answers were not right\n", c->name,
			    (unsigned long long)c->wrong);
	}
	report_ratio(
	    "nat-stund / coturn", NAT_STUND, COTURN, GOAL_COTURN, rounds);
	report_ratio(
	    "nat-stund / bare loop", NAT_STUND, ECHO, GOAL_ECHO, rounds);
	/* what the kernel's UDP path leaves to be gained */
	report_ratio("bare loop / coturn", ECHO, COTURN, 0, rounds);
	for (int i = 0; i < CONTESTANTS; i++)
		if (median(all[i].busy, rounds) < BUSY) {
			printf("Others used this machine: only the figures per "
			       "CPU second count.\n");
			break;
		}
}

/* Returns whether nat-stund's answers were right. */
static bool
run(bool many, int rounds, uint64_t duration_us)
{
	for (int i = 0; i < CONTESTANTS; i++)
		all[i].lost = all[i].wrong = 0;
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < CONTESTANTS; i++)
			measure(&all[(i + round) % CONTESTANTS], many, round,
			    duration_us);
	report(
	    many ? "Binding, ever new clients" : "Binding, 32 clients", rounds);
	return all[NAT_STUND].wrong == 0;
}

int
main(int argc, char **argv)
{
	bool right;
	long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 9;
	long ms = argc > 2 ? strtol(argv[2], NULL, 10) : 500;

	if (rounds < 1 || rounds > ROUNDS_MAX || ms < 10) {
		fprintf(stderr, "usage: bench_stund [rounds [milliseconds]]\n");
		return 100;
	}
	own_network();
	pin(1);
	atexit(end_all);
	start_nat_stund(&all[NAT_STUND]);
	start_coturn(&all[COTURN]);
	wait_for(&all[NAT_STUND]);
	start_echo(&all[ECHO]);
	wait_for(&all[COTURN]);
	wait_for(&all[ECHO]);
	batch_init(&in, false);
	batch_init(&out, false);
	for (int i = 0; i < BATCH; i++)
		out.iov[i].iov_len = STUN_HEADER_LEN;
	right = run(false, (int)rounds, (uint64_t)ms * 1000);
	printf("\n");
	return run(true, (int)rounds, (uint64_t)ms * 1000) && right ? 0 : 1;
}
