/* SPDX-License-Identifier: ISC */
/* The pipeline that finds and proves the paths. */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "follow.h"
#include "line.h"
#include "onpath.h"
#include "record.h"
#include "wants.h"

#define PROGRAM "nat-connect"
#define KEPT 128
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 30000
#define STEADY_MS 60000	 /* has run so long: the next end is a first one */
#define PATIENCE_MS 5000 /* to end by itself, before SIGKILL */
#define FAREWELL_MS 2000 /* the same when we end */

/* What a record said of a key that has no link yet. */
struct kept {
	uint8_t key[KEY_LEN];
	enum link_path path; /* LINK_NONE: a free place */
	struct addr endpoint;
};

struct driver {
	struct driver_config c;
	struct event *timer, *child;
	struct follow *out, *err, *file;
	pid_t pid; /* 0: none runs */
	bool ending;
	uint64_t started_ms;
	uint32_t backoff_ms;
	uint8_t peer[TUNNEL_PEERS][KEY_LEN];
	size_t peers;
	char server[WANTS_SERVERS][KEY_SERVER_STRLEN];
	size_t servers;
	char trouble[400], last[300];
	int code; /* of trouble */
	struct kept kept[KEPT];
	size_t next;
	char program[PATH_MAX], build[PATH_MAX];
};

static enum link_path
path_of(const char *state)
{
	static const struct {
		const char *name;
		enum link_path path;
	} names[] = {
	    {"waiting", LINK_WAITING},
	    {"checking", LINK_WAITING},
	    {"direct", LINK_DIRECT},
	    {"relayed", LINK_RELAYED},
	    {"failed", LINK_FAILED},
	    {"lost", LINK_FAILED},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(state, names[i].name) == 0)
			return names[i].path;
	return LINK_NONE;
}

/* A pipeline that has just been started waits for everybody: that is no news of
 * a path that stands. */
static bool
is_news(const struct link *l, enum link_path path)
{
	struct link_status s;

	link_status(l, &s);
	return path != LINK_WAITING || !link_path_stands(s.path);
}

/* Of a peer that nobody wants yet: the oldest of them goes. */
static void
keep(struct driver *d, const uint8_t key[KEY_LEN], enum link_path path,
    const struct addr *endpoint)
{
	struct kept *k = NULL;

	for (size_t i = 0; i < KEPT && k == NULL; i++)
		if (d->kept[i].path != LINK_NONE &&
		    memcmp(d->kept[i].key, key, KEY_LEN) == 0)
			k = &d->kept[i];
	if (k == NULL)
		k = &d->kept[d->next++ % KEPT];
	memcpy(k->key, key, KEY_LEN);
	k->path = path;
	k->endpoint = *endpoint;
}

static void
take_record(void *arg, const char *line, size_t len)
{
	struct driver *d = arg;
	struct record_view v;
	struct addr endpoint = {.family = ADDR_NONE};
	uint8_t key[KEY_LEN];
	enum link_path path;
	struct link *l;

	if (record_parse(&v, line, len) != 0 || !record_is(&v, "path") ||
	    record_get_key(&v, "key", key) != 0 ||
	    record_get(&v, "state") == NULL)
		return;
	path = path_of(record_get(&v, "state"));
	if (path == LINK_NONE)
		return;
	if (link_path_stands(path) &&
	    (record_get_addr(&v, "endpoint", &endpoint) != 0 ||
		!addr_is_sendable(&endpoint)))
		return;
	d->trouble[0] = '\0';
	d->code = 0;
	l = tunnel_find(d->c.tunnel, key);
	if (l == NULL)
		keep(d, key, path, &endpoint);
	else if (is_news(l, path))
		link_path(l, path,
		    endpoint.family == ADDR_NONE ? NULL : &endpoint,
		    record_get(&v, "reason"));
}

void
driver_recall(struct driver *d, struct link *l)
{
	for (size_t i = 0; i < KEPT; i++) {
		struct kept *k = &d->kept[i];

		if (k->path == LINK_NONE ||
		    memcmp(k->key, link_key(l), KEY_LEN) != 0)
			continue;
		link_path(l, k->path,
		    k->endpoint.family == ADDR_NONE ? NULL : &k->endpoint,
		    NULL);
		k->path = LINK_NONE;
	}
}

