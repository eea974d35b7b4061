/* SPDX-License-Identifier: ISC */
/* The engine at work. */
#include "pipework.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "children.h"
#include "drop.h"
#include "exitcode.h"
#include "log.h"
#include "onpath.h"
#include "ready.h"

#define TICK_MS 1000

/* ---- what the parts ask ---- */

static void
opened_cb(void *arg, struct joint *j)
{
	struct pipework *w = arg;

	if (joint_what(j)->to == OPENING_BACK) {
		if (!forwarding_back(j))
			joint_refuse(j, OPENING_PERMIT);
	} else if (w->serve != NULL) {
		serve_opened(w->serve, j);
	} else {
		joint_refuse(j, OPENING_NOBODY);
	}
}

static void
changed_cb(void *arg, struct link *l)
{
	struct pipework *w = arg;
	char text[100], key[KEY_STRLEN];
	struct link_status s;

	link_status(l, &s);
	if (link_path_stands(s.path) && s.path_since_ms > w->outage.at_ms)
		outage_over(&w->outage);
	log_debug("%s: %s, %s, %u streams", peerbook_name(w->book, s.key, key),
	    pipewhy_path(&s, text), s.up ? "up" : "down", s.streams);
	if (w->board != NULL)
		pipeboard_link(w->board, l);
}

static void
said_cb(void *arg, const char *line)
{
	struct pipework *w = arg;

	outage_line(&w->outage, line, now_ms());
	meter_pass(line);
}

static bool
is_forwarded(const struct pipework *w, const struct link *l)
{
	const struct forwarding *f;

	for (size_t i = 0; (f = mux_forwarding(w->mux, i)) != NULL; i++)
		if (forwarding_link(f) == l)
			return true;
	return false;
}

/* Whom clients have asked for, and nobody uses any more. */
static void
make_room(struct pipework *w)
{
	struct wants all = w->wants;

	for (size_t i = 0; i < all.n; i++) {
		struct link *l = tunnel_find(w->tunnel, all.one[i].key);

		if (all.one[i].why != WANTS_ASKED || l == NULL ||
		    joint_next_of(l, NULL) != NULL || is_forwarded(w, l))
			continue;
		wants_drop(&w->wants, all.one[i].key, WANTS_ASKED);
		tunnel_forget(w->tunnel, l);
	}
}

static int
want_cb(
    void *arg, const uint8_t key[KEY_LEN], const char *const *servers, size_t n)
{
	struct pipework *w = arg;
	int rc;

	if (pipefiles_want(w, key, WANTS_ASKED) == NULL) {
		make_room(w);
		if (pipefiles_want(w, key, WANTS_ASKED) == NULL)
			return -ENOSPC;
	}
	/* The client has just read its files: its places are the latest. */
	for (size_t i = 0; i < n; i++) {
		rc = wants_server(&w->wants, servers[i]);
		if (rc == -ENOSPC)
			log_warnx("%s is not used: %d servers are enough",
			    servers[i], WANTS_SERVERS);
	}
	if (pipewhy_has_pipeline(w) && w->wants.servers == 0)
		return -EDESTADDRREQ;
	pipefiles_meet(w);
	return 0;
}

static void
route_cb(void *arg, struct forwarding *f, struct record *out)
{
	struct pipework *w = arg;

	pipeboard_route(w->board, f);
	pipeboard_route_record(out, f, w->book);
}

static size_t
forwards_cb(void *arg)
{
	const struct pipework *w = arg;

	return w->forwardings;
}

static void
quit_cb(void *arg)
{
	struct pipework *w = arg;

	loop_end(&w->loop, EXIT_YES);
}

static const struct peerbook *
book_cb(void *arg)
{
	struct pipework *w = arg;

	return w->book;
}

static struct forwarding *
forwarding_cb(void *arg, size_t i)
{
	struct pipework *w = arg;

	return i < w->forwardings ? w->forwarding[i]
				  : mux_forwarding(w->mux, i - w->forwardings);
}

static const char *
trouble_cb(void *arg)
{
	static char text[OUTAGE_TEXT];

	return pipewhy_fault(arg, text);
}

