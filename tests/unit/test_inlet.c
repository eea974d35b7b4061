/* SPDX-License-Identifier: ISC */
/* tunnel/inlet: where it listens, what it refuses to take over, and a lack of
 * descriptors. */
#include "inlet.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../loopwait.h"
#include "numeric.h"

struct fix {
	struct loop loop;
	struct inlet *in;
	int came;
	int fd;
	char dir[40];
	char path[64];
};

static int
setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	loop_init(&f->loop, false);
	f->fd = -1;
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/natkit-inlet-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fix *f = *state;

	if (f->fd >= 0)
		close(f->fd);
	inlet_free(f->in);
	loop_free(&f->loop);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void
came_cb(void *arg, int fd)
{
	struct fix *f = arg;

	if (f->fd >= 0)
		close(f->fd);
	f->fd = fd;
	f->came++;
}

static int
open_at(struct fix *f, struct inlet **out, const char *bind, uint16_t port,
    const char *path)
{
	return inlet_open(out, &(struct inlet_config){
				   .loop = &f->loop,
				   .bind = bind,
				   .port = port,
				   .path = path,
				   .came = came_cb,
				   .arg = f,
			       });
}

static int
dial(const char *host, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len = numeric_sockaddr(&ss, host, port);
	int fd = socket(ss.ss_family, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&ss, len) == -1) {
		close(fd);
		return -errno;
	}
	return fd;
}

static bool
has_v6(void)
{
	struct sockaddr_storage ss;
	socklen_t len = numeric_sockaddr(&ss, "::1", 0);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&ss, len) == 0;

	close(fd);
	return ok;
}

static void
test_refused(void **state)
{
	struct fix *f = *state;
	struct inlet *other = NULL;

	assert_int_equal(open_at(f, &other, "example.org", 0, ""), -EINVAL);
	assert_int_equal(
	    open_at(f, &other, "192.0.2.1", 0, ""), -EADDRNOTAVAIL);
	assert_int_equal(open_at(f, &f->in, "127.0.0.1", 0, ""), 0);
	assert_int_equal(
	    open_at(f, &other, "", inlet_port(f->in), ""), -EADDRINUSE);
	assert_int_equal(
	    open_at(f, &other, "*", inlet_port(f->in), ""), -EADDRINUSE);
	assert_null(other);
}

/* Somebody else has half of it: who dials the other half would not reach us. */
static void
test_half_in_use(void **state)
{
	struct fix *f = *state;
	struct inlet *other = NULL;

	if (!has_v6())
		skip();
	assert_int_equal(open_at(f, &f->in, "::1", 0, ""), 0);
	assert_int_equal(
	    open_at(f, &other, "", inlet_port(f->in), ""), -EADDRINUSE);
	/* and nothing of ours is left there */
	assert_int_equal(dial("127.0.0.1", inlet_port(f->in)), -ECONNREFUSED);
}

static void
test_both_families(void **state)
{
	struct fix *f = *state;
	int a, b;

	if (!has_v6())
		skip();
	assert_int_equal(open_at(f, &f->in, "", 0, ""), 0);
	assert_int_not_equal(inlet_port(f->in), 0);
	a = dial("127.0.0.1", inlet_port(f->in));
	assert_true(a >= 0);
	loopwait(&f->loop, &f->came);
	f->came = 0;
	b = dial("::1", inlet_port(f->in));
	assert_true(b >= 0);
	loopwait(&f->loop, &f->came);
	assert_int_equal(dial("127.0.0.2", inlet_port(f->in)), -ECONNREFUSED);
	close(a);
	close(b);
}

static void
test_everywhere(void **state)
{
	struct fix *f = *state;
	int a;

	assert_int_equal(open_at(f, &f->in, "*", 0, ""), 0);
	a = dial("127.0.0.2", inlet_port(f->in));
	assert_true(a >= 0);
	loopwait(&f->loop, &f->came);
	close(a);
}

static void
test_path_not_ours(void **state)
{
	struct fix *f = *state;
	struct inlet *other = NULL;
	struct stat st;
	FILE *file = fopen(f->path, "w");

	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(open_at(f, &other, "", 0, f->path), -EEXIST);
	assert_int_equal(stat(f->path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	unlink(f->path);

	assert_int_equal(open_at(f, &f->in, "", 0, f->path), 0);
	assert_int_equal(open_at(f, &other, "", 0, f->path), -EADDRINUSE);
	assert_int_equal(stat(f->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
}

static void
test_path(void **state)
{
	struct fix *f = *state;
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int stale = socket(AF_UNIX, SOCK_STREAM, 0), fd;
	struct stat st;

	memcpy(name.sun_path, f->path, sizeof(f->path));
	assert_int_equal(
	    bind(stale, (struct sockaddr *)&name, sizeof(name)), 0);
	close(stale);
	assert_int_equal(open_at(f, &f->in, "", 0, f->path), 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(inlet_port(f->in), 0);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	loopwait(&f->loop, &f->came);
	close(fd);
	inlet_free(f->in);
	f->in = NULL;
	assert_int_equal(stat(f->path, &st), -1);
}

/* Without descriptors the loop does not turn in vain, and goes on as soon as
 * there are some. */
static void
test_no_descriptors(void **state)
{
	struct fix *f = *state;
	struct rlimit old, low;
	struct event *tick;
	uint64_t end;
	int fd, turns = 0;

	assert_int_equal(open_at(f, &f->in, "127.0.0.1", 0, ""), 0);
	fd = dial("127.0.0.1", inlet_port(f->in));
	assert_true(fd >= 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	tick = loop_event(&f->loop, -1, EV_PERSIST, loopwait_cb, &(bool){0});
	event_add(tick, &(struct timeval){.tv_usec = 20000});
	end = now_ms() + 400;
	for (; now_ms() < end && f->came == 0; turns++)
		event_base_loop(f->loop.base, EVLOOP_ONCE);
	event_free(tick);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(f->came, 0);
	assert_true(turns < 100);
	loopwait(&f->loop, &f->came);
	close(fd);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_refused),
	    T(test_half_in_use),
	    T(test_both_families),
	    T(test_everywhere),
	    T(test_path_not_ours),
	    T(test_path),
	    T(test_no_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