#define WARNING ": warning: "

/* "nat-rendezvous: warning: peer KEY: not met yet..." (rendezvous/advice.c) of a
 * peer that nobody here waits for: of one that is allowed to come, or that a
 * forward goes to, it is no news that he is away. */
static bool
is_idle_talk(const struct driver *d, const char *line)
{
	const char *at = strstr(line, WARNING "peer ");
	const char *words = ": not met yet";
	char text[KEY_STRLEN];
	uint8_t key[KEY_LEN];
	struct link_status s;
	struct link *l;

	if (at == NULL)
		return false;
	at += strlen(WARNING "peer ");
	if (strlen(at) < KEY_STRLEN - 1 ||
	    strncmp(at + KEY_STRLEN - 1, words, strlen(words)) != 0)
		return false;
	snprintf(text, sizeof(text), "%s", at);
	if (key_parse_public(key, text) != 0)
		return false;
	l = tunnel_find(d->c.tunnel, key);
	if (l == NULL)
		return true;
	link_status(l, &s);
	return !s.awaited;
}

/* The same line with another level. */
static void
pass_as_info(struct driver *d, const char *line)
{
	const char *at = strstr(line, WARNING);
	char text[600];

	snprintf(text, sizeof(text), "%.*s: info: %s", (int)(at - line), line,
	    at + strlen(WARNING));
	d->c.said(d->c.arg, text);
}

static void
take_line(void *arg, const char *line, size_t len)
{
	struct driver *d = arg;

	(void)len;
	if (is_idle_talk(d, line)) {
		if (d->c.verbosity > 0)
			pass_as_info(d, line);
		return;
	}
	snprintf(
	    d->last, sizeof(d->last), "%.*s", (int)sizeof(d->last) - 1, line);
	d->c.said(d->c.arg, line);
}

/* ---- the program ---- */

static bool
try(struct driver *d, const char *folder, const char *more)
{
	int n = snprintf(
	    d->program, sizeof(d->program), "%s%s/" PROGRAM, folder, more);

	return n > 0 && (size_t)n < sizeof(d->program) &&
	       onpath_look(d->program, NULL) == 0;
}

/* As the scripts find programs: next to us, in $NATKIT_BUILD, in the bin of a
 * checkout, in PATH. From a checkout the programs are next to us: the script
 * is told so. */
static bool
find_program(struct driver *d)
{
	const char *build = getenv("NATKIT_BUILD");
	ssize_t n = readlink("/proc/self/exe", d->build, sizeof(d->build) - 1);
	char *slash;

	d->build[n > 0 ? n : 0] = '\0';
	slash = strrchr(d->build, '/');
	if (slash != NULL)
		*slash = '\0';
	if (slash != NULL && try(d, d->build, ""))
		return true;
	if (build != NULL && *build != '\0' && try(d, build, ""))
		return true;
	if (slash != NULL && try(d, d->build, "/../bin"))
		return true;
	return onpath_look(PROGRAM, d->program) == 0;
}

/* In the child, up to exec. */
__attribute__((noreturn)) static void
become(struct driver *d, char *const argv[], pid_t parent, int out, int err)
{
	int null = open("/dev/null", O_RDONLY);

	/* A session of its own keeps Ctrl-C away from it: we end it. */
	setsid();
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) == -1 || getppid() != parent ||
	    null == -1 || dup2(null, 0) == -1 || dup2(out, 1) == -1 ||
	    dup2(err, 2) == -1)
		_exit(111);
	syscall(SYS_close_range, 3U, ~0U, 0U);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	if (d->build[0] != '\0')
		setenv("NATKIT_BUILD", d->build, 0);
	execv(d->program, argv);
	_exit(errno == ENOENT ? 127 : 126);
}

#define ARGS (10 + 2 * WANTS_SERVERS + 2 * DRIVER_WITHOUT + TUNNEL_PEERS)

