/* SPDX-License-Identifier: ISC */
/* tunnel/children and tunnel/hook: what a program gets of us, how it ends, and
 * what counts as its yes. */
#include "children.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../loopwait.h"
#include "envset.h"
#include "hook.h"

struct fix {
	struct loop loop;
	struct children *set;
	struct envset env;
	int ended, status;
	int answered;
	bool yes;
	int out[2]; /* what programs write is read at 0 */
};

static int
setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	loop_init(&f->loop, false);
	assert_int_equal(children_new(&f->set, &f->loop), 0);
	envset_init(&f->env);
	assert_int_equal(pipe2(f->out, O_CLOEXEC), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fix *f = *state;

	children_free(f->set);
	envset_clear(&f->env);
	loop_free(&f->loop);
	close(f->out[0]);
	close(f->out[1]);
	free(f);
	return 0;
}

static void
ended_cb(void *arg, int status)
{
	struct fix *f = arg;

	f->status = status;
	f->ended++;
}

static struct child *
start(struct fix *f, const char *script)
{
	char *argv[] = {
	    (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", NULL, NULL};
	struct child *c = NULL;

	argv[2] = strdup(script);
	assert_int_equal(child_start(&c, f->set,
			     &(struct child_config){
				 .argv = argv,
				 .envp = envset_of(&f->env),
				 .in = -1,
				 .out = f->out[1],
				 .ended = ended_cb,
				 .arg = f,
			     }),
	    0);
	free(argv[2]);
	return c;
}

static int
run(struct fix *f, const char *script)
{
	f->ended = 0;
	start(f, script);
	loopwait(&f->loop, &f->ended);
	return f->status;
}

/* Waits for what a program has to say; it ends with a newline. */
static void
hear(struct fix *f, const char *what)
{
	char buf[64] = "";
	size_t len = 0;

	while (len < sizeof(buf) - 1 && strchr(buf, '\n') == NULL) {
		ssize_t n = read(f->out[0], buf + len, sizeof(buf) - 1 - len);

		assert_true(n > 0);
		len += (size_t)n;
		buf[len] = '\0';
	}
	assert_string_equal(buf, what);
}

static void
test_can_not_run(void **state)
{
	struct fix *f = *state;
	char *argv[] = {(char *)(uintptr_t) "/nonexistent/program", NULL};
	struct child *c = NULL;
	struct child_config config = {
	    .argv = argv, .envp = envset_of(&f->env), .in = -1, .out = -1};

	assert_int_equal(child_start(&c, f->set, &config), -ENOENT);
	argv[0] = (char *)(uintptr_t) "/dev/null";
	assert_int_equal(child_start(&c, f->set, &config), -EACCES);
	assert_null(c);
}

/* No descriptor, no ignored signal, no group of ours. */
static void
test_nothing_of_ours(void **state)
{
	struct fix *f = *state;
	int leak = fcntl(f->out[0], F_DUPFD, 50); /* without close-on-exec */
	char script[128];

	assert_true(leak >= 50);
	(void)snprintf(
	    script, sizeof(script), "test ! -e /proc/self/fd/%d", leak);
	assert_int_equal(run(f, script), 0);
	close(leak);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(WTERMSIG(run(f, "kill -PIPE $$")), SIGPIPE);
	assert_int_equal(run(f, "read -r a b c d group rest </proc/$$/stat; "
				"test \"$group\" = $$"),
	    0);
	assert_int_equal(run(f, "read -r line"), 1 << 8); /* end at once */
}

/* With more descriptors open than a program may have, it gets its two. */
static void
test_limit(void **state)
{
	struct fix *f = *state;
	struct rlimit was, r;
	int many[80];

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	r = was;
	r.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &r), 0);
	children_keep_limit();
	r.rlim_cur = was.rlim_max < 4096 ? was.rlim_max : 4096;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &r), 0);
	for (int i = 0; i < 80; i++)
		assert_true((many[i] = dup(f->out[0])) >= 0);
	assert_true(many[79] > 64);
	assert_int_equal(run(f, "test \"$(ulimit -Sn)\" = 64 && echo yes"), 0);
	hear(f, "yes\n");
	for (int i = 0; i < 80; i++)
		close(many[i]);
	/* ours is as we have set it */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(was.rlim_cur, r.rlim_cur);
}

