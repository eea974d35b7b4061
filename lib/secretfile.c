/* SPDX-License-Identifier: ISC */
/* Files that hold a secret. */
#include "secretfile.h"

#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t
secretfile_read(int fd, void *buf, size_t cap)
{
	uint8_t *at = buf;
	size_t len = 0;
	ssize_t n;

	while (len < cap) {
		n = read(fd, at + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

bool
secretfile_is_loose(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       (st.st_mode & (S_IRWXG | S_IRWXO)) != 0;
}
