/* SPDX-License-Identifier: ISC */
/* Readiness, the s6 way: a newline on a descriptor that the option names. */
#include "ready.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int
ready_parse(const char *text)
{
	char *end;
	long fd;

	if (text[0] < '0' || text[0] > '9')
		return -EBADMSG;
	errno = 0;
	fd = strtol(text, &end, 10);
	if (errno != 0 || *end != '\0' || fd <= STDERR_FILENO || fd > 65535)
		return -EBADMSG;
	/* what we exec has no business telling that we are ready */
	if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) == -1)
		return -EBADMSG;
	return (int)fd;
}

void
ready_tell(int fd)
{
	ssize_t n;

	if (fd < 0)
		return;
	do
		n = write(fd, "\n", 1);
	while (n == -1 && errno == EINTR);
	close(fd);
}
