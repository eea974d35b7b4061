/* SPDX-License-Identifier: ISC */
/* Unix sockets that are their owner's alone. */
#include "unixsocket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int
unixsocket_name(struct sockaddr_un *out, const char *path)
{
	if (path[0] == '\0') /* would be an abstract name, of NULs */
		return -ENOENT;
	if (strlen(path) >= sizeof(out->sun_path))
		return -ENAMETOOLONG;
	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(out->sun_path, path, strlen(path) + 1);
	return 0;
}

int
unixsocket_bind(int fd, const struct sockaddr_un *name)
{
	mode_t mask = umask(0177);
	int rc = bind(fd, (const struct sockaddr *)name, sizeof(*name));

	rc = rc == -1 ? -errno : 0;
	umask(mask);
	return rc;
}

int
unixsocket_remove_stale(const struct sockaddr_un *name)
{
	struct stat st;
	int fd, rc;

	if (lstat(name->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -errno;
	rc = connect(fd, (const struct sockaddr *)name, sizeof(*name));
	rc = rc == -1 && errno == ECONNREFUSED ? 0 : -EADDRINUSE;
	close(fd);
	if (rc == 0 && unlink(name->sun_path) == -1)
		rc = -errno;
	return rc;
}

bool
unixsocket_is_permitted(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}
