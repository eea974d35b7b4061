/* SPDX-License-Identifier: ISC */
/* tunnel/serve: programs, hooks and limits, between two engines. */
#include "ends_fixture.h"

#include <sys/stat.h>
#include <sys/wait.h>

/* What a asks of b, joined to a socket of the test. */
struct asked {
	struct joint *joint;
	int fd;
	int answered, ended;
	enum opening_reason reason;
	enum joint_end end;
};

static void
answered_cb(void *arg, enum opening_reason r, uint16_t port)
{
	struct asked *k = arg;

	(void)port;
	k->reason = r;
	k->answered++;
}

static void
ended_cb(void *arg, const struct joint_result *r)
{
	struct asked *k = arg;

	k->joint = NULL;
	k->end = r->end;
	k->ended++;
}

static void
ask(struct ends *e, struct asked *k, const struct opening *what)
{
	int pair[2];

	memset(k, 0, sizeof(*k));
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	k->fd = pair[0];
	assert_int_equal(joint_open(&k->joint, e->a.link, what,
			     &(struct joint_config){
				 .in = pair[1],
				 .out = pair[1],
				 .answered = answered_cb,
				 .ended = ended_cb,
				 .arg = k,
			     }),
	    0);
}

static void
over(struct ends *e, struct asked *k)
{
	loopwait(&e->loop, &k->ended);
	close(k->fd);
}

static enum opening_reason
answer(struct ends *e, const struct opening *what)
{
	struct asked k;

	ask(e, &k, what);
	loopwait(&e->loop, &k.answered);
	if (k.joint != NULL)
		joint_cancel(k.joint, true);
	close(k.fd);
	return k.reason;
}

static const struct opening program = {.to = OPENING_PROGRAM};

static char **
sh(const char *script)
{
	static char *argv[4];

	argv[0] = (char *)(uintptr_t) "sh";
	argv[1] = (char *)(uintptr_t) "-c";
	argv[2] = (char *)(uintptr_t)script;
	return argv;
}

static void
test_program_refused(void **state)
{
	struct ends *e = *state;
	char *argv[] = {(char *)(uintptr_t) "/nonexistent/program", NULL};

	/* not in the allow file; then no program; then one that isn't there */
	side_serve(e, &e->b, sh("echo never"));
	assert_int_equal(answer(e, &program), OPENING_PERMIT);
	serve_free(e->b.serve);
	e->b.serve = NULL;
	side_permit(&e->b, &e->a, "allow KEY\n");
	side_serve(e, &e->b, NULL);
	assert_int_equal(answer(e, &program), OPENING_NOBODY);
	serve_free(e->b.serve);
	side_serve(e, &e->b, argv);
	assert_int_equal(answer(e, &program), OPENING_FAILED);
}

/* sort gives no line before it has seen the end. */
static void
test_half_close(void **state)
{
	struct ends *e = *state;
	struct asked k;

	side_permit(&e->b, &e->a, "allow KEY\n");
	side_serve(e, &e->b, sh("sort"));
	ask(e, &k, &program);
	say(k.fd, "b\nc\na\n");
	shutdown(k.fd, SHUT_WR);
	hear(e, k.fd, "a\nb\nc\n", true);
	over(e, &k);
	assert_int_equal(k.end, JOINT_DONE);
}

/* The other way round: the program's end comes first, what it reads goes on. */
static void
test_program_ends_first(void **state)
{
	struct ends *e = *state;
	struct asked k;
	char path[64], script[256], line[8] = "";
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/out", e->dir);
	(void)snprintf(script, sizeof(script),
	    "echo hello; exec >&-; cat >%s.tmp; mv %s.tmp %s", path, path,
	    path);
	side_permit(&e->b, &e->a, "allow KEY\n");
	side_serve(e, &e->b, sh(script));
	ask(e, &k, &program);
	hear(e, k.fd, "hello\n", true);
	say(k.fd, "late");
	shutdown(k.fd, SHUT_WR);
	over(e, &k);
	assert_int_equal(k.end, JOINT_DONE);
	for (int i = 0; i < 500 && access(path, F_OK) != 0; i++)
		until_ms(e, -1, POLLIN, 10);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	assert_string_equal(line, "late");
	assert_int_equal(fclose(f), 0);
	unlink(path);
}

