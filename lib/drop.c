/* SPDX-License-Identifier: ISC */
/* Giving privileges up, for good, verified: ids, capabilities(7),
 * no_new_privs, and a seccomp allow-list. */
#include "drop.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exitcode.h"
#include "log.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct caps {
	uint64_t effective;
	uint64_t permitted;
	uint64_t inheritable;
};

static int
caps_get(struct caps *out)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];

	memset(d, 0, sizeof(d));
	if (syscall(SYS_capget, &h, d) == -1)
		return -errno;
	out->effective = d[0].effective | (uint64_t)d[1].effective << 32;
	out->permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
	out->inheritable = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
	return 0;
}

static int
caps_clear(void)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];

	memset(d, 0, sizeof(d));
	return syscall(SYS_capset, &h, d) == -1 ? -errno : 0;
}

static bool
has_cap(const struct caps *c, int cap)
{
	return c->effective >> cap & 1;
}

/* What an exec could ever get. Needs CAP_SETPCAP; without it no_new_privs
 * has the same effect for this process and its children. */
static void
bounding_clear(void)
{
	int cap;

	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1)
			return;
}

static int
ids_check(uid_t uid, gid_t gid)
{
	uid_t ru, eu, su;
	gid_t rg, eg, sg;

	if (getresuid(&ru, &eu, &su) == -1 || getresgid(&rg, &eg, &sg) == -1)
		return -errno;
	if (ru != uid || eu != uid || su != uid)
		return -EPERM;
	if (rg != gid || eg != gid || sg != gid)
		return -EPERM;
	/* the way back must be closed */
	if (uid != 0 && setresuid(0, 0, 0) == 0)
		return -EPERM;
	return 0;
}

/* Groups, gid, uid, in this order: the last one takes the right to set the
 * others. On failure the gid is what it was. */
static int
ids_set(uid_t uid, gid_t gid)
{
	gid_t old = getegid();
	int r;

	if (setgroups(0, NULL) == -1)
		return -errno;
	if (setresgid(gid, gid, gid) == -1)
		return -errno;
	if (setresuid(uid, uid, uid) == -1) {
		r = -errno;
		if (setresgid(old, old, old) == -1)
			return -errno;
		return r;
	}
	return 0;
}

/* In a user namespace a user may have no number there (EINVAL) or groups be
 * locked (EPERM): no reason to stop, unless that user was asked for. */
static int
become(const struct passwd *pw, bool explicit, const char **what)
{
	struct caps c = {.effective = 0};
	int r;

	if (pw->pw_uid == geteuid() && pw->pw_uid == getuid() &&
	    pw->pw_gid == getegid() && pw->pw_uid != 0)
		return 0;
	*what = "capget";
	r = caps_get(&c);
	if (r < 0)
		return r;
	*what = "can't become another user without CAP_SETUID and CAP_SETGID";
	if (!has_cap(&c, CAP_SETUID) || !has_cap(&c, CAP_SETGID))
		return explicit ? -EPERM : 0;
	*what = "can't become the user";
	r = ids_set(pw->pw_uid, pw->pw_gid);
	if (r == -EINVAL || r == -EPERM)
		return explicit ? r : 0;
	*what = "the user ids did not take";
	return r < 0 ? r : ids_check(pw->pw_uid, pw->pw_gid);
}

/* The ambient set, then all of the others, and read back. */
static int
caps_drop(const char **what)
{
	struct caps c = {.effective = 0};
	int r;

	*what = "no_new_privs";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -errno;
	*what = "the ambient capabilities";
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1)
		return -errno;
	*what = "capset";
	r = caps_clear();
	if (r < 0)
		return r;
	*what = "the capabilities are still there";
	r = caps_get(&c);
	if (r < 0)
		return r;
	if ((c.effective | c.permitted | c.inheritable) != 0 ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return -EPERM;
	return 0;
}

