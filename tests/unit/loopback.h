/* SPDX-License-Identifier: ISC */
/* Pairs of connected sockets on 127.0.0.1. */
#ifndef NATKIT_LOOPBACK_H
#define NATKIT_LOOPBACK_H

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A socket of that type at a port of its own, which *at is. */
static inline int
loopback_bind(int type, struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, type, 0);

	*at = (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &len), 0);
	return fd;
}

static inline void
loopback_connect(int fd, const struct sockaddr_in *to)
{
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)to, sizeof(*to)), 0);
}

static inline void
loopback_tcp(int s[2])
{
	struct sockaddr_in at;
	int l = loopback_bind(SOCK_STREAM, &at);

	assert_int_equal(listen(l, 1), 0);
	s[0] = socket(AF_INET, SOCK_STREAM, 0);
	loopback_connect(s[0], &at);
	s[1] = accept(l, NULL, NULL);
	assert_int_not_equal(s[1], -1);
	close(l);
}

static inline void
loopback_udp(int s[2])
{
	struct sockaddr_in at[2];

	s[0] = loopback_bind(SOCK_DGRAM, &at[0]);
	s[1] = loopback_bind(SOCK_DGRAM, &at[1]);
	loopback_connect(s[0], &at[1]);
	loopback_connect(s[1], &at[0]);
}

#endif