/* What a program has said arrives, also when it does not read all it is given. */
static void
test_program_reads_little(void **state)
{
	struct ends *e = *state;
	struct asked k;

	side_permit(&e->b, &e->a, "allow KEY\n");
	side_serve(e, &e->b, sh("head -n 1"));
	ask(e, &k, &program);
	say(k.fd, "one\ntwo\n");
	hear(e, k.fd, "one\n", false);
	shutdown(k.fd, SHUT_WR);
	over(e, &k);
}

static void
test_program_environment(void **state)
{
	struct ends *e = *state;
	char want[256], key[KEY_STRLEN];
	struct asked k;

	side_permit(&e->b, &e->a, "allow KEY\n");
	side_serve(e, &e->b,
	    sh("echo $PROTO $NATKIT_PEER $NATKIT_PATH $QUICLOCALIP "
	       "$QUICLOCALPORT $QUICREMOTEIP $QUICREMOTEPORT"));
	ask(e, &k, &program);
	(void)snprintf(want, sizeof(want),
	    "QUIC %s direct 127.0.0.1 %u 127.0.0.1 %u\n",
	    key_format(e->a.pub, key), tunnel_port(e->b.tunnel),
	    tunnel_port(e->a.tunnel));
	hear(e, k.fd, want, true);
	shutdown(k.fd, SHUT_WR);
	over(e, &k);
}

static void
until_programs(struct ends *e, uint32_t n)
{
	struct serve_status s;

	for (int i = 0; i < 2000; i++) {
		serve_status(e->b.serve, &s);
		if (s.programs == n)
			return;
		until_ms(e, -1, POLLIN, 10);
	}
	fail_msg("%u programs", s.programs);
}

/* The peer goes away in the middle: the program is told, and reaped. */
static void
test_aborted(void **state)
{
	struct ends *e = *state;
	struct asked k;
	char path[64], script[160];

	(void)snprintf(path, sizeof(path), "%s/hup", e->dir);
	(void)snprintf(script, sizeof(script),
	    "trap 'mkdir %s; exit' HUP; echo ready; "
	    "while :; do sleep 0.05; done",
	    path);
	side_permit(&e->b, &e->a, "allow KEY\n");
	side_serve(e, &e->b, sh(script));
	ask(e, &k, &program);
	hear(e, k.fd, "ready\n", false);
	joint_cancel(k.joint, true);
	close(k.fd);
	for (int i = 0; i < 500 && access(path, F_OK) != 0; i++)
		until_ms(e, -1, POLLIN, 10);
	assert_int_equal(rmdir(path), 0);
	until_programs(e, 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void
test_too_many_programs(void **state)
{
	struct ends *e = *state;
	struct asked k[SERVE_PROGRAMS];

	side_permit(&e->b, &e->a, "allow KEY\n");
	side_serve(e, &e->b, sh("exec cat"));
	for (size_t i = 0; i < SERVE_PROGRAMS; i++)
		ask(e, &k[i], &program);
	for (size_t i = 0; i < SERVE_PROGRAMS; i++) {
		loopwait(&e->loop, &k[i].answered);
		assert_int_equal(k[i].reason, OPENING_OK);
	}
	assert_int_equal(answer(e, &program), OPENING_BUSY);
	for (size_t i = 0; i < SERVE_PROGRAMS; i++) {
		shutdown(k[i].fd, SHUT_WR);
		over(e, &k[i]);
		assert_int_equal(k[i].end, JOINT_DONE);
	}
	until_programs(e, 0);
	assert_int_equal(answer(e, &program), OPENING_OK);
}

/* ---- hooks ---- */

static void
with_hook(struct ends *e, const char *script, const char *to)
{
	char path[64], text[192];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/hook", e->dir);
	unlink(path);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fprintf(f, "#!/bin/sh\n%s\n", script) > 0);
	assert_int_equal(fclose(f), 0);
	chmod(path, 0700);
	(void)snprintf(text, sizeof(text), "permit KEY %s hook=%s\n", to, path);
	side_permit(&e->b, &e->a, text);
}

/* No zombie is left: also the one that was killed is waited for, in time. */
static void
until_childless(struct ends *e, int fd)
{
	siginfo_t info;

	for (int i = 0; i < 500; i++) {
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1)
			return;
		(void)until_ms(e, fd, POLLIN, 10);
	}
	fail_msg("a child is not waited for");
}

