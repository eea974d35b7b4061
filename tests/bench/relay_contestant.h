/* SPDX-License-Identifier: ISC */
/* The relays of bench_relay: started, all flows opened through each. */
#ifndef NATKIT_RELAY_CONTESTANT_H
#define NATKIT_RELAY_CONTESTANT_H

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "credential.h"
#include "relay_generator.h"
#include "stun.h"
#include "train.h"
#include "turnlogin.h"

#define SECRET "bench_relay's own secret"
#define DESCRIPTORS 20000
#define RELAY "10.0.0.1" /* where all but the kernel's NAT listen */
#define PEER "10.20.0.1" /* side B's first address */

enum {
	RELAYD_TURN,
	COTURN,
	RELAYD_PAIR,
	BARE,
	SOCAT,
	NFT,
	CONTESTANTS
};

struct contestant {
	const char *name;
	uint16_t port;
	pid_t pid; /* 0: the kernel */
	bool gone; /* not there: its cells stay empty */
	struct course course;
};

static struct contestant all[CONTESTANTS] = {
    [RELAYD_TURN] = {.name = "nat-relayd", .port = 3400},
    [COTURN] = {.name = "coturn", .port = 3410},
    [RELAYD_PAIR] = {.name = "nat-relayd", .port = 3420},
    [BARE] = {.name = "bare loop", .port = 3430},
    [SOCAT] = {.name = "socat", .port = 3440},
    [NFT] = {.name = "nftables", .port = 3450},
};
static char folder[] = "/tmp/bench_relay.XXXXXX";
static char secret_file[64], database[64];

static void
remove_files(void)
{
	unlink(secret_file);
	unlink(database);
	rmdir(folder);
}

/* coturn takes its secret from the command line, but also looks into its
 * database, and refuses everybody when there is no table: an empty one. */
static void
make_files(void)
{
	char script[256];
	int fd;

	if (mkdtemp(folder) == NULL || chmod(folder, 0711) == -1)
		die(folder);
	snprintf(secret_file, sizeof(secret_file), "%s/secret", folder);
	snprintf(database, sizeof(database), "%s/turndb", folder);
	fd = open(secret_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd == -1 || write(fd, SECRET "\n", sizeof(SECRET)) == -1)
		die(secret_file);
	close(fd);
	snprintf(script, sizeof(script),
	    "for f in /usr/share/doc/coturn/examples/var/db/turndb "
	    "/var/lib/turn/turndb; do cp $f %s 2>/dev/null && exit; done",
	    database);
	if (system(script) != 0)
		fprintf(stderr, "bench_relay: no empty database of coturn's\n");
}

static void
pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set); /* one CPU is fine too */
}

/* A child on CPU 0 that ends with us and says nothing. */
static bool
is_child(pid_t *pid)
{
	int null;

	fflush(stdout);
	if ((*pid = fork()) == -1)
		die("fork");
	if (*pid > 0)
		return false;
	pin(0);
	null = open("/dev/null", O_RDWR);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (getenv("BENCH_VERBOSE") == NULL)
		dup2(null, STDERR_FILENO);
	return true;
}

static struct sockaddr_in
endpoint(const char *ip, unsigned int port)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	inet_pton(AF_INET, ip, &sin.sin_addr);
	return sin;
}

static void
run(const char *script)
{
	if (system(script) != 0)
		die("network of bench_relay");
}

/* The generator has a namespace of its own, G, on the other end of a wire. */
static void
make_wire(void)
{
	run("set -e; mount -t tmpfs tmpfs /run\n"
	    "ip netns add G; ip -n G link set lo up\n"
	    "ip link add wire type veth peer name eth0 netns G\n"
	    "ip addr add " RELAY "/24 dev wire; ip link set wire up\n"
	    "ip -n G addr add 10.0.0.2/24 dev eth0; ip -n G link set eth0 up\n"
	    "for i in 10.10.0.0/16 10.20.0.0/16; do\n"
	    "ip -n G route add local $i dev lo; ip route add $i via 10.0.0.2\n"
	    "done");
}

/* What the generator sends as a train leaves it as single datagrams. */
static void
cut_trains(bool on)
{
	char script[128];

	snprintf(script, sizeof(script),
	    "for n in $(ls /run/netns | grep -v R); do\n"
	    "ip -n $n link set eth0 gso_max_segs %d || exit; done",
	    on ? 1 : 65535);
	run(script);
}

static int
socket_in(const char *namespace, uint16_t port)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	char path[32];
	int fd, there;

	snprintf(path, sizeof(path), "/run/netns/%s", namespace);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (here == -1 || there == -1 || setns(there, CLONE_NEWNET) == -1)
		die("namespace");
	fd = gen_socket(port);
	if (setns(here, CLONE_NEWNET) == -1)
		die("namespace");
	close(there);
	close(here);
	return fd;
}