static void
stdio_ended_cb(void *arg, const struct joint_result *r)
{
	struct pipework *w = arg;
	int code = EXIT_TEMP;

	if (r->end == JOINT_DONE)
		code = EXIT_YES;
	else if (r->end == JOINT_WRITE)
		code = mux_tell_write(w->has_reader);
	else
		log_fatalx("%s", joint_end_text(r->end));
	loop_end(&w->loop, code);
}

/* ---- once a second ---- */

/* Links that nobody wants any more, once their streams are over. */
static void
forget(struct pipework *w)
{
	struct link *l;

	for (size_t i = 0; (l = tunnel_each(w->tunnel, i)) != NULL; i++)
		if (!wants_has(&w->wants, link_key(l)) &&
		    joint_next_of(l, NULL) == NULL) {
			tunnel_forget(w->tunnel, l);
			return; /* the next one in a second */
		}
}

static void
measure(struct pipework *w)
{
	char text[METER_TEXT], path[100] = "no path yet";
	struct link_status s;
	uint64_t bytes = 0, rtt_us = 0;
	size_t up = 0;
	struct link *l;

	for (size_t i = 0; (l = tunnel_each(w->tunnel, i)) != NULL; i++) {
		link_status(l, &s);
		bytes += s.bytes_in + s.bytes_out;
		if (!s.up)
			continue;
		rtt_us = s.quic.rtt_us;
		pipewhy_path(&s, path);
		up++;
	}
	if (up > 1) {
		snprintf(path, sizeof(path), "%zu peers", up);
		rtt_us = 0;
	}
	meter_show(meter_text(&w->meter, bytes, path, rtt_us, now_ms(), text));
}

static bool
is_idle(const struct pipework *w)
{
	struct link_status s;
	struct link *l;

	if (mux_clients(w->mux) > 0)
		return false;
	for (size_t i = 0; (l = tunnel_each(w->tunnel, i)) != NULL; i++) {
		link_status(l, &s);
		if (s.streams > 0)
			return false;
	}
	return true;
}

/* With what a person has to mend, who waits for a path waits in vain. */
static void
give_up(struct pipework *w)
{
	int code = driver_code(w->driver);

	if (code != 0)
		mux_give_up(w->mux, code, driver_trouble(w->driver));
}

static void
linger(struct pipework *w)
{
	if (!is_idle(w))
		w->idle_ms = 0;
	else if (driver_code(w->driver) != 0) /* the next one tries at once */
		loop_end(&w->loop, EXIT_TEMP);
	else if (w->idle_ms == 0)
		w->idle_ms = now_ms();
	else if (now_ms() - w->idle_ms >= w->linger_ms)
		loop_end(&w->loop, EXIT_YES);
}

static void
tick_cb(evutil_socket_t fd, short events, void *arg)
{
	struct pipework *w = arg;

	(void)fd;
	(void)events;
	forget(w);
	pipeboard_tick(w->board);
	give_up(w);
	if (w->metering)
		measure(w);
	if (w->background)
		linger(w);
	loop_at(w->tick, now_ms() + TICK_MS);
}

static void
hangup_cb(evutil_socket_t sig, short events, void *arg)
{
	(void)sig;
	(void)events;
	pipefiles_reload(arg);
}

/* ---- opening ---- */