static void
arguments(struct driver *d, char *argv[ARGS], char (*text)[KEY_STRLEN])
{
	static char only[3] = "-?", quiet[] = "-q", verbose[] = "-v";
	static char server[] = "-S", key[] = "-k", without[] = "-x";
	static char name[] = PROGRAM;
	size_t n = 0;

	only[1] = d->c.only;
	argv[n++] = name;
	if (d->c.only != 0)
		argv[n++] = only;
	if (d->c.verbosity < 0)
		argv[n++] = quiet;
	for (int i = 0; i < d->c.verbosity && i < 2; i++)
		argv[n++] = verbose;
	for (size_t i = 0; i < d->c.withouts && i < DRIVER_WITHOUT; i++) {
		argv[n++] = without;
		argv[n++] = (char *)d->c.without[i];
	}
	argv[n++] = key;
	argv[n++] = (char *)d->c.key_path;
	for (size_t i = 0; i < d->servers; i++) {
		argv[n++] = server;
		argv[n++] = d->server[i];
	}
	argv[n++] = (char *)d->c.port_path;
	for (size_t i = 0; i < d->peers; i++) {
		key_format(d->peer[i], text[i]);
		argv[n++] = text[i];
	}
	argv[n] = NULL;
}

static void
say(struct driver *d, const char *text)
{
	char line[500];

	snprintf(line, sizeof(line), "nat-pipe: warning: %s", text);
	if (d->c.verbosity >= 0)
		d->c.said(d->c.arg, line);
}

static void
later(struct driver *d, uint32_t ms)
{
	loop_at(d->timer, now_ms() + ms);
}

