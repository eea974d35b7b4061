/* SPDX-License-Identifier: ISC */
/* nat-relay pair: a filter in the pipeline that binds a daemon's port to the
 * relays that the records on standard input name, one binding for each peer. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drop.h"
#include "exitcode.h"
#include "line.h"
#include "log.h"
#include "loop.h"
#include "option.h"
#include "port.h"
#include "portloop.h"
#include "record.h"
#include "relayverb.h"

struct pairfilter {
	struct loop loop;
	struct port *port;
	struct portloop portloop;
	struct event *input, *output, *timer;
	struct line line;
	bool json, ending;
};

static const char usage[] =
    "nat-relay pair [-hjqv] [-s path | -p port] [-t seconds]";
static const char help[] =
    "  -s path   use the port that nat-port lends on this socket\n"
    "  -p port   use a UDP port of its own (any)\n"
    "  -t s      bind again so often (20)\n"
    "  -j        own records as JSON Lines\n"
    "  -q -v     say less, say more on standard error\n";

static void
finish(struct pairfilter *f, int code)
{
	f->ending = true;
	loop_end(&f->loop, code);
}

/* A line goes out as it came, in one write. */
static void
pass(struct pairfilter *f, const char *line, size_t len)
{
	char buf[LINE_MAX_LEN + 1];
	ssize_t n;

	memcpy(buf, line, len);
	buf[len] = '\n';
	do
		n = write(STDOUT_FILENO, buf, len + 1);
	while (n == -1 && errno == EINTR);
	if (n == -1 && !f->ending)
		finish(f, EXIT_TEMP);
}

static void
line_cb(void *arg, const char *line, size_t len)
{
	pass(arg, line, len);
}

static void
input_cb(evutil_socket_t fd, short events, void *arg)
{
	struct pairfilter *f = arg;

	(void)events;
	if (line_read(&f->line, fd, line_cb, f) <= 0)
		event_del(f->input);
}

static bool
each_message(void *arg, struct port_msg *m)
{
	(void)m;
	return !((struct pairfilter *)arg)->ending;
}

int
relay_verb_pair(int argc, char *argv[])
{
	struct pairfilter f = {.port = NULL};
	const char *path = NULL;
	uint16_t port = 0;
	int letter, code;

	option_begin(usage, help);
	while ((letter = option_next(argc, argv, ":hjp:qs:t:v")) != -1) {
		if (letter == 'p')
			port = (uint16_t)option_number("-p", optarg, 1, 65535);
		if (letter == 's')
			path = optarg;
	}
	f.port = option_port(path, port);
	drop_all();
	loop_init(&f.loop, true);
	line_init(&f.line);
	portloop_start(
	    &f.portloop, &f.loop, f.port, each_message, NULL, &f);
	f.input = loop_event(
	    &f.loop, STDIN_FILENO, EV_READ | EV_PERSIST, input_cb, &f);
	event_add(f.input, NULL);
	code = loop_run(&f.loop);
	portloop_stop(&f.portloop);
	event_free(f.input);
	port_free(f.port);
	loop_free(&f.loop);
	return code;
}