/* Every client, and every peer of a pair, has an address of its own. */
static struct in_addr
side_ip(int side, unsigned int number)
{
	struct in_addr ip;

	ip.s_addr = htonl(10u << 24 | (side == 0 ? 10u : 20u) << 16 |
			  number / 250 << 8 | (number % 250 + 1));
	return ip;
}

static uint16_t
side_port(const struct contestant *c, int side)
{
	return (uint16_t)(c->port + 1 + side);
}

static void
start_relayd(pid_t *pid, uint16_t port, unsigned int low, const char *pairs)
{
	const char *build = getenv("NATKIT_BUILD");
	char program[512], number[8], range[16];

	snprintf(program, sizeof(program), "%s/nat-relayd",
	    build == NULL ? "build" : build);
	snprintf(number, sizeof(number), "%u", port);
	snprintf(range, sizeof(range), "%u-%u", low, low + 4999);
	if (!is_child(pid))
		return;
	execl(program, program, "-b", RELAY, "-p", number, "-k", secret_file,
	    "-R", range, "-a", "10.0.0.0/8", "-n", pairs, "-A", "1100", "-l",
	    "key=2000,requests=100000,address=2000", (char *)NULL);
	perror(program);
	_exit(127);
}

static void
start_coturn(struct contestant *c)
{
	char port[8];

	snprintf(port, sizeof(port), "%u", c->port);
	if (!is_child(&c->pid))
		return;
	execlp("turnserver", "turnserver", "-n", "-L", RELAY, "-E", RELAY, "-p",
	    port, "-m", "1", "--no-tcp", "--no-tls", "--no-dtls", "--no-cli",
	    "--no-tcp-relay", "--use-auth-secret", "--static-auth-secret",
	    SECRET, "-r", "bench", "--min-port", "20000", "--max-port", "29999",
	    "--no-rfc5780", "--no-stun-backward-compatibility",
	    "--response-origin-only-with-rfc5780", "--no-software-attribute",
	    "--log-file=stdout", "--pidfile=/dev/null", "--userdb", database,
	    (char *)NULL);
	_exit(127);
}

/* One process per flow. */
static void
start_socat(struct contestant *c)
{
	char from[64], to[64];

	snprintf(
	    from, sizeof(from), "UDP4-LISTEN:%u,bind=" RELAY ",fork", c->port);
	snprintf(to, sizeof(to), "UDP4:" PEER ":%u", side_port(c, 1));
	if (!is_child(&c->pid))
		return;
	execlp("socat", "socat", from, to, (char *)NULL);
	_exit(127);
}

/* The least that a relay over sockets can do: no table, no clock, no check, no
 * event loop. Side A of a pair is what side B is but for one bit pattern. */
static void
bare_forward(void *arg, struct train *t, const struct addr *from,
    const uint8_t *data, size_t len, size_t seg)
{
	const struct contestant *c = arg;
	struct addr to = *from;

	to.ip[1] ^= 0x0a ^ 0x14;
	to.port = side_port(c, from->port == side_port(c, 0));
	train_queue(t, &to, NULL, 0, data, len, seg);
}

static void
start_bare(struct contestant *c)
{
	struct train_config config = {.gso = true, .buffer = 4 << 20};
	struct trains *trains;
	struct train *t;

	if (!is_child(&c->pid))
		return;
	addr_parse_ip(&config.at, RELAY, c->port);
	if (trains_new(&trains) != 0 || train_open(&t, trains, &config) != 0)
		_exit(127);
	for (;;) {
		struct pollfd p = {.fd = train_fd(t), .events = POLLIN};

		if (train_read(t, bare_forward, c) == 0)
			poll(&p, 1, -1);
		trains_flush(trains);
	}
}

/* A and B each in a namespace, and one between them that rewrites both
 * addresses. Its packets are handled on CPU 0, those that reach A and B on
 * CPU 1 (RPS), as if they were different machines. */
