/* SPDX-License-Identifier: ISC */
/* What nat-link carries: UDP datagrams of 1400 bytes from one namespace to
 * another, over a veth pair alone, then with nat-link between two, without and
 * with a delay. The sender keeps as many on their way as the receiver's buffer
 * holds, told by the receiver's count in shared memory; what is lost is
 * counted as lost. Everybody shares the machine's cores.
 *
 * usage: [NATKIT_BUILD=build] bench_link [seconds]       needs root */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"

#define SIZE 1400
#define BATCH 32
#define WINDOW 2000
#define PORT 5000

static _Atomic uint64_t *received;
static struct mmsghdr headers[BATCH];
static struct iovec parts[BATCH];
static char data[BATCH][SIZE];

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

/* A constant command of ours. */
static void
run(const char *command)
{
	if (system(command) != 0) { /* NOLINT: no foreign text in it */
		fprintf(stderr, "bench_link: failed: %s\n", command);
		exit(1);
	}
}

static void
enter(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1 || setns(fd, CLONE_NEWNET) == -1)
		die(path);
	close(fd);
}

static int
udp_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int room = 16 << 20;

	if (fd == -1)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	for (int i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){data[i], SIZE};
		headers[i].msg_hdr =
		    (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
	return fd;
}

/* Never returns: counts what comes to 10.0.0.2. */
static void
receiver(int ready)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_port = htons(PORT),
	    .sin_addr.s_addr = inet_addr("10.0.0.2")};
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	enter("b");
	fd = udp_socket();
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 ||
	    write(ready, "", 1) != 1)
		die("receiver");
	for (;;) {
		int n = recvmmsg(fd, headers, BATCH, MSG_WAITFORONE, NULL);

		if (n > 0)
			atomic_fetch_add(received, (uint64_t)n);
	}
}

/* Sends for that long; returns how many. What has not come after 200 ms of
 * standing still is lost, and its room in the window is free again. */
static uint64_t
sender(uint64_t until_us)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(PORT),
	    .sin_addr.s_addr = inet_addr("10.0.0.2")};
	uint64_t sent = 0, lost = 0, seen = 0, moved = now_us(), now;
	int fd;

	enter("a");
	fd = udp_socket();
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1)
		die("connect");
	while ((now = now_us()) < until_us) {
		uint64_t got = atomic_load(received);

		if (got != seen) {
			seen = got;
			moved = now;
		} else if (now - moved > 200000) {
			lost = sent - got;
			moved = now;
		}
		if (sent - lost - got >= WINDOW) {
			sched_yield();
			continue;
		}
		int n = sendmmsg(fd, headers, BATCH, 0);

		if (n > 0)
			sent += (uint64_t)n;
	}
	close(fd);
	return sent;
}

static double
measure(const char *what, unsigned seconds)
{
	int ready[2];
	uint64_t begin, sent, got;
	double mbit;
	pid_t pid;
	char c;

	if (pipe(ready) == -1)
		die("pipe");
	atomic_store(received, 0);
	pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0)
		receiver(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		die("receiver");
	begin = now_us();
	sent = sender(begin + seconds * 1000000u);
	got = atomic_load(received);
	mbit = (double)got * SIZE * 8 / (double)(now_us() - begin);
	printf("  %-28s %7.0f Mbit/s  %7.0f packets/s  %.2f %% not arrived\n",
	    what, mbit, mbit * 1e6 / 8 / SIZE,
	    100.0 * (double)(sent - got) / (double)(sent > 0 ? sent : 1));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	return mbit;
}

/* nat-link in w, until it is ready. */
static pid_t
start_link(const char *word)
{
	const char *build = getenv("NATKIT_BUILD");
	char path[4096], fd_text[16], c;
	int ready[2];
	pid_t pid;

	snprintf(
	    path, sizeof(path), "%s/nat-link", build != NULL ? build : "build");
	if (pipe(ready) == -1)
		die("pipe");
	if ((pid = fork()) == -1)
		die("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		enter("w");
		snprintf(fd_text, sizeof(fd_text), "%d", ready[1]);
		execl(path, "nat-link", "-N", fd_text, "wa", "wb", word,
		    (char *)NULL);
		die(path);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		die("nat-link did not start");
	close(ready[0]);
	return pid;
}

static double
linked(const char *what, const char *word, unsigned seconds)
{
	pid_t pid = start_link(word);
	double mbit = measure(what, seconds);

	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	return mbit;
}

/* A private /run, so that no name of ours is seen outside. */
static void
namespaces(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) == -1 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
	    mount("none", "/run", "tmpfs", 0, NULL) == -1) {
		perror("bench_link: not run: namespaces");
		exit(0);
	}
	run("mkdir /run/netns; for n in a b w; do ip netns add $n;"
	    " ip netns exec $n sysctl -qw"
	    " net.ipv6.conf.default.disable_ipv6=1; done");
}

static void
wire(const char *command)
{
	run(command);
	run("ip -n a addr add 10.0.0.1/24 dev eth; ip -n a link set eth up;"
	    "ip -n b addr add 10.0.0.2/24 dev eth; ip -n b link set eth up");
}

int
main(int argc, char **argv)
{
	unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 4;
	double bare, plain;

	received = mmap(NULL, sizeof(*received), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (received == MAP_FAILED)
		die("mmap");
	setvbuf(stdout, NULL, _IOLBF, 0);
	namespaces();
	printf("nat-link: UDP in datagrams of %d bytes, one way\n", SIZE);
	wire("ip link add eth netns a type veth peer name eth netns b");
	bare = measure("veth alone", seconds);
	run("ip -n a link del eth");
	wire("ip link add eth netns a type veth peer name wa netns w;"
	     "ip link add eth netns b type veth peer name wb netns w;"
	     "ip -n w link set wa up; ip -n w link set wb up");
	plain = linked("nat-link", "delay_ms=0", seconds);
	linked("nat-link delay_ms=20", "delay_ms=20", seconds);
	linked("nat-link loss=5", "loss=5", seconds);
	printf("  nat-link to veth alone: %.2f; wanted: 200 Mbit/s\n",
	    plain / bare);
	return plain >= 200 ? 0 : 1;
}
