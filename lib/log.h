/* SPDX-License-Identifier: ISC */
/* Diagnostics on standard error: "prog: level: text", one line each. */
#ifndef NATKIT_LOG_H
#define NATKIT_LOG_H

#include <stdbool.h>

/* What is written: -1 (-q) fatal only, 0 warnings, 1 (-v) info, 2 (-vv) debug */
void log_init(const char *prog, int verbosity);
void log_more(void);  /* one -v */
void log_quiet(void); /* -q */
const char *log_prog(void);
bool log_is_quiet(void);
int log_verbosity(void); /* as in log_init, -q and -v counted in */
/* Is called before each line, to clear what else stands on the terminal; or
 * NULL. */
void log_before(void (*fn)(void));

/* log_warn and fatal append ": strerror(errno)"; the x forms do not.
 * Control and non-ASCII bytes of the expanded text are written as \xNN. */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* An info that a person at a terminal sees without -v: what standard output
 * tells to programs only. */
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* What ends the program, by a caller that has more to do or to say first.
 * Not silenced by -q. */
void log_fatalx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* End the program with an exit code of exitcode.h: at start-up only. */
__attribute__((noreturn, format(printf, 2, 3))) void fatal(
    int code, const char *fmt, ...);
__attribute__((noreturn, format(printf, 2, 3))) void fatalx(
    int code, const char *fmt, ...);

#endif
