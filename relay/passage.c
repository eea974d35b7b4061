/* SPDX-License-Identifier: ISC */
/* A stage of a pipeline. */
#include "passage.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "exitcode.h"
#include "log.h"

void
passage_finish(struct passage *p, int code)
{
	if (!p->ending)
		loop_end(p->loop, code);
	p->ending = true;
}

/* err is what a write returned. */
static void
printed(struct passage *p, int err)
{
	if (err == 0 || p->ending)
		return;
	if (err == -EPIPE)
		log_info("nobody reads standard output any more");
	else
		log_fatalx("standard output: %s", strerror(-err));
	passage_finish(p, EXIT_TEMP);
}

/* Waits until standard output takes a line; false when a signal came first: it
 * says that we are to end. */
static bool
wait_room(struct passage *p)
{
	struct pollfd pfd = {.fd = STDOUT_FILENO, .events = POLLOUT};

	if (poll(&pfd, 1, -1) == -1 && errno == EINTR)
		passage_finish(p, EXIT_YES);
	return !p->ending;
}

void
passage_print(struct passage *p, const struct record *r)
{
	if (wait_room(p))
		printed(p, record_write(r, STDOUT_FILENO, p->json));
}

/* In one write, so that it stays a line among those of others. */
static void
pass(struct passage *p, const char *line, size_t len)
{
	char buf[LINE_MAX_LEN + 1];
	ssize_t n;

	if (!wait_room(p))
		return;
	memcpy(buf, line, len);
	buf[len] = '\n';
	do
		n = write(STDOUT_FILENO, buf, len + 1);
	while (n == -1 && errno == EINTR);
	sodium_memzero(buf, len); /* may hold credentials */
	if (n != (ssize_t)len + 1)
		printed(p, n == -1 ? -errno : -EIO);
}

/* First on its way, then looked at: others wait for it, too. */
static void
line_cb(void *arg, const char *line, size_t len)
{
	struct passage *p = arg;
	struct record_view v;

	if (p->ending)
		return;
	pass(p, line, len);
	if (len > 0 && record_parse(&v, line, len) == 0)
		p->record(p->arg, &v);
	sodium_memzero(&v, sizeof(v));
}

static void
input_cb(evutil_socket_t fd, short events, void *arg)
{
	struct passage *p = arg;
	uint64_t too_long = p->line.too_long;
	int more = line_read(&p->line, fd, line_cb, p);

	(void)events;
	if (p->line.too_long != too_long)
		log_warnx("standard input: record skipped: too long");
	if (more < 0)
		log_warnx("standard input: %s", strerror(-more));
	if (more <= 0) { /* what it told stays true until we end */
		event_del(p->input);
		p->eof = true;
	}
	p->then(p->arg);
}

static void
gone_cb(void *arg)
{
	printed(arg, -EPIPE);
}

void
passage_start(struct passage *p)
{
	line_init(&p->line);
	p->input = loop_event(
	    p->loop, STDIN_FILENO, EV_READ | EV_PERSIST, input_cb, p);
	if (event_add(p->input, NULL) == -1)
		fatalx(EXIT_USAGE, "standard input can't be read");
	reader_watch(&p->reader, p->loop, gone_cb, p);
}

void
passage_stop(struct passage *p)
{
	event_free(p->input);
	reader_stop(&p->reader);
}
