/* SPDX-License-Identifier: ISC */
/* Programs that this one starts and outlives. */
#include "children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
	struct children *set;
	struct child *next;
	pid_t pid;
	void (*ended)(void *arg, int status);
	void *arg;
	struct event *kill; /* armed by child_stop */
	bool stopped;
};

struct children {
	struct loop *loop;
	struct event *died; /* SIGCHLD */
	struct child *first;
};

static struct rlimit limit;
static bool has_limit;

void
children_keep_limit(void)
{
	has_limit = getrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static void
child_free(struct child *c)
{
	struct child **p = &c->set->first;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	event_free(c->kill);
	free(c);
}

/* True: it has ended and is gone, and so may be others. */
static bool
reap(struct child *c)
{
	void (*ended)(void *arg, int status) = c->ended;
	void *arg = c->arg;
	int status = SIGKILL; /* unless we hear: never taken for a yes */

	/* As long as it is not reaped, its process group's number is no other's:
	 * who is stopped stays until the group had its SIGKILL. */
	if (c->stopped && event_pending(c->kill, EV_TIMEOUT, NULL))
		return false;
	if (waitpid(c->pid, &status, WNOHANG) == 0)
		return false;
	child_free(c);
	if (ended != NULL)
		ended(arg, status);
	return true;
}

static void
died_cb(evutil_socket_t sig, short events, void *arg)
{
	struct children *set = arg;
	struct child *c = set->first;

	(void)sig;
	(void)events;
	while (c != NULL)
		c = reap(c) ? set->first : c->next;
}

static void
kill_cb(evutil_socket_t fd, short events, void *arg)
{
	struct child *c = arg;

	(void)fd;
	(void)events;
	kill(-c->pid, SIGKILL);
	reap(c); /* or by the SIGCHLD to come */
}

int
children_new(struct children **out, struct loop *l)
{
	struct children *set = calloc(1, sizeof(*set));

	if (set == NULL)
		return -ENOMEM;
	set->loop = l;
	set->died = evsignal_new(l->base, SIGCHLD, died_cb, set);
	if (set->died == NULL || event_add(set->died, NULL) == -1) {
		if (set->died != NULL)
			event_free(set->died);
		free(set);
		return -ENOMEM;
	}
	*out = set;
	return 0;
}

void
children_free(struct children *set)
{
	struct child *next = NULL;

	if (set == NULL)
		return;
	for (struct child *c = set->first; c != NULL; c = next) {
		next = c->next;
		kill(-c->pid, SIGHUP);
		waitpid(c->pid, NULL, WNOHANG);
		child_free(c);
	}
	event_free(set->died);
	free(set);
}

/* Both descriptors are above 2 or what they are to be: addclosefrom takes care of
 * all others. */
static int
set_files(posix_spawn_file_actions_t *a, const struct child_config *c)
{
	int rc;

	rc = c->in >= 0 ? posix_spawn_file_actions_adddup2(a, c->in, 0)
			: posix_spawn_file_actions_addopen(
			      a, 0, "/dev/null", O_RDONLY, 0);
	if (rc != 0)
		return rc;
	rc = c->out >= 0 ? posix_spawn_file_actions_adddup2(a, c->out, 1)
			 : posix_spawn_file_actions_addopen(
			       a, 1, "/dev/null", O_WRONLY, 0);
	if (rc != 0)
		return rc;
	return posix_spawn_file_actions_addclosefrom_np(a, 3);
}

static int
set_attributes(posix_spawnattr_t *a)
{
	sigset_t all, none;
	int rc;

	sigfillset(&all);
	sigemptyset(&none);
	rc = posix_spawnattr_setflags(a, POSIX_SPAWN_SETPGROUP |
					     POSIX_SPAWN_SETSIGDEF |
					     POSIX_SPAWN_SETSIGMASK);
	if (rc == 0)
		rc = posix_spawnattr_setpgroup(a, 0);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(a, &all);
	if (rc == 0)
		rc = posix_spawnattr_setsigmask(a, &none);
	return rc;
}

/* A program inherits our limit, so it is ours for a moment. What is open above
 * it stays so. */
static int
spawn_limited(pid_t *pid, const struct child_config *c,
    const posix_spawn_file_actions_t *files, const posix_spawnattr_t *a)
{
	struct rlimit ours, low;
	bool lowered = false;
	int rc;

	if (has_limit && getrlimit(RLIMIT_NOFILE, &ours) == 0) {
		low = ours;
		low.rlim_cur = limit.rlim_cur < ours.rlim_max ? limit.rlim_cur
							      : ours.rlim_max;
		lowered = setrlimit(RLIMIT_NOFILE, &low) == 0;
	}
	rc = posix_spawnp(pid, c->argv[0], files, a, c->argv, c->envp);
	if (lowered)
		setrlimit(RLIMIT_NOFILE, &ours);
	return rc;
}

static int
spawn(pid_t *pid, const struct child_config *c)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int rc = posix_spawn_file_actions_init(&files);

	if (rc != 0)
		return -rc;
	rc = posix_spawnattr_init(&attributes);
	if (rc == 0) {
		rc = set_files(&files, c);
		if (rc == 0)
			rc = set_attributes(&attributes);
		if (rc == 0)
			rc = spawn_limited(pid, c, &files, &attributes);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&files);
	return -rc;
}

int
child_start(
    struct child **out, struct children *set, const struct child_config *config)
{
	struct child *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return -ENOMEM;
	rc = spawn(&c->pid, config);
	if (rc != 0) {
		free(c);
		return rc;
	}
	c->set = set;
	c->ended = config->ended;
	c->arg = config->arg;
	c->kill = loop_event(set->loop, -1, 0, kill_cb, c);
	c->next = set->first;
	set->first = c;
	*out = c;
	return 0;
}

void
child_stop(struct child *c, bool now)
{
	if (c->stopped && !now)
		return;
	c->stopped = true;
	kill(-c->pid, now ? SIGKILL : SIGHUP);
	if (now)
		event_del(c->kill);
	else
		loop_at(c->kill, now_ms() + CHILDREN_KILL_MS);
}

void
child_forget(struct child *c)
{
	if (c != NULL)
		c->ended = NULL;
}
