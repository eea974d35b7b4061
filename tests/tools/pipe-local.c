/* SPDX-License-Identifier: ISC */
/* Hostile and broken clients of the sockets that nat-pipe has on this host, for
 * tests/e2e/pipe-attacks.bats.
 *
 * usage: pipe-local mux PATH KEY       packets that are no sense, descriptors
 *                                      by the hundred, clients that are deaf
 *        pipe-local control PATH       the same for the control socket
 *
 * Ends when all was said. Exit code 0, or 1: a socket could not be had. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RIGHTS 253 /* SCM_MAX_FD */
#define CROWD 600

static const char *path;
static int type;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

/* -1: there is no more room in its line. */
static int
join(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	if (fd == -1)
		die("socket");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	if (errno != EAGAIN)
		die(path);
	close(fd);
	return -1;
}

/* Connects, however long that takes. */
static int
join_surely(void)
{
	int fd;

	while ((fd = join()) == -1)
		poll(NULL, 0, 1);
	return fd;
}

/* With n descriptors. */
static void
put(int fd, const void *data, size_t len, int n)
{
	static union {
		char buf[CMSG_SPACE(RIGHTS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {(void *)(uintptr_t)data, len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	int rights[RIGHTS];
	struct cmsghdr *c;

	if (n > 0) {
		for (int i = 0; i < n; i++)
			rights[i] = open("/dev/zero", O_RDWR | O_CLOEXEC);
		m.msg_control = control.buf;
		m.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
		memcpy(CMSG_DATA(c), rights, (size_t)n * sizeof(int));
	}
	sendmsg(fd, &m, MSG_NOSIGNAL);
	for (int i = 0; i < n; i++)
		close(rights[i]);
}

/* Until the other side has hung up, or has nothing to say for a while. */
static void
hear(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char buf[4096];

	while (poll(&p, 1, 20) == 1 && read(fd, buf, sizeof(buf)) > 0)
		;
}

static void
say(const void *data, size_t len, int n, int listens)
{
	int fd = join_surely();

	put(fd, data, len, n);
	if (listens)
		hear(fd);
	close(fd);
}

static void
crowd(const char *text)
{
	static int fd[CROWD];

	for (int i = 0; i < CROWD; i++) {
		fd[i] = join();
		if (fd[i] != -1 && text != NULL)
			put(fd[i], text, strlen(text), 2);
	}
	for (int i = 0; i < CROWD; i++)
		if (fd[i] != -1)
			close(fd[i]);
}

static void
noise(void)
{
	static const char ask[] = {'a', 's', 'k', ' ', 'k', 'e', 'y', '='};
	char buf[16384];

	for (int i = 0; i < 300; i++) {
		size_t len = 1 + randombytes_uniform(sizeof(buf) - 1);

		randombytes_buf(buf, sizeof(buf));
		if (i % 3 == 0)
			memcpy(buf, ask, sizeof(ask));
		say(buf, len, i % 4, i % 50 == 0);
	}
}

static void
mux(const char *key)
{
	static const char *const kinds[] = {
	    "ask key=%s wait_s=5\n",
	    "open to=program\n",
	    "ask key=%s wait_s=5\nopen to=program\nopen to=program\n",
	    "ask key=%s wait_s=99999999999999999999\nopen to=program\n",
	    "ask key=%s wait_s=-1 progress=99\nopen to=nothing\n",
	    "ask key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nopen\n",
	    "ask key=%s\nserver name=%s@:\nserver name=%%0a\nopen to=program",
	    "quit\nquit\n",
	    "quit",
	    "\n\n\n",
	};
	static const int rights[] = {0, 1, 2, 3, 9, 40, RIGHTS};
	char text[1024];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (size_t k = 0; k < sizeof(rights) / sizeof(rights[0]);
		     k++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(text, sizeof(text), kinds[i], key, key);
#pragma GCC diagnostic pop
			say(text, strlen(text), rights[k], k % 3 == 0);
			say(text, strlen(text) / 2, rights[k], 0);
		}
	for (int i = 0; i < 200; i++)
		say("", 1, RIGHTS, 0);
	noise();
	crowd(NULL);
	/* who takes nothing of what it asks for */
	snprintf(text, sizeof(text),
	    "ask key=%s wait_s=5 progress=1\nopen to=program\n", key);
	crowd(text);
}

static void
control(void)
{
	static const char *const kinds[] = {"status\nstatus\nstatus\n",
	    "watch\nwatch\n", "streams", "\n\n\n", "quit\n", "routes x y z\n",
	    "watch 99999999999999999999\n"};
	char *big = malloc(1 << 20);

	if (big == NULL)
		die("malloc");
	memset(big, 'a', 1 << 20);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (int n = 0; n < 4; n++)
			say(kinds[i], strlen(kinds[i]), n, n == 0);
	say(big, 1 << 20, 0, 1);
	say("status\0status\n", 14, 0, 1);
	noise();
	crowd("watch\n");
	free(big);
}

int
main(int argc, char **argv)
{
	struct rlimit files;

	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (argc < 3 || sodium_init() == -1)
		return 100;
	path = argv[2];
	type = strcmp(argv[1], "mux") == 0 ? SOCK_SEQPACKET : SOCK_STREAM;
	if (type == SOCK_STREAM)
		control();
	else
		mux(argc > 3 ? argv[3] : "");
	return 0;
}
