/* SPDX-License-Identifier: ISC */
/* Lines out of a descriptor or a file as they come. */
#include "follow.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DRAIN 256 /* reads of 4096 bytes */

struct follow {
	struct loop *loop;
	struct event *ev;
	int fd;
	char *fifo; /* its path, to open it again */
	struct line line;
	line_fn *fn;
	void *arg;
};

static void readable_cb(evutil_socket_t fd, short events, void *arg);

/* Watches f->fd. */
static int
watch(struct follow *f)
{
	f->ev = event_new(
	    f->loop->base, f->fd, EV_READ | EV_PERSIST, readable_cb, f);
	if (f->ev == NULL || event_add(f->ev, NULL) == -1)
		return -ENOMEM;
	return 0;
}

static void
unwatch(struct follow *f)
{
	if (f->ev != NULL)
		event_free(f->ev);
	f->ev = NULL;
}

/* All writers have gone. The new descriptor is opened before the old one is
 * closed, so that what the next writer has written by now stays. */
static void
reopen(struct follow *f)
{
	int fd = open(f->fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	unwatch(f);
	close(f->fd);
	f->fd = fd;
	if (fd != -1 && watch(f) != 0) {
		unwatch(f);
		close(fd);
		f->fd = -1;
	}
}

/* Returns false at the end. */
static bool
take(struct follow *f)
{
	return line_read(&f->line, f->fd, f->fn, f->arg) == 1;
}

static void
readable_cb(evutil_socket_t fd, short events, void *arg)
{
	struct follow *f = arg;

	(void)fd;
	(void)events;
	if (take(f))
		return;
	if (f->fifo != NULL)
		reopen(f);
	else
		unwatch(f);
}

static int
new_follow(struct follow **out, struct loop *l, int fd, line_fn *fn, void *arg)
{
	struct follow *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		if (fd > STDERR_FILENO)
			close(fd);
		return -ENOMEM;
	}
	f->loop = l;
	f->fd = fd;
	f->fn = fn;
	f->arg = arg;
	line_init(&f->line);
	*out = f;
	return 0;
}

int
follow_fd(struct follow **out, struct loop *l, int fd, line_fn *fn, void *arg)
{
	struct follow *f;
	int rc = new_follow(&f, l, fd, fn, arg);

	if (rc != 0)
		return rc;
	rc = watch(f);
	if (rc != 0) {
		follow_free(f);
		return rc;
	}
	*out = f;
	return 0;
}

int
follow_path(struct follow **out, struct loop *l, const char *path, line_fn *fn,
    void *arg)
{
	bool input = strcmp(path, "-") == 0;
	int rc, fd = input ? STDIN_FILENO
			   : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct follow *f;
	struct stat st;

	if (fd == -1)
		return -errno;
	rc = fstat(fd, &st) == -1 ? -errno : S_ISDIR(st.st_mode) ? -EISDIR : 0;
	if (rc != 0) {
		if (!input)
			close(fd);
		return rc;
	}
	rc = new_follow(&f, l, fd, fn, arg);
	if (rc != 0)
		return rc;
	if (S_ISREG(st.st_mode)) {
		while (take(f))
			;
	} else if (S_ISCHR(st.st_mode) && !isatty(fd)) {
		take(f); /* /dev/null can't be waited for */
	} else {
		if (S_ISFIFO(st.st_mode) && !input &&
		    (f->fifo = strdup(path)) == NULL)
			rc = -ENOMEM;
		if (rc == 0)
			rc = watch(f);
	}
	if (rc != 0) {
		follow_free(f);
		return rc;
	}
	*out = f;
	return 0;
}

void
follow_drain(struct follow *f)
{
	struct pollfd p = {.events = POLLIN};

	if (f == NULL)
		return;
	p.fd = f->fd; /* -1 is never ready */
	for (int i = 0; i < DRAIN; i++)
		if (poll(&p, 1, 0) != 1 || !take(f))
			return;
}

void
follow_free(struct follow *f)
{
	if (f == NULL)
		return;
	unwatch(f);
	if (f->fd > STDERR_FILENO)
		close(f->fd);
	free(f->fifo);
	free(f);
}
