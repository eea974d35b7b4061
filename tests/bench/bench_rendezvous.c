/* SPDX-License-Identifier: ISC */
/* What one nat-rendezvousd does on one core: registers 100,000 clients over
 * loopback, then takes their keepalives in batches. The server runs on CPU 0
 * and this program, where there is one, on CPU 1; the rate per CPU second
 * counts only the server's own time. The HELLOs are made beforehand.
 *
 * usage: [NATKIT_BUILD=build] bench_rendezvous [clients] */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../rv.h"
#include "loop.h"

#define HELLO_WINDOW 32 /* pending sessions of one address: 64 */
#define WINDOW 256
#define BATCH 64
#define ROUNDS 5

struct bench_client {
	struct rv rv;
	uint8_t hello[200];
	int hello_len;
};

static struct bench_client *clients;
static int n_clients = 100000;
static uint8_t server_secret[KEY_LEN], server_public[KEY_LEN];
static pid_t server;
static int fd = -1;

/* sets for sendmmsg and recvmmsg */
static uint8_t out_data[BATCH][STUN_MAX], in_data[BATCH][STUN_MAX];
static struct iovec out_iov[BATCH], in_iov[BATCH];
static struct mmsghdr out_hdr[BATCH], in_hdr[BATCH];
static int n_out;

static void
die(const char *what)
{
	perror(what);
	if (server > 0)
		kill(server, SIGKILL);
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

static void
write_key(char path[])
{
	char text[KEY_STRLEN];
	int key_fd = mkstemp(path);

	randombytes_buf(server_secret, KEY_LEN);
	crypto_scalarmult_base(server_public, server_secret);
	key_format(server_secret, text);
	if (key_fd == -1 || write(key_fd, text, 44) != 44)
		die(path);
	close(key_fd);
}

/* Starts the server for n clients and connects fd to it. */
static void
start(const char *program, const char *key, int n)
{
	char line[256] = "", num[16];
	struct sockaddr_in sin = {.sin_family = AF_INET};
	int p[2], port, size = 4 << 20;
	FILE *f;

	snprintf(num, sizeof(num), "%d", n);
	if (pipe(p) == -1 || (server = fork()) == -1)
		die("fork");
	if (server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pin(0);
		dup2(p[1], STDOUT_FILENO);
		close(p[0]);
		close(p[1]);
		execl(program, program, "-1", "-k", key, "-b", "127.0.0.1",
		    "-p", "0", "-n", num, "-l", num, "-r", "1000000", "-L",
		    "1000000", "-t", "3600", (char *)NULL);
		_exit(127);
	}
	close(p[1]);
	f = fdopen(p[0], "r");
	if (f == NULL || fgets(line, sizeof(line), f) == NULL ||
	    sscanf(line, "listen endpoint=127.0.0.1:%d", &port) != 1)
		die(program);
	fclose(f);
	sin.sin_port = htons((uint16_t)port);
	inet_pton(AF_INET, "127.0.0.1", &sin.sin_addr);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		die("connect");
}

static void
stop(void)
{
	int status;

	kill(server, SIGTERM);
	waitpid(server, &status, 0);
	close(fd);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fprintf(stderr, "the server did not end well: %d\n", status);
	server = 0;
}

static long
rss_kib(void)
{
	char path[64], line[256];
	long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)server);
	if ((f = fopen(path, "r")) == NULL)
		die(path);
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	fclose(f);
	return kib;
}