/* Each stream may take two descriptors. */
static void
raise_files(void)
{
	struct rlimit r;

	children_keep_limit();
	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

__attribute__((noreturn)) static void
cant(const char *what, int rc)
{
	errno = -rc;
	if (rc == -EADDRINUSE)
		fatalx(EXIT_USAGE, "%s: another program has it", what);
	fatal(rc == -ENOMEM ? EXIT_TEMP : EXIT_USAGE, "%s", what);
}

/* Who is to be the pipeline's user; one that there isn't is told of by drop. */
static uid_t
user_of(const struct pipeoptions *o)
{
	const struct passwd *pw = o->user != NULL ? getpwnam(o->user) : NULL;

	return pw != NULL ? pw->pw_uid : getuid();
}

static void
open_tunnel(struct pipework *w)
{
	const struct pipeoptions *o = w->o;
	struct tunnel_config c = {.loop = &w->loop,
	    .priv = w->priv,
	    .pub = w->pub,
	    .port = o->port,
	    .path = o->lend != NULL ? o->lend : w->doors->port,
	    .user = user_of(o),
	    .gso = o->gso,
	    .budget = (uint64_t)o->budget_mib << 20,
	    .streams = o->streams,
	    .opened = opened_cb,
	    .changed = changed_cb,
	    .arg = w};
	char what[200];
	int rc = tunnel_new(&w->tunnel, &c);

	snprintf(what, sizeof(what), "UDP port %u, port socket %.120s", o->port,
	    c.path);
	if (rc != 0)
		cant(what, rc);
}

static void
open_mux(struct pipework *w)
{
	struct mux_config c = {.loop = &w->loop,
	    .tunnel = w->tunnel,
	    .resolver = w->resolver,
	    .path = w->doors->mux,
	    .background = w->background,
	    .listens = w->o->listen,
	    .demand = &w->demand,
	    .forwards = forwards_cb,
	    .want = want_cb,
	    .why = pipewhy_cb,
	    .route = route_cb,
	    .quit = quit_cb,
	    .book = &w->book,
	    .arg = w};
	char text[12];
	int rc;

	w->demand = w->o->demand;
	snprintf(text, sizeof(text), "%" PRIu32, w->o->budget_mib);
	if (!demand_has(&w->demand, 'm'))
		demand_add(&w->demand, 'm', text);
	snprintf(text, sizeof(text), "%" PRIu32, w->o->streams);
	if (!demand_has(&w->demand, 'n'))
		demand_add(&w->demand, 'n', text);
	rc = mux_open(&w->mux, &c);
	if (rc != 0)
		cant(w->doors->mux, rc);
}

static void
open_board(struct pipework *w)
{
	struct pipeboard_config c = {.loop = &w->loop,
	    .tunnel = w->tunnel,
	    .pub = w->pub,
	    .kind = w->background	   ? "background"
		    : w->o->listen	   ? "listen"
		    : w->o->routes != NULL ? "routes"
					   : "forwards",
	    .book = book_cb,
	    .forwarding = forwarding_cb,
	    .trouble = trouble_cb,
	    .arg = w};
	const char *path =
	    w->o->control != NULL ? w->o->control : w->doors->control;
	int rc = pipeboard_open(&w->board, path, &c);

	if (rc != 0)
		cant(path, rc);
}

/* Is there anybody who may come to our standard input and output? */
static bool
allows_program(const struct pipework *w)
{
	static const struct opening program = {.to = OPENING_PROGRAM};
	const uint8_t *key;
	const char *hook;

	for (size_t i = 0; (key = permit_key(w->permit, i)) != NULL; i++)
		if (permit_check(w->permit, key, &program, &hook) != PERMIT_NO)
			return true;
	return false;
}

/* Of -l: it is told of now, not when the first peer comes. */
static void
check_program(const char *program)
{
	int rc = onpath_look(program, NULL);

	if (rc == -ENOENT)
		fatalx(127, "the program %s isn't there", program);
	if (rc != 0)
		fatalx(
		    126, "the program %s can't be run: no permission", program);
}

/* -l. Standard input and output are served when nothing else makes sense: no
 * program, no routes, no forwards, and a line of the allow file that says allow;
 * else -l without a program serves ports alone, for ever. */
static void
open_serve(struct pipework *w)
{
	const struct pipeoptions *o = w->o;
	struct serve_config c = {.loop = &w->loop,
	    .resolver = w->resolver,
	    .permit = w->permit,
	    .book = w->book,
	    .program = o->program,
	    .stdio_ended = stdio_ended_cb,
	    .arg = w};
	int rc;

	if (!o->listen)
		return;
	if (o->program != NULL)
		check_program(o->program[0]);
	if (permit_key(w->permit, 0) == NULL)
		fatalx(EXIT_USAGE,
		    "%s names no key, so nobody may come: add a line 'allow "
		    "KEY' for the program, or 'permit KEY 127.0.0.1:22' for a "
		    "port",
		    o->allow);
	w->stdio = o->program == NULL && o->routes == NULL &&
		   o->forwards == 0 && allows_program(w);
	if (w->stdio && o->records != NULL && strcmp(o->records, "-") == 0)
		fatalx(EXIT_USAGE, "-i -: standard input is for the peer; give "
				   "a fifo");
	c.stdio = w->stdio;
	w->has_reader = mux_has_reader(STDOUT_FILENO);
	rc = serve_new(&w->serve, &c);
	if (rc != 0)
		cant("-l", rc);
}

/* Every capability goes, as with all programs that parse what the network
 * brings, and no_new_privs stays set; but the ids stay: nat-pipe works for the
 * user who started it, with his files (SIGHUP reads them again), his programs
 * and his hooks, and nobody could do none of that. What started by root has no
 * power but over root's own files then, and neither have programs of -l: what
 * needs more (a login) is a TCP port behind `permit`, as sshd's. */
static void
drop(const struct pipework *w)
{
	const char *user = w->o->user, *what = NULL;
	int rc = drop_privileges(user, user != NULL, &what);

	if (rc == -ENOENT && user != NULL)
		fatalx(EXIT_USAGE, "-u %s: no such user", user);
	errno = -rc;
	if (rc != 0)
		fatal(EXIT_USAGE, "can't drop privileges: %s", what);
}

static void
open_driver(struct pipework *w)
{
	const struct pipeoptions *o = w->o;
	struct driver_config c = {.loop = &w->loop,
	    .tunnel = w->tunnel,
	    .key_path = w->key_path,
	    .port_path = w->doors->port,
	    .only = o->only,
	    .verbosity = log_verbosity(),
	    .without = o->without,
	    .withouts = o->withouts,
	    .said = said_cb,
	    .arg = w};
	int rc = driver_new(&w->driver, &c);

	if (rc != 0)
		cant("the pipeline", rc);
	if (o->records != NULL && (rc = driver_follow(w->driver, o->records)))
		cant(o->records, rc);
	if (!w->background && pipewhy_has_pipeline(w) && w->wants.servers == 0)
		fatalx(EXIT_USAGE, WANTS_NO_SERVER);
	pipefiles_meet(w);
}

static void
say_cb(void *arg, const char *line, size_t len)
{
	struct pipework *w = arg;

	(void)len;
	mux_say(w->mux, line);
}

/* What a background engine says goes to its clients, by way of a pipe to itself
 * that loses what is too much rather than to wait. */
static void
own_stderr(struct pipework *w)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) == -1 ||
	    dup2(fds[1], STDERR_FILENO) == -1 ||
	    follow_fd(&w->said, &w->loop, fds[0], say_cb, w) != 0)
		fatal(EXIT_TEMP, "can't make a pipe");
	close(fds[1]);
}