static bool
start_nft(struct contestant *c)
{
	char script[2048];

	snprintf(script, sizeof(script),
	    "set -e; exec 2>/dev/null\n"
	    "for n in A B R; do ip netns add $n; ip -n $n link set lo up; "
	    "done\n"
	    "ip -n R link add va type veth peer name eth0 netns A\n"
	    "ip -n R link add vb type veth peer name eth0 netns B\n"
	    "ip -n R addr add 10.0.1.1/24 dev va; ip -n R link set va up\n"
	    "ip -n R addr add 10.0.2.1/24 dev vb; ip -n R link set vb up\n"
	    "ip -n A addr add 10.0.1.2/24 dev eth0; ip -n A link set eth0 up\n"
	    "ip -n B addr add 10.0.2.2/24 dev eth0; ip -n B link set eth0 up\n"
	    "ip -n A route add local 10.1.0.0/16 dev lo\n"
	    "ip -n R route add 10.1.0.0/16 via 10.0.1.2\n"
	    "ip netns exec R sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward\n"
	    "for i in va vb; do\n"
	    "echo 1 >/sys/class/net/$i/queues/rx-0/rps_cpus; done'\n"
	    "for n in A B; do ip netns exec $n sh -c \\\n"
	    "'echo 2 >/sys/class/net/eth0/queues/rx-0/rps_cpus'; done\n"
	    "ip netns exec R nft 'table ip n {\n"
	    "chain pre { type nat hook prerouting priority -100;\n"
	    "iif va udp dport %u dnat to 10.0.2.2:%u; }\n"
	    "chain post { type nat hook postrouting priority 100;\n"
	    "oif vb snat to 10.0.2.1; }\n}'\n",
	    c->port, side_port(c, 1));
	if (system(script) != 0)
		return false;
	for (int side = 0; side < 2; side++)
		c->course.fd[side] =
		    socket_in(side == 0 ? "A" : "B", side_port(c, side));
	return true;
}

/* Sends a request from an address of side A or B until the answer comes.
 * Returns its length, 0: none came. */
static size_t
ask(int fd, struct in_addr from, const struct sockaddr_in *to,
    const uint8_t *request, size_t len, uint8_t answer[STUN_MAX],
    struct stun_msg *m)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct iovec iov = {(void *)(uintptr_t)request, len};
	struct sockaddr_in name = *to;
	char control[64];
	struct msghdr mh = {.msg_name = &name,
	    .msg_namelen = sizeof(name),
	    .msg_iov = &iov,
	    .msg_iovlen = 1};

	put_control(&mh, control, from, 0, false);
	for (int i = 0; i < 20; i++) {
		sendmsg(fd, &mh, 0);
		while (poll(&p, 1, 100) == 1) {
			ssize_t n = recv(fd, answer, STUN_MAX, MSG_DONTWAIT);

			if (n > 0 && stun_parse(m, answer, (size_t)n) == 0 &&
			    memcmp(m->tid, request + 8, STUN_TID_LEN) == 0)
				return (size_t)n;
		}
	}
	return 0;
}

static void
begin(struct stun_buf *b, uint8_t out[STUN_MAX], uint16_t method)
{
	uint8_t tid[STUN_TID_LEN];

	stun_new_tid(tid);
	stun_begin(b, out, STUN_MAX, method, STUN_REQUEST, tid);
}

/* Asks a plain Binding request for 10 s at most. */
static bool
answers(struct contestant *c)
{
	struct sockaddr_in to = endpoint(RELAY, c->port);
	uint8_t request[STUN_MAX], answer[STUN_MAX];
	struct stun_buf b;
	struct stun_msg m;

	for (int i = 0; i < 5 && waitpid(c->pid, NULL, WNOHANG) != c->pid;
	     i++) {
		begin(&b, request, STUN_BINDING);
		if (ask(c->course.fd[0], side_ip(0, 0), &to, request,
			(size_t)stun_end(&b, false), answer, &m) > 0)
			return true;
	}
	return false;
}

/* A request with credentials, again when the server has a challenge. */
static bool
turn_ask(struct contestant *c, unsigned int number, struct turnlogin *login,
    uint16_t method)
{
	struct sockaddr_in to = endpoint(RELAY, c->port);
	struct addr peer = {.family = ADDR_V4, .port = side_port(c, 1)};
	uint8_t request[STUN_MAX], answer[STUN_MAX];
	struct stun_buf b;
	struct stun_msg m;

	memcpy(peer.ip, "\12\24\0\1", 4);
	for (int i = 0; i < 3; i++) {
		begin(&b, request, method);
		if (method == TURN_ALLOCATE) {
			stun_put_u32(&b, TURN_REQUESTED_TRANSPORT, 17u << 24);
			stun_put_u32(&b, TURN_LIFETIME, 3600);
		} else {
			stun_put_u32(&b, TURN_CHANNEL_NUMBER, 0x4000u << 16);
			stun_put_xor_addr(&b, TURN_XOR_PEER_ADDRESS, &peer);
		}
		if (login->challenged)
			turnlogin_sign(login, &b);
		if (ask(c->course.fd[0], side_ip(0, number), &to, request,
			(size_t)stun_end(&b, false), answer, &m) == 0)
			return false;
		if (m.class == STUN_SUCCESS)
			return true;
		if (turnlogin_challenge(login, &m) != 0) {
			fprintf(stderr, "bench_relay: %s: error %d\n", c->name,
			    stun_get_error(&m));
			return false;
		}
	}
	return false;
}

