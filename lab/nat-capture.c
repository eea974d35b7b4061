/* SPDX-License-Identifier: ISC */
/* nat-capture: all interfaces of all boxes of a lab into a directory, one file
 * each, and what nat-watch tells of them, while a program runs; nat-ladder
 * makes one picture of it. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exitcode.h"
#include "log.h"
#include "loop.h"
#include "netns.h"
#include "option.h"
#include "ready.h"
#include "record.h"
#include "tap.h"

#define TAPS_MAX 256
#define BOXES_MAX 64
/* After the program has ended: packets that are still on their way, and those
 * of which only time tells that they went nowhere. */
#define AFTER_MS 300

struct capture {
	struct loop loop;
	struct event *child, *after;
	struct event *readable[TAPS_MAX][2];
	struct tap tap[TAPS_MAX];
	size_t n;
	char **boxes;
	size_t nboxes;
	int dir;
	const char *path;
	pid_t prog, watch;
	int gate; /* prog begins when a byte comes out of it */
	int code;
	bool stopping;
};

static const char usage[] =
    "nat-capture [-hqv] [-N fd] [-w seconds] directory box ... [-- prog ...]";
static const char help[] =
    "  directory is made; it must not hold a capture yet\n"
    "  box       NAME of /run/netns, NAME=/path of a network namespace\n"
    "  prog      what to run meanwhile; without it, until Ctrl-C\n"
    "  -N fd     write a newline there once everything is captured\n"
    "  -w s      without prog: end after so long\n"
    "  -q -v     say less, say more on standard error\n";

static int
create(const struct capture *c, const char *name)
{
	int fd =
	    openat(c->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd == -1 && errno == EEXIST)
		fatalx(EXIT_USAGE,
		    "%s holds a capture already; name a new directory",
		    c->path);
	if (fd == -1)
		fatal(EXIT_USAGE, "%s/%s", c->path, name);
	return fd;
}

static void
write_box(int fd, const char *box)
{
	struct record r;

	record_begin(&r, "box");
	record_put(&r, "name", box);
	record_put(&r, "kind", netns_forwards() ? "router" : "host");
	record_write(&r, fd, false);
}

static void
write_interface(int fd, const struct tap *t)
{
	char text[RECORD_MAX] = "", ip[ADDR_STRLEN], mac[24];
	struct record r;

	record_begin(&r, "interface");
	record_put(&r, "box", t->box);
	record_put(&r, "name", t->interface);
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", t->mac[0],
	    t->mac[1], t->mac[2], t->mac[3], t->mac[4], t->mac[5]);
	if (t->has_mac)
		record_put(&r, "mac", mac);
	for (size_t i = 0; i < t->naddr; i++) {
		size_t at = strlen(text);

		if (addr_is_link_local(&t->addr[i]) || at > 300)
			continue;
		snprintf(text + at, sizeof(text) - at, "%s%s",
		    at > 0 ? "," : "", addr_format_ip(&t->addr[i], ip));
	}
	record_put(&r, "addresses", text);
	record_write(&r, fd, false);
}

static void
readable_cb(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	tap_read(arg);
}

static void
open_tap(struct capture *c, struct tap *t)
{
	const char *what;
	int err = tap_open(t, c->dir, &what);

	if (err != 0)
		fatalx(err == -EPERM ? EXIT_USAGE : EXIT_TEMP,
		    "%s of %s: %s: %s", t->interface, t->box, what,
		    strerror(-err));
	for (int i = 0; i < 2; i++) {
		c->readable[c->n][i] = loop_event(&c->loop, t->side[i].fd,
		    EV_READ | EV_PERSIST, readable_cb, t);
		event_add(c->readable[c->n][i], NULL);
	}
}

static void
open_box(struct capture *c, const char *operand, int lab)
{
	struct netns ns;
	int n, err = netns_open(&ns, operand);

	if (err == -EBADMSG)
		option_fail("\"%s\" is no name of a box", operand);
	if (err == 0)
		err = netns_enter(&ns);
	if (err != 0)
		fatalx(EXIT_USAGE, "%s: no such box, or no permission: %s",
		    operand, strerror(-err));
	write_box(lab, ns.name);
	n = tap_list(&c->tap[c->n], TAPS_MAX - c->n, ns.name);
	if (n < 0)
		fatalx(EXIT_TEMP, "%s: %s", ns.name, strerror(-n));
	for (int i = 0; i < n; i++, c->n++) {
		write_interface(lab, &c->tap[c->n]);
		open_tap(c, &c->tap[c->n]);
	}
	close(ns.fd);
}

static void
open_all(struct capture *c)
{
	int lab;

	if (mkdir(c->path, 0700) == -1 && errno != EEXIST)
		fatal(EXIT_USAGE, "%s", c->path);
	c->dir = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dir == -1)
		fatal(EXIT_USAGE, "%s", c->path);
	lab = create(c, "lab");
	for (size_t i = 0; i < c->nboxes; i++)
		open_box(c, c->boxes[i], lab);
	close(lab);
}

/* nat-watch is where this program is. */
__attribute__((noreturn)) static void
exec_watch(struct capture *c, int ready)
{
	char self[PATH_MAX] = "", path[PATH_MAX + 16], fd[16];
	char *argv[BOXES_MAX + 4] = {path, NULL};
	size_t n = 1;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) > 0)
		dirname(self);
	snprintf(path, sizeof(path), "%s/nat-watch", self);
	snprintf(fd, sizeof(fd), "-N%d", ready);
	argv[n++] = fd;
	for (size_t i = 0; i < c->nboxes; i++)
		argv[n++] = c->boxes[i];
	/* Ctrl-C is for us: it has to tell of what ends meanwhile */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	execv(path, argv);
	log_warn("%s", path);
	_exit(127);
}

