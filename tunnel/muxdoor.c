/* SPDX-License-Identifier: ISC */
/* The socket at which the engine of a key is met by its clients. */
#include "muxdoor.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unixsocket.h"

#define BACKLOG 128

int
mux_connect(const char *path)
{
	struct sockaddr_un name;
	int fd, rc = unixsocket_name(&name, path);

	if (rc != 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -errno;
	do
		rc = connect(fd, (const struct sockaddr *)&name, sizeof(name));
	while (rc == -1 && errno == EINTR);
	if (rc == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static int
remove_stale(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) == -1)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = mux_connect(path);
	if (fd >= 0) {
		close(fd);
		return -EADDRINUSE;
	}
	if (fd != -ECONNREFUSED)
		return fd;
	return unlink(path) == -1 ? -errno : 0;
}

int
mux_listen(const char *path)
{
	struct sockaddr_un name;
	int fd, rc = unixsocket_name(&name, path);

	if (rc == 0)
		rc = remove_stale(path);
	if (rc != 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -errno;
	rc = unixsocket_bind(fd, &name);
	if (rc == 0 && listen(fd, BACKLOG) == -1)
		rc = -errno;
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

void
mux_take_fds(struct msghdr *msg, int fds[2])
{
	int got[8];
	size_t n = 0;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h != NULL;
	     h = CMSG_NXTHDR(msg, h)) {
		size_t len = h->cmsg_len - CMSG_LEN(0);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i + sizeof(int) <= len && n < 8;
		     i += sizeof(int))
			memcpy(&got[n++], CMSG_DATA(h) + i, sizeof(int));
	}
	fds[0] = fds[1] = -1;
	if (n == 1 || n == 2) {
		fds[0] = got[0];
		fds[1] = got[n - 1];
		return;
	}
	while (n > 0)
		close(got[--n]);
}