/* What we have said to an earlier one, or were told ourselves, is not said. */
static void
test_environment(void **state)
{
	struct fix *f = *state;

	setenv("NATKIT_NAME", "of-another-stream", 1);
	setenv("KEPT", "yes", 1);
	envset_clear(&f->env);
	envset_init(&f->env);
	envset_put(&f->env, "NATKIT_PEER", "k=1 $(false)");
	envset_put(&f->env, "NATKIT_HOST", "");
	assert_int_equal(run(f, "test \"$NATKIT_PEER\" = 'k=1 $(false)' && "
				"test \"$KEPT\" = yes && "
				"test -z \"${NATKIT_NAME+set}\" && "
				"test -z \"${NATKIT_HOST+set}\""),
	    0);
	unsetenv("NATKIT_NAME");
	for (int i = 0; i <= ENVSET_OURS; i++)
		envset_put(&f->env, "NATKIT_PEER", "k");
	assert_null(envset_of(&f->env)); /* too many: none at all */
}

static void
test_no_zombie(void **state)
{
	struct fix *f = *state;

	assert_int_equal(WEXITSTATUS(run(f, "exit 3")), 3);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	f->ended = 0;
	for (int i = 0; i < 50; i++)
		start(f, "exit 0");
	while (f->ended < 50) {
		int before = f->ended;
		int grown = 0;

		while (!grown) {
			event_base_loop(f->loop.base, EVLOOP_ONCE);
			grown = f->ended > before;
		}
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* One that ignores SIGHUP, and what it has started, end by SIGKILL. */
static void
test_stop(void **state)
{
	struct fix *f = *state;
	struct child *c;
	char buf[8];

	c = start(f, "trap '' HUP; sleep 600 & echo ready; wait");
	hear(f, "ready\n");
	child_stop(c, false);
	child_stop(c, false);
	assert_false(loopwait_ms(&f->loop, &f->ended, 100));
	loopwait(&f->loop, &f->ended);
	assert_int_equal(WTERMSIG(f->status), SIGKILL);
	/* nobody holds the pipe any more */
	close(f->out[1]);
	assert_int_equal(read(f->out[0], buf, sizeof(buf)), 0);
	f->out[1] = dup(f->out[0]);
}

static void
test_stop_now(void **state)
{
	struct fix *f = *state;
	struct child *c = start(f, "trap '' HUP; echo ready; sleep 600");

	hear(f, "ready\n");
	child_stop(c, true);
	loopwait(&f->loop, &f->ended);
	assert_int_equal(WTERMSIG(f->status), SIGKILL);
}

static void
test_forget(void **state)
{
	struct fix *f = *state;

	child_forget(start(f, "echo over"));
	hear(f, "over\n");
	assert_int_equal(run(f, "exit 0"), 0);
	assert_int_equal(f->ended, 1);
}

static void
answer_cb(void *arg, bool yes)
{
	struct fix *f = arg;

	f->yes = yes;
	f->answered++;
}

static bool
ask(struct fix *f, const char *script, uint32_t ms)
{
	char path[] = "/tmp/natkit-hook-XXXXXX";
	int fd = mkstemp(path);
	struct hook *h;

	assert_true(dprintf(fd, "#!/bin/sh\n%s\n", script) > 0);
	fchmod(fd, 0700);
	close(fd);
	f->answered = 0;
	assert_int_equal(hook_ask(&h, &f->loop, f->set, path,
			     envset_of(&f->env), ms, answer_cb, f),
	    0);
	assert_int_equal(f->answered, 0); /* never from within */
	loopwait(&f->loop, &f->answered);
	unlink(path);
	return f->yes;
}

static void
test_hook_no(void **state)
{
	struct fix *f = *state;
	struct hook *h;

	assert_false(ask(f, "exit 1", 10000));
	assert_false(ask(f, "kill -KILL $$", 10000));
	assert_false(ask(f, "exec sleep 600", 200));
	assert_int_equal(hook_ask(&h, &f->loop, f->set, "/nonexistent/hook",
			     envset_of(&f->env), 1000, answer_cb, f),
	    -ENOENT);
}

static void
test_hook_yes(void **state)
{
	struct fix *f = *state;

	assert_true(ask(f, "exit 0", 10000));
}

static void
test_hook_cancel(void **state)
{
	struct fix *f = *state;
	char *const *env = envset_of(&f->env);
	struct hook *h;

	assert_int_equal(hook_ask(&h, &f->loop, f->set, "/bin/true", env, 1000,
			     answer_cb, f),
	    0);
	hook_cancel(h);
	assert_int_equal(run(f, "exit 0"), 0);
	assert_int_equal(f->answered, 0);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_can_not_run),
	    T(test_nothing_of_ours),
	    T(test_environment),
	    T(test_limit),
	    T(test_no_zombie),
	    T(test_stop),
	    T(test_stop_now),
	    T(test_forget),
	    T(test_hook_no),
	    T(test_hook_yes),
	    T(test_hook_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
