/* SPDX-License-Identifier: ISC */
/* A descriptor of any kind, read and written without blocking; see fcntl(2) on
 * O_NONBLOCK, pipe(7), proc(5) on /proc/self/fd. */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define TERMINAL_STEP 256 /* what a terminal that polls writable has room for */

static int
take_socket(struct descriptor *d)
{
	int type = 0, domain = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(d->fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1)
		return -errno;
	len = sizeof(domain);
	if (getsockopt(d->fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == -1)
		return -errno;
	d->kind = DESCRIPTOR_SOCKET;
	d->stream = type == SOCK_STREAM;
	d->tcp = d->stream && (domain == AF_INET || domain == AF_INET6);
	return 0;
}

static bool
is_watchable(int fd)
{
	struct epoll_event e = {.events = 0};
	int ep = epoll_create1(EPOLL_CLOEXEC);
	bool yes = true;

	if (ep == -1)
		return true;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == -1)
		yes = errno != EPERM;
	close(ep);
	return yes;
}

/* Pipes, and terminals; not a terminal's master side, of which opening makes
 * another one. */
static bool
may_reopen(const struct descriptor *d, mode_t mode)
{
	unsigned int number;

	if (S_ISFIFO(mode))
		return true;
	return d->terminal && ioctl(d->fd, TIOCGPTN, &number) == -1;
}

static void
reopen(struct descriptor *d, bool write)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", d->given);
	fd = open(path,
	    (write ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd ==
	    -1) /* another user's, or a pipe without a reader: EPIPE later */
		return;
	d->kind = DESCRIPTOR_OWN;
	d->fd = fd;
}

int
descriptor_open(struct descriptor *d, int given, bool write)
{
	struct stat st;

	*d = (struct descriptor){
	    .kind = DESCRIPTOR_NONE, .fd = given, .given = given};
	if (given == -1)
		return 0;
	if (fstat(given, &st) == -1)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (S_ISSOCK(st.st_mode))
		return take_socket(d);
	d->terminal = S_ISCHR(st.st_mode) && isatty(given) == 1;
	if (!S_ISFIFO(st.st_mode) && !is_watchable(given)) {
		d->kind = DESCRIPTOR_FILE;
		return 0;
	}
	d->kind = DESCRIPTOR_SHARED;
	d->step = S_ISFIFO(st.st_mode) ? PIPE_BUF : TERMINAL_STEP;
	if (may_reopen(d, st.st_mode))
		reopen(d, write);
	return 0;
}

void
descriptor_release(struct descriptor *d)
{
	if (d->kind != DESCRIPTOR_NONE && d->fd != d->given)
		close(d->fd);
	d->kind = DESCRIPTOR_NONE;
	d->fd = d->given = -1;
}

void
descriptor_settle(struct descriptor *d)
{
	if (d->kind == DESCRIPTOR_NONE || d->fd == d->given)
		return;
	close(d->given);
	d->given = d->fd;
}

static void
set_reset(const struct descriptor *d, bool reset)
{
	struct linger at_once = {.l_onoff = reset, .l_linger = 0};

	setsockopt(d->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

void
descriptor_arm(struct descriptor *d)
{
	if (!d->tcp)
		return;
	set_reset(d, true);
	d->armed = true;
}

void
descriptor_close(struct descriptor *d, bool reset)
{
	if (d->kind == DESCRIPTOR_NONE)
		return;
	if (d->tcp && reset != d->armed)
		set_reset(d, reset);
	descriptor_settle(d);
	close(d->fd);
	d->kind = DESCRIPTOR_NONE;
	d->fd = d->given = -1;
}

bool
descriptor_is_open(const struct descriptor *d)
{
	return d->kind != DESCRIPTOR_NONE;
}

bool
descriptor_one_socket(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 &&
	       S_ISSOCK(sa.st_mode) && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

bool
descriptor_is_same(const struct descriptor *a, const struct descriptor *b)
{
	return descriptor_one_socket(a->fd, b->fd);
}

static bool
is_ready(const struct descriptor *d, short what)
{
	struct pollfd p = {.fd = d->fd, .events = what};

	return poll(&p, 1, 0) == 1;
}

static ssize_t
read_once(const struct descriptor *d, const struct iovec *iov, size_t n)
{
	struct msghdr m = {
	    .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n};

	if (d->kind == DESCRIPTOR_SOCKET)
		return recvmsg(d->fd, &m, MSG_DONTWAIT);
	if (d->kind == DESCRIPTOR_SHARED && !is_ready(d, POLLIN)) {
		errno = EAGAIN;
		return -1;
	}
	return readv(d->fd, iov, (int)n);
}

ssize_t
descriptor_read(const struct descriptor *d, const struct iovec *iov, size_t n)
{
	ssize_t r;

	do
		r = read_once(d, iov, n);
	while (r == -1 && errno == EINTR);
	if (r >= 0)
		return r;
	/* the other side of a terminal was closed */
	if (errno == EIO && d->terminal)
		return 0;
	/* A Unix socket's other end was closed: all of its data was read, not
	 * all of ours. Writing will tell. */
	if (errno == ECONNRESET && d->kind == DESCRIPTOR_SOCKET && !d->tcp)
		return 0;
	return -errno;
}

static ssize_t
write_once(const struct descriptor *d, const struct iovec *iov, size_t n)
{
	struct msghdr m = {
	    .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n};

	if (d->kind == DESCRIPTOR_SOCKET)
		return sendmsg(d->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (d->kind != DESCRIPTOR_SHARED)
		return writev(d->fd, iov, (int)n);
	if (!is_ready(d, POLLOUT)) {
		errno = EAGAIN;
		return -1;
	}
	return write(d->fd, iov->iov_base,
	    iov->iov_len < d->step ? iov->iov_len : d->step);
}

ssize_t
descriptor_write(const struct descriptor *d, const struct iovec *iov, size_t n)
{
	ssize_t r;

	do
		r = write_once(d, iov, n);
	while (r == -1 && errno == EINTR);
	return r >= 0 ? r : -errno;
}

void
descriptor_shut(const struct descriptor *d)
{
	if (d->kind == DESCRIPTOR_SOCKET)
		shutdown(d->fd, SHUT_WR);
}

int
descriptor_error(const struct descriptor *d)
{
	struct pollfd p = {.fd = d->fd, .events = 0};
	int error = 0;
	socklen_t len = sizeof(error);

	if (d->kind == DESCRIPTOR_NONE || poll(&p, 1, 0) != 1)
		return 0;
	if (d->stream && !d->tcp && (p.revents & POLLHUP) != 0)
		return -EPIPE;
	if ((p.revents & POLLERR) == 0)
		return 0;
	if (d->kind != DESCRIPTOR_SOCKET)
		return d->terminal ? -EIO : -EPIPE;
	if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		return -errno;
	return -error;
}