/* Of the server, user and system. */
static double
cpu_seconds(void)
{
	clockid_t id;
	struct timespec ts;

	if (clock_getcpuclockid(server, &id) != 0 ||
	    clock_gettime(id, &ts) != 0)
		die("clock");
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
flush(void)
{
	int done = 0;

	while (done < n_out) {
		int n = sendmmsg(
		    fd, out_hdr + done, (unsigned int)(n_out - done), 0);

		if (n < 0)
			die("sendmmsg");
		done += n;
	}
	n_out = 0;
}

static void
queue(const uint8_t *data, int len)
{
	if (n_out == BATCH)
		flush();
	memcpy(out_data[n_out], data, (size_t)len);
	out_iov[n_out].iov_base = out_data[n_out];
	out_iov[n_out].iov_len = (size_t)len;
	out_hdr[n_out].msg_hdr.msg_iov = &out_iov[n_out];
	out_hdr[n_out].msg_hdr.msg_iovlen = 1;
	n_out++;
}

/* What has come; waits for the first. */
static int
receive(void)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int n;

	if (poll(&p, 1, 10000) != 1)
		die("no answer for 10 s");
	for (int i = 0; i < BATCH; i++) {
		in_iov[i].iov_base = in_data[i];
		in_iov[i].iov_len = STUN_MAX;
		in_hdr[i].msg_hdr.msg_iov = &in_iov[i];
		in_hdr[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(fd, in_hdr, BATCH, MSG_DONTWAIT, NULL);
	if (n < 1)
		die("recvmmsg");
	return n;
}

static void
prepare(void)
{
	clients = calloc((size_t)n_clients, sizeof(*clients));
	if (clients == NULL)
		die("calloc");
	for (int i = 0; i < n_clients; i++) {
		struct bench_client *c = &clients[i];
		uint8_t buf[STUN_MAX];

		rv_init(&c->rv);
		c->hello_len = rv_hello(&c->rv, server_public, NULL, 0, buf);
		/* the answer is found by its transaction id */
		memcpy(c->hello, buf, (size_t)c->hello_len);
	}
}

/* Each client's transaction id holds its number, outside of the crypto. */
static void
number(struct bench_client *c, int i)
{
	struct stun_buf b;
	struct stun_attr noise;
	struct stun_msg m;
	uint8_t buf[STUN_MAX];

	put_u32(c->rv.tid, (uint32_t)i);
	if (stun_parse(&m, c->hello, (size_t)c->hello_len) != 0 ||
	    stun_find(&m, NATKIT_NOISE, &noise) != 0)
		die("hello");
	stun_begin(&b, buf, sizeof(buf), NATKIT_HELLO, STUN_REQUEST, c->rv.tid);
	stun_put(&b, NATKIT_NOISE, noise.value, noise.len);
	stun_put_space(&b, NATKIT_PADDING, 16);
	c->hello_len = stun_end(&b, true);
	memcpy(c->hello, buf, (size_t)c->hello_len);
}

static uint32_t
number_of(const uint8_t *msg)
{
	struct cursor c;

	cursor_init(&c, msg + 8, 4);
	return cursor_u32(&c);
}

static int
keepalive(struct rv *c, uint32_t i, uint8_t out[STUN_MAX])
{
	put_u32(c->tid, i);
	return wire_seal(
	    &c->session, STUN_REQUEST, c->tid, NULL, 0, out, STUN_MAX);
}

/* HELLO, answer, first SESSION request, its answer: one registration. */
static void
register_all(void)
{
	int sent = 0, done = 0, open = 0;
	uint8_t buf[STUN_MAX];

	while (done < n_clients) {
		while (open < HELLO_WINDOW && sent < n_clients) {
			queue(clients[sent].hello, clients[sent].hello_len);
			sent++;
			open++;
		}
		flush();
		for (int n = receive(), i = 0; i < n; i++) {
			uint32_t who = number_of(in_data[i]);
			struct rv *c = &clients[who].rv;

			/* SESSION, success: the confirmation's answer */
			if (in_data[i][0] == 0x03 && in_data[i][1] == 0xc2) {
				open--;
				done++;
				continue;
			}
			if (rv_finish(c, in_data[i], in_hdr[i].msg_len) !=
			    WIRE_OK)
				die("not registered");
			queue(buf, keepalive(c, who, buf));
		}
	}
}

static void
keepalives(void)
{
	int sent = 0, done = 0, total = n_clients * ROUNDS;
	uint8_t buf[STUN_MAX];

	while (done < total) {
		while (sent - done < WINDOW && sent < total) {
			uint32_t who = (uint32_t)(sent++ % n_clients);

			queue(buf, keepalive(&clients[who].rv, who, buf));
		}
		flush();
		done += receive();
	}
}

static double
wall(void)
{
	return (double)now_us() / 1e6;
}

int
main(int argc, char **argv)
{
	const char *build = getenv("NATKIT_BUILD");
	char program[512];
	char key[] = "/tmp/bench_rendezvous.XXXXXX";
	double w, c, reg_wall, reg_cpu, keep_wall, keep_cpu;
	long base, held;

	if (sodium_init() == -1)
		return 1;
	snprintf(program, sizeof(program), "%s/nat-rendezvousd",
	    build == NULL ? "build" : build);
	if (argc > 1)
		n_clients = (int)strtol(argv[1], NULL, 10);
	pin(1);
	write_key(key);
	start(program, key, 1);
	base = rss_kib();
	stop();
	start(program, key, n_clients);
	unlink(key);
	prepare();
	for (int i = 0; i < n_clients; i++)
		number(&clients[i], i);
	w = wall();
	c = cpu_seconds();
	register_all();
	reg_wall = wall() - w;
	reg_cpu = cpu_seconds() - c;
	held = rss_kib();
	w = wall();
	c = cpu_seconds();
	keepalives();
	keep_wall = wall() - w;
	keep_cpu = cpu_seconds() - c;
	stop();

	printf("%-42s %12s %12s\n", "nat-rendezvousd, one core", "per second",
	    "per CPU s");
	printf("%-42s %12.0f %12.0f\n", "sessions registered",
	    n_clients / reg_wall, n_clients / reg_cpu);
	printf("%-42s %12.0f %12.0f\n", "keepalives answered",
	    n_clients * ROUNDS / keep_wall, n_clients * ROUNDS / keep_cpu);
	printf("%-42s %12d\n", "clients held", n_clients);
	printf("%-42s %12.1f\n", "VmRSS then, MiB", (double)held / 1024);
	printf("%-42s %12.0f\n", "bytes per idle client, with 4 wants",
	    (double)(held - base) * 1024 / n_clients);
	free(clients);
	return held >= 128 * 1024 && n_clients <= 100000;
}