static bool
turn_open(struct contestant *c, unsigned int number)
{
	struct credential_secret secret = {.len = strlen(SECRET)};
	struct turnlogin login;
	struct flow *f = &c->course.flow[number];

	memset(&login, 0, sizeof(login));
	memcpy(secret.bytes, SECRET, secret.len);
	if (turnlogin_make(
		&login, &secret, (uint64_t)time(NULL) + 3600, "bench") != 0)
		return false;
	f->to[A_TO_B] = endpoint(RELAY, c->port);
	f->from[A_TO_B] = side_ip(0, number);
	f->from[B_TO_A] = side_ip(1, 0);
	return turn_ask(c, number, &login, TURN_ALLOCATE) &&
	       turn_ask(c, number, &login, TURN_CHANNEL_BIND);
}

/* Binds one side of a pair, follows ALTERNATE-SERVER to *to. */
static bool
pair_bind(int fd, struct in_addr from, struct sockaddr_in *to, const char *name,
    const char *password)
{
	uint8_t request[STUN_MAX], answer[STUN_MAX];
	struct stun_attr nonce = {0};
	char nonce_text[CREDENTIAL_NONCE_LEN] = "";
	struct stun_buf b;
	struct stun_msg m;
	struct stun_attr a;
	struct addr other;

	for (int i = 0; i < 6; i++) {
		begin(&b, request, NATKIT_BIND);
		stun_put(&b, STUN_USERNAME, name, strlen(name));
		if (nonce.len > 0) {
			stun_put(&b, STUN_NONCE, nonce_text, nonce.len);
			stun_put_integrity_sha256(
			    &b, password, strlen(password));
		}
		if (ask(fd, from, to, request, (size_t)stun_end(&b, true),
			answer, &m) == 0)
			return false;
		if (m.class == STUN_SUCCESS)
			return true;
		if (stun_find(&m, STUN_NONCE, &a) == 0 &&
		    a.len <= sizeof(nonce_text)) {
			nonce = a;
			memcpy(nonce_text, a.value, a.len);
		} else if (stun_find(&m, STUN_ALTERNATE_SERVER, &a) == 0 &&
			   stun_get_addr(&a, &other) == 0) {
			to->sin_port = htons(other.port);
		} else {
			fprintf(stderr, "bench_relay: BIND: error %d\n",
			    stun_get_error(&m));
			return false;
		}
	}
	return false;
}

/* Both sides of pair `number`. */
static bool
pair_open(struct contestant *c, unsigned int number, struct flow *f)
{
	struct credential_secret secret = {.len = strlen(SECRET)};
	struct credential_pair pair = {.expiry_s = (uint64_t)time(NULL) + 3600};
	char name[CREDENTIAL_NAME_MAX];
	char password[CREDENTIAL_PASSWORD_LEN + 1];

	memcpy(secret.bytes, SECRET, secret.len);
	memset(pair.key, 0x11, KEY_LEN);
	memcpy(pair.key + 4, &number, sizeof(number));
	memset(pair.peer, 0x22, KEY_LEN);
	memcpy(pair.peer + 4, &number, sizeof(number));
	for (int side = 0; side < 2; side++) {
		uint8_t key[KEY_LEN];

		credential_pair_name(&pair, name);
		credential_pair_password(&secret, name, password);
		f->from[side] = side_ip(side, number);
		f->to[side] = endpoint(RELAY, c->port);
		if (!pair_bind(c->course.fd[side], f->from[side], &f->to[side],
			name, password))
			return false;
		memcpy(key, pair.key, KEY_LEN);
		memcpy(pair.key, pair.peer, KEY_LEN);
		memcpy(pair.peer, key, KEY_LEN);
	}
	return true;
}

static bool
open_flow(int which, unsigned int number)
{
	struct contestant *c = &all[which];
	struct flow *f = &c->course.flow[number];

	switch (which) {
	case RELAYD_TURN:
	case COTURN:
		if (!turn_open(c, number))
			return false;
		break;
	case RELAYD_PAIR:
		if (!pair_open(c, number, f))
			return false;
		break;
	case NFT:
		f->to[A_TO_B] = endpoint("10.0.1.1", c->port);
		f->from[A_TO_B].s_addr =
		    htonl(10u << 24 | 1u << 16 | number / 250 << 8 |
			  (number % 250 + 1));
		f->from[B_TO_A] = endpoint("10.0.2.2", 0).sin_addr;
		break;
	default:
		f->to[A_TO_B] = endpoint(RELAY, c->port);
		f->from[A_TO_B] = side_ip(0, number);
		f->from[B_TO_A] = side_ip(1, which == BARE ? number : 0);
	}
	return gen_open(&c->course, number);
}

#endif
