/* SPDX-License-Identifier: ISC */
/* An engine in the background. */
#include "background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exitcode.h"
#include "log.h"
#include "mux.h"
#include "option.h"
#include "pipework.h"

#define LINGER_MAX_S 86400

/* Of the client's descriptors only those two and standard error, for what goes
 * wrong at the start. */
static void
keep(unsigned a, unsigned b)
{
	unsigned low = a < b ? a : b, high = a < b ? b : a;

	if (low > 3)
		syscall(SYS_close_range, 3U, low - 1, 0U);
	if (high > low + 1)
		syscall(SYS_close_range, low + 1, high - 1, 0U);
	syscall(SYS_close_range, high + 1, ~0U, 0U);
}

__attribute__((noreturn)) static void
run(const struct pipeoptions *options, const struct doors *d, uint8_t *priv,
    const uint8_t pub[KEY_LEN], int ready, int lock)
{
	static struct pipework w;
	struct pipeoptions o = *options;
	const char *linger = getenv("NATKIT_LINGER");
	int code, null = open("/dev/null", O_RDWR);

	if (setsid() == -1 || null == -1 || dup2(null, STDIN_FILENO) == -1 ||
	    dup2(null, STDOUT_FILENO) == -1)
		fatal(EXIT_TEMP, "can't start in the background");
	keep((unsigned)ready, (unsigned)lock);
	o.ready_fd = ready;
	o.forwards = 0; /* they are its client's */
	w.o = &o;
	w.doors = d;
	w.priv = priv;
	memcpy(w.pub, pub, KEY_LEN);
	w.background = true;
	w.linger_ms = PIPEWORK_LINGER_S * 1000;
	if (linger != NULL)
		w.linger_ms = 1000 * (uint64_t)option_number("NATKIT_LINGER",
					 linger, 0, LINGER_MAX_S);
	pipework_open(&w);
	close(lock);
	code = pipework_run(&w);
	pipework_close(&w);
	exit(code);
}

/* Returns 0 when it is ready, or minus its exit code. */
static int
start(const struct pipeoptions *o, const struct doors *d, uint8_t *priv,
    const uint8_t pub[KEY_LEN], int lock)
{
	int fds[2], status = 0;
	pid_t pid;
	ssize_t n;
	char c;

	if (pipe2(fds, O_CLOEXEC) == -1 || (pid = fork()) == -1) {
		log_fatalx(
		    "can't start in the background: %s", strerror(errno));
		return -EXIT_TEMP;
	}
	if (pid == 0) {
		close(fds[0]);
		run(o, d, priv, pub, fds[1], lock);
	}
	close(fds[1]);
	do
		n = read(fds[0], &c, 1);
	while (n == -1 && errno == EINTR);
	close(fds[0]);
	if (n == 1)
		return 0;
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) != 0
		   ? -WEXITSTATUS(status)
		   : -EXIT_TEMP;
}

static bool
is_absent(int rc)
{
	return rc == -ENOENT || rc == -ECONNREFUSED;
}

int
background_reach(const struct pipeoptions *o, const struct doors *d,
    uint8_t *priv, const uint8_t pub[KEY_LEN])
{
	int lock, rc, fd = mux_connect(d->mux);

	if (is_absent(fd)) {
		lock = doors_lock(d);
		if (lock < 0) {
			log_fatalx("%s: %s", d->lock, strerror(-lock));
			return -EXIT_USAGE;
		}
		/* somebody else may have been faster */
		fd = mux_connect(d->mux);
		rc = is_absent(fd) ? start(o, d, priv, pub, lock) : 0;
		close(lock);
		if (rc != 0)
			return rc;
		if (fd < 0)
			fd = mux_connect(d->mux);
	}
	if (fd >= 0)
		return fd;
	log_fatalx("%s: %s", d->mux, strerror(-fd));
	return fd == -EACCES || fd == -EPERM ? -EXIT_USAGE : -EXIT_TEMP;
}
