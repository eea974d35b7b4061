/* SPDX-License-Identifier: ISC */
/* A descriptor that may be a socket, a pipe, a terminal or a file, read and
 * written without blocking and without changing O_NONBLOCK for others who
 * share it: it is a flag of the open file, so that a shell would find its
 * terminal non-blocking afterwards. */
#ifndef NATKIT_DESCRIPTOR_H
#define NATKIT_DESCRIPTOR_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

enum descriptor_kind {
	DESCRIPTOR_NONE,
	DESCRIPTOR_SOCKET, /* MSG_DONTWAIT */
	DESCRIPTOR_OWN,	   /* opened anew, non-blocking */
	DESCRIPTOR_SHARED, /* could not be: poll(2) and small steps */
	DESCRIPTOR_FILE,   /* always ready; epoll(7) takes it not */
};

struct descriptor {
	enum descriptor_kind kind;
	int fd;	     /* to read, write and watch */
	int given;   /* what it was made of */
	size_t step; /* bytes of one write, with DESCRIPTOR_SHARED */
	bool tcp, stream, terminal, armed;
};

/* given -1: DESCRIPTOR_NONE. Returns 0 or -errno; the given descriptor stays
 * the caller's until descriptor_settle. */
int descriptor_open(struct descriptor *d, int given, bool write);
void descriptor_release(struct descriptor *d); /* in place of settle */
void descriptor_settle(struct descriptor *d);
/* A TCP connection ends by RST when this process is killed. */
void descriptor_arm(struct descriptor *d);
/* reset: a TCP connection ends by RST, so that who is there sees an error. */
void descriptor_close(struct descriptor *d, bool reset);
bool descriptor_is_open(const struct descriptor *d);
/* One socket, perhaps under two numbers, as ssh gives it to a ProxyCommand? */
bool descriptor_one_socket(int a, int b);
bool descriptor_is_same(const struct descriptor *a, const struct descriptor *b);

/* Bytes; 0: the end; -EAGAIN: not now; -errno. */
ssize_t descriptor_read(
    const struct descriptor *d, const struct iovec *iov, size_t n);
/* Bytes; -EAGAIN; -errno. */
ssize_t descriptor_write(
    const struct descriptor *d, const struct iovec *iov, size_t n);
void descriptor_shut(const struct descriptor *d); /* a socket's writing */
/* An error that it has (-errno), as a connection that was reset or a pipe that
 * nobody reads any more (-EPIPE), or 0. The end of what is to be read is none. */
int descriptor_error(const struct descriptor *d);

#endif