static void
test_hook(void **state)
{
	struct ends *e = *state;
	struct opening what = {.to = OPENING_TCP, .host = "127.0.0.1"};
	char script[256], path[64], key[KEY_STRLEN];
	int listening = listen_tcp(&what.port);

	side_serve(e, &e->b, NULL);
	with_hook(e, "exit 1", "*:*");
	assert_int_equal(answer(e, &what), OPENING_PERMIT);
	with_hook(e, "exec sleep 600", "*:*");
	assert_int_equal(answer(e, &what), OPENING_PERMIT);
	assert_int_equal(accept(listening, NULL, NULL), -1);
	/* it is told who wants what */
	(void)snprintf(script, sizeof(script),
	    "test \"$NATKIT_PEER $NATKIT_WANT $NATKIT_HOST $NATKIT_PORT\" = "
	    "'%s tcp 127.0.0.1 %u'",
	    key_format(e->a.pub, key), what.port);
	with_hook(e, script, "*:*");
	assert_int_equal(answer(e, &what), OPENING_OK);
	close(take(e, listening));
	until_programs(e, 0);
	until_childless(e, listening);
	close(listening);
	(void)snprintf(path, sizeof(path), "%s/hook", e->dir);
	unlink(path);
	assert_int_equal(answer(e, &what), OPENING_PERMIT); /* none to ask */
}

/* Nobody waits for the answer any more: nothing is connected. */
static void
test_hook_gone(void **state)
{
	struct ends *e = *state;
	struct opening what = {.to = OPENING_TCP, .host = "127.0.0.1"};
	int listening = listen_tcp(&what.port);
	struct asked k;
	char path[64];

	side_serve(e, &e->b, NULL);
	with_hook(e, "sleep 0.2", "*:*");
	ask(e, &k, &what);
	until_programs(e, 1);
	joint_cancel(k.joint, true);
	close(k.fd);
	until_programs(e, 0);
	assert_false(until_ms(e, listening, POLLIN, 400));
	(void)snprintf(path, sizeof(path), "%s/hook", e->dir);
	unlink(path);
	close(listening);
}

/* ---- limits ---- */

/* A stream every moment: after so many the rest are refused unseen, and later it
 * is heard again. */
static void
test_rate(void **state)
{
	struct ends *e = *state;
	struct opening what = {
	    .to = OPENING_TCP, .host = "127.0.0.1", .port = 9};
	struct asked *k = calloc(1000, sizeof(*k));
	enum opening_reason last = OPENING_BUSY;
	size_t busy = 0, refused = 0;

	side_serve(e, &e->b, NULL);
	for (size_t i = 0; i < 1000; i++)
		ask(e, &k[i], &what);
	for (size_t i = 0; i < 1000; i++) {
		over(e, &k[i]);
		assert_int_equal(k[i].end, JOINT_REFUSED);
		busy += k[i].reason == OPENING_BUSY;
		refused += k[i].reason == OPENING_PERMIT;
	}
	free(k);
	assert_int_equal(busy + refused, 1000);
	assert_true(busy > 0);
	assert_true(refused >= 512);
	for (int i = 0; i < 100 && last == OPENING_BUSY; i++) {
		until_ms(e, -1, POLLIN, 10);
		last = answer(e, &what);
	}
	assert_int_equal(last, OPENING_PERMIT);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, ends_setup, ends_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_program_refused),
	    T(test_half_close),
	    T(test_program_ends_first),
	    T(test_program_reads_little),
	    T(test_program_environment),
	    T(test_aborted),
	    T(test_too_many_programs),
	    T(test_hook),
	    T(test_hook_gone),
	    T(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
