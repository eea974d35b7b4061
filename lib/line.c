/* SPDX-License-Identifier: ISC */
/* Lines out of a byte stream, in fixed memory. */
#include "line.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void
line_init(struct line *l)
{
	l->buf[0] = '\0';
	l->len = 0;
	l->skipping = false;
	l->too_long = 0;
}

static void
emit(struct line *l, line_fn *fn, void *arg)
{
	size_t len = l->len;

	l->buf[len] = '\0';
	l->len = 0;
	fn(arg, l->buf, len);
}

/* Takes the n bytes of a line that came in this piece. */
static void
append(struct line *l, const char *p, size_t n)
{
	if (l->skipping || n == 0)
		return;
	if (n > LINE_MAX_LEN - l->len) {
		l->skipping = true;
		l->too_long++;
		l->len = 0;
		return;
	}
	memcpy(l->buf + l->len, p, n);
	l->len += n;
}

void
line_feed(struct line *l, const void *data, size_t len, line_fn *fn, void *arg)
{
	const char *p = data;
	const char *nl;
	size_t n;

	while (len > 0) {
		nl = memchr(p, '\n', len);
		n = nl != NULL ? (size_t)(nl - p) : len;
		append(l, p, n);
		if (nl == NULL)
			return;
		if (l->skipping)
			l->skipping = false;
		else
			emit(l, fn, arg);
		p += n + 1;
		len -= n + 1;
	}
}

void
line_end(struct line *l, line_fn *fn, void *arg)
{
	l->skipping = false;
	if (l->len > 0)
		emit(l, fn, arg);
}

/* One read a call: the loop calls again while more is there, and a writer
 * that never stops can't keep it from its other descriptors. */
int
line_read(struct line *l, int fd, line_fn *fn, void *arg)
{
	char buf[4096];
	ssize_t n;

	n = read(fd, buf, sizeof(buf));
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return 1;
		return -errno;
	}
	if (n == 0) {
		line_end(l, fn, arg);
		return 0;
	}
	line_feed(l, buf, (size_t)n, fn, arg);
	return 1;
}