static void
start_events(struct pipework *w)
{
	w->tick = loop_event(&w->loop, -1, 0, tick_cb, w);
	loop_at(w->tick, now_ms() + TICK_MS);
	w->hangup = evsignal_new(w->loop.base, SIGHUP, hangup_cb, w);
	if (w->hangup == NULL || event_add(w->hangup, NULL) == -1)
		fatalx(EXIT_TEMP, "can't watch signals");
	w->meter.ms = now_ms();
	w->metering = w->o->progress && !w->background && meter_begin();
}

void
pipework_open(struct pipework *w)
{
	int rc;

	raise_files();
	w->key_path = realpath(w->o->key, NULL);
	if (w->key_path == NULL)
		fatal(EXIT_USAGE, "%s", w->o->key);
	loop_init(&w->loop, false);
	rc = resolver_new(&w->resolver, &w->loop);
	if (rc != 0)
		cant("name servers", rc);
	open_tunnel(w);
	open_mux(w);
	pipefiles_read(w);
	open_serve(w);
	open_board(w);
	pipefiles_start(w, true);
	drop(w);
	start_events(w);
	open_driver(w);
	if (w->background)
		own_stderr(w);
	ready_tell(w->o->ready_fd);
}

int
pipework_run(struct pipework *w)
{
	return loop_run(&w->loop);
}

void
pipework_close(struct pipework *w)
{
	meter_clear();
	log_before(NULL);
	event_free(w->tick);
	event_free(w->hangup);
	driver_free(w->driver);
	while (w->forwardings > 0)
		forwarding_stop(w->forwarding[--w->forwardings], false);
	mux_stop(w->mux);
	tunnel_free(w->tunnel);
	serve_free(w->serve);
	pipeboard_free(w->board);
	follow_free(w->said);
	mux_free(w->mux);
	permit_free(w->permit);
	routes_clear(&w->routes);
	peerbook_free(w->book);
	resolver_free(w->resolver);
	loop_free(&w->loop);
	free(w->key_path);
}