int
drop_privileges(const char *user, bool explicit, const char **what)
{
	const struct passwd *pw = NULL;
	int r;

	*what = "no such user";
	if (user != NULL)
		pw = getpwnam(user);
	if (pw == NULL && explicit)
		return -ENOENT;
	bounding_clear();
	if (pw != NULL) {
		r = become(pw, explicit, what);
		if (r < 0)
			return r;
	}
	r = caps_drop(what);
	if (r < 0)
		return r;
	/* LeakSanitizer traces its own process, which the change of user
	 * forbids. A release build stays undumpable. */
	if (SANITIZED)
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	*what = NULL;
	return 0;
}

/* libevent's loop, malloc, libsodium's guarded memory, logging, the end. */
static const char *const base_calls[] = {"brk", "clock_gettime",
    "clock_gettime64", "clock_nanosleep", "close", "epoll_ctl", "epoll_pwait",
    "epoll_pwait2", "epoll_wait", "exit", "exit_group", "fcntl", "fcntl64",
    "fstat", "futex", "futex_time64", "getpid", "getrandom", "gettid",
    "gettimeofday", "madvise", "mlock", "mremap", "munlock", "munmap",
    "newfstatat", "poll", "ppoll", "pselect6", "read", "readv", "recvfrom",
    "recvmsg", "restart_syscall", "rt_sigaction", "rt_sigprocmask",
    "rt_sigreturn", "select", "sendmsg", "sendto", "sigreturn", "tgkill",
    "timerfd_settime", "timerfd_settime64", "write", "writev"};

/* Memory that can be run is refused to everyone but the sanitizers. */
static const char *const map_calls[] = {"mmap", "mmap2", "mprotect"};

/* What the sanitizers' runtime needs for a report, and LeakSanitizer at exit
 * (it clones a tracer of its own process). */
static const char *const sanitizer_calls[] = {"arch_prctl", "clone", "dup",
    "dup2", "faccessat2", "access", "getcwd", "getdents", "getdents64",
    "getegid", "geteuid", "getgid", "getppid", "getrlimit", "getrusage",
    "getuid", "ioctl", "kill", "lseek", "nanosleep", "open", "openat", "pipe",
    "pipe2", "pread64", "prctl", "prlimit64", "process_vm_readv", "ptrace",
    "readlink", "readlinkat", "rseq", "sched_getaffinity", "sched_yield",
    "set_robust_list", "sigaltstack", "socket", "stat", "statx", "sysinfo",
    "tkill", "lstat", "uname", "wait4", "unlink"};

static int
allow(scmp_filter_ctx ctx, const char *const names[], size_t n, bool need)
{
	size_t i;
	int nr, r;

	for (i = 0; i < n; i++) {
		nr = seccomp_syscall_resolve_name(names[i]);
		if (nr == __NR_SCMP_ERROR) {
			if (need)
				return -EINVAL;
			continue;
		}
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
allow_maps(scmp_filter_ctx ctx)
{
	size_t i;
	int r;

	for (i = 0; i < COUNT(map_calls); i++) {
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW,
		    seccomp_syscall_resolve_name(map_calls[i]), 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		if (r < 0)
			return r;
	}
	return 0;
}

int
drop_syscalls(const char *const extra[], size_t n)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (ctx == NULL)
		return -ENOMEM;
	r = allow(ctx, base_calls, COUNT(base_calls), false);
	if (r == 0)
		r = allow_maps(ctx);
	if (r == 0 && SANITIZED)
		r = allow(ctx, map_calls, COUNT(map_calls), false);
	if (r == 0 && SANITIZED)
		r = allow(ctx, sanitizer_calls, COUNT(sanitizer_calls), false);
	if (r == 0)
		r = allow(ctx, extra, n, true);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

void
drop_to(const char *user)
{
	const char *what;
	int r = drop_privileges(
	    user == NULL ? "nobody" : user, user != NULL, &what);

	if (r == 0)
		return;
	errno = -r;
	if (r == -ENOENT && user != NULL)
		fatalx(EXIT_USAGE, "-u %s: no such user", user);
	fatal(EXIT_USAGE, "can't drop privileges: %s", what);
}

void
drop_all(void)
{
	drop_to(NULL);
}