static void
close_both(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

/* Returns 0 or -errno. */
static int
spawn(struct driver *d)
{
	char text[TUNNEL_PEERS][KEY_STRLEN];
	char *argv[ARGS];
	int out[2], err[2], rc = 0;
	pid_t parent = getpid();

	if (pipe2(out, O_CLOEXEC) == -1)
		return -errno;
	if (pipe2(err, O_CLOEXEC) == -1) {
		rc = -errno;
		close_both(out);
		return rc;
	}
	arguments(d, argv, text);
	d->pid = fork();
	if (d->pid == 0)
		become(d, argv, parent, out[1], err[1]);
	if (d->pid == -1) {
		rc = -errno;
		d->pid = 0;
		close_both(out);
		close_both(err);
		return rc;
	}
	close(out[1]);
	close(err[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	rc = follow_fd(&d->out, d->c.loop, out[0], take_record, d);
	if (rc == 0)
		rc = follow_fd(&d->err, d->c.loop, err[0], take_line, d);
	return rc;
}

static void
start(struct driver *d)
{
	int rc;

	event_del(d->timer);
	d->ending = false;
	d->code = 0;
	if (d->peers == 0)
		return;
	if (d->servers == 0) {
		snprintf(d->trouble, sizeof(d->trouble), WANTS_NO_SERVER);
		return;
	}
	if (!find_program(d)) {
		snprintf(d->trouble, sizeof(d->trouble),
		    PROGRAM " isn't there: install natkit, or set PATH or "
			    "NATKIT_BUILD");
		d->code = 127;
		say(d, d->trouble);
		later(d, BACKOFF_MAX_MS);
		return;
	}
	d->started_ms = now_ms();
	d->last[0] = '\0';
	rc = spawn(d);
	if (rc == 0)
		return;
	snprintf(d->trouble, sizeof(d->trouble), PROGRAM " can't start: %s",
	    strerror(-rc));
	say(d, d->trouble);
	later(d, BACKOFF_MAX_MS);
}

/* It has ended by itself: again, after a while. */
static void
ended(struct driver *d, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
	uint32_t wait_ms;

	if (now_ms() - d->started_ms > STEADY_MS)
		d->backoff_ms = 0;
	d->backoff_ms = d->backoff_ms == 0 ? BACKOFF_MIN_MS : d->backoff_ms * 2;
	/* what a person has to mend does not mend by itself */
	d->code = code == 100 || code == 126 || code == 127 ? code : 0;
	if (d->code != 0 || d->backoff_ms > BACKOFF_MAX_MS)
		d->backoff_ms = BACKOFF_MAX_MS;
	wait_ms = d->backoff_ms - randombytes_uniform(d->backoff_ms / 4);
	snprintf(d->trouble, sizeof(d->trouble),
	    "the pipeline ended with code %d%s%s", code,
	    d->last[0] != '\0' ? ": " : "", d->last);
	say(d, d->trouble);
	later(d, wait_ms);
}

static void
child_cb(evutil_socket_t sig, short events, void *arg)
{
	struct driver *d = arg;
	int status;

	(void)sig;
	(void)events;
	if (d->pid == 0 || waitpid(d->pid, &status, WNOHANG) != d->pid)
		return;
	d->pid = 0;
	follow_drain(d->out);
	follow_drain(d->err);
	follow_free(d->out);
	follow_free(d->err);
	d->out = d->err = NULL;
	if (d->ending)
		start(d);
	else
		ended(d, status);
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	struct driver *d = arg;

	(void)fd;
	(void)events;
	if (d->pid == 0)
		start(d);
	else if (d->ending)
		kill(d->pid, SIGKILL);
}

/* ---- public ---- */

int
driver_new(struct driver **out, const struct driver_config *c)
{
	struct driver *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return -ENOMEM;
	d->c = *c;
	d->timer = loop_event(c->loop, -1, 0, timer_cb, d);
	d->child = event_new(
	    c->loop->base, SIGCHLD, EV_SIGNAL | EV_PERSIST, child_cb, d);
	if (d->child == NULL || event_add(d->child, NULL) == -1) {
		driver_free(d);
		return -ENOMEM;
	}
	*out = d;
	return 0;
}

/* Waits for the child, without the loop. */
static void
farewell(struct driver *d)
{
	struct pollfd p = {.events = POLLIN};

	p.fd = (int)syscall(SYS_pidfd_open, d->pid, 0U);
	kill(d->pid, SIGTERM);
	if (p.fd == -1 || poll(&p, 1, FAREWELL_MS) != 1)
		kill(d->pid, SIGKILL);
	waitpid(d->pid, NULL, 0);
	if (p.fd != -1)
		close(p.fd);
}

void
driver_free(struct driver *d)
{
	if (d == NULL)
		return;
	follow_free(d->out);
	follow_free(d->file);
	if (d->pid != 0)
		farewell(d);
	follow_free(d->err);
	if (d->child != NULL)
		event_free(d->child);
	event_free(d->timer);
	free(d);
}

static int
compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, KEY_LEN);
}

int
driver_set(struct driver *d, const uint8_t (*peers)[KEY_LEN], size_t n,
    const char *const *servers, size_t n_servers)
{
	uint8_t sorted[TUNNEL_PEERS][KEY_LEN];
	bool same = n == d->peers && n_servers == d->servers;

	if (n > TUNNEL_PEERS || n_servers > WANTS_SERVERS)
		return -E2BIG;
	memcpy(sorted, peers, n * KEY_LEN);
	qsort(sorted, n, KEY_LEN, compare_keys);
	same = same && memcmp(sorted, d->peer, n * KEY_LEN) == 0;
	for (size_t i = 0; same && i < n_servers; i++)
		same = strcmp(servers[i], d->server[i]) == 0;
	if (same)
		return 0;
	memcpy(d->peer, sorted, n * KEY_LEN);
	d->peers = n;
	for (size_t i = 0; i < n_servers; i++)
		snprintf(d->server[i], sizeof(d->server[i]), "%s", servers[i]);
	d->servers = n_servers;
	d->trouble[0] = '\0';
	d->backoff_ms = 0;
	if (d->pid == 0) {
		start(d);
	} else if (!d->ending) {
		d->ending = true;
		kill(d->pid, SIGTERM);
		later(d, PATIENCE_MS);
	}
	return 0;
}

int
driver_follow(struct driver *d, const char *path)
{
	follow_free(d->file);
	d->file = NULL;
	return follow_path(&d->file, d->c.loop, path, take_record, d);
}

const char *
driver_trouble(const struct driver *d)
{
	return d->trouble[0] != '\0' ? d->trouble : NULL;
}

int
driver_code(const struct driver *d)
{
	return d->trouble[0] != '\0' ? d->code : 0;
}

const char *
driver_last(const struct driver *d)
{
	return d->last;
}