static void
start_watch(struct capture *c)
{
	int out = create(c, "watch"), pipe_fd[2];
	char byte;

	if (pipe2(pipe_fd, O_CLOEXEC) == -1)
		fatal(EXIT_TEMP, "pipe");
	c->watch = fork();
	if (c->watch == -1)
		fatal(EXIT_TEMP, "fork");
	if (c->watch == 0) {
		dup2(out, STDOUT_FILENO);
		fcntl(pipe_fd[1], F_SETFD, 0);
		close(pipe_fd[0]);
		exec_watch(c, pipe_fd[1]);
	}
	close(out);
	close(pipe_fd[1]);
	if (read(pipe_fd[0], &byte, 1) != 1)
		fatalx(EXIT_TEMP, "nat-watch can't watch; see above");
	close(pipe_fd[0]);
}

/* Before anything is opened: who isn't root in our own network namespace could
 * never come back to it, and prog belongs there. It waits for the gate. */
static void
fork_prog(struct capture *c, char *argv[])
{
	int pipe_fd[2];
	char byte;

	if (pipe2(pipe_fd, O_CLOEXEC) == -1)
		fatal(EXIT_TEMP, "pipe");
	c->prog = fork();
	if (c->prog == -1)
		fatal(EXIT_TEMP, "fork");
	if (c->prog != 0) {
		close(pipe_fd[0]);
		c->gate = pipe_fd[1];
		return;
	}
	close(pipe_fd[1]);
	if (read(pipe_fd[0], &byte, 1) != 1)
		_exit(EXIT_TEMP); /* it was not to be */
	execvp(argv[0], argv);
	log_warn("%s", argv[0]);
	_exit(errno == ENOENT ? 127 : 126);
}

static void
start_prog(struct capture *c)
{
	if (write(c->gate, "", 1) != 1)
		log_warn("can't start the program");
	close(c->gate);
}

static void
after_cb(evutil_socket_t fd, short events, void *arg)
{
	struct capture *c = arg;

	(void)fd;
	(void)events;
	loop_end(&c->loop, c->code);
}

static void
stop(struct capture *c)
{
	if (!c->stopping)
		loop_at(c->after, now_ms() + AFTER_MS);
	c->stopping = true;
}

static void
child_cb(evutil_socket_t sig, short events, void *arg)
{
	struct capture *c = arg;
	int status;
	pid_t pid;

	(void)sig;
	(void)events;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == c->prog) {
			c->prog = 0;
			c->code =
			    WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_NO;
			stop(c);
		} else if (pid == c->watch) {
			c->watch = 0;
			log_warnx("nat-watch has ended; its records are "
				  "not complete");
		}
	}
}

/* Once more around after Ctrl-C: the program is told, and what is on its way
 * is captured. */
static int
run(struct capture *c)
{
	int code = loop_run(&c->loop);

	if (c->prog > 0)
		kill(c->prog, SIGTERM);
	if (c->stopping)
		return code;
	if (c->prog <= 0)
		stop(c);
	loop_run(&c->loop);
	return c->code;
}

static void
close_all(struct capture *c)
{
	uint64_t lost = 0;

	if (c->watch > 0) {
		kill(c->watch, SIGTERM);
		waitpid(c->watch, NULL, 0);
	}
	for (size_t i = 0; i < c->n; i++) {
		while (tap_read(&c->tap[i]) > 0)
			continue;
		event_free(c->readable[i][0]);
		event_free(c->readable[i][1]);
		lost += tap_close(&c->tap[i]);
	}
	if (lost > 0)
		log_warnx("%llu packets came too fast to be captured",
		    (unsigned long long)lost);
	event_free(c->child);
	event_free(c->after);
	loop_free(&c->loop);
	close(c->dir);
}

/* getopt(3) would lose where the "--" before the program was. */
static int
find_prog(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0)
			return i;
	return argc;
}

int
main(int argc, char *argv[])
{
	static struct capture c;
	int letter, ready = -1, prog = find_prog(argc, argv);
	uint32_t wait_s = 0;

	log_init("nat-capture", 0);
	option_begin(usage, help);
	while ((letter = option_next(prog, argv, ":N:hqvw:")) != -1) {
		if (letter == 'w')
			wait_s = option_number("-w", optarg, 1, 1000000);
		if (letter != 'N')
			continue;
		ready = ready_parse(optarg);
		if (ready < 0)
			option_fail(
			    "-N %s: no open descriptor above 2", optarg);
	}
	if (prog - optind < 2)
		option_fail("name a directory to make and the boxes");
	if (prog - optind - 1 > BOXES_MAX)
		option_fail("at most %d boxes at once", BOXES_MAX);
	if (prog == argc - 1)
		option_fail("after -- comes a program to run");
	c.path = argv[optind];
	c.boxes = argv + optind + 1;
	c.nboxes = (size_t)(prog - optind - 1);
	if (prog < argc)
		fork_prog(&c, argv + prog + 1);
	loop_init(&c.loop, false);
	c.after = loop_event(&c.loop, -1, 0, after_cb, &c);
	c.child = evsignal_new(c.loop.base, SIGCHLD, child_cb, &c);
	if (c.child == NULL || event_add(c.child, NULL) == -1)
		fatalx(EXIT_TEMP, "can't watch signals");
	open_all(&c);
	start_watch(&c);
	ready_tell(ready);
	if (prog < argc)
		start_prog(&c);
	else
		log_note("capturing into %s; Ctrl-C ends it", c.path);
	if (prog == argc && wait_s != 0)
		loop_at(c.after, now_ms() + wait_s * 1000u);
	c.code = run(&c);
	close_all(&c);
	return c.code;
}
