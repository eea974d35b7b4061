/* SPDX-License-Identifier: ISC */
/* Diagnostics on standard error: "prog: level: text", one line each. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *prog = "natkit";
static int verbosity;
static void (*before)(void);

void
log_init(const char *name, int level)
{
	prog = name;
	verbosity = level;
}

void
log_more(void)
{
	verbosity++;
}

void
log_quiet(void)
{
	verbosity = -1;
}

const char *
log_prog(void)
{
	return prog;
}

bool
log_is_quiet(void)
{
	return verbosity < 0;
}

int
log_verbosity(void)
{
	return verbosity;
}

void
log_before(void (*fn)(void))
{
	before = fn;
}

/* Appends text to a line, with bytes that a terminal could act on escaped. */
static size_t
escape(char *out, size_t len, size_t cap, const char *text)
{
	for (; *text != '\0' && len + 5 < cap; text++) {
		unsigned char ch = (unsigned char)*text;

		if (ch >= 0x20 && ch < 0x7f)
			out[len++] = (char)ch;
		else
			len += (size_t)snprintf(
			    out + len, cap - len, "\\x%02x", ch);
	}
	return len;
}

/* One write, so that lines of two programs on one terminal don't mix. */
__attribute__((format(printf, 3, 0))) static void
vlog(const char *level, int err, const char *fmt, va_list ap)
{
	char text[700], line[1000];
	size_t len = 0;

	vsnprintf(text, sizeof(text), fmt, ap);
	len = (size_t)snprintf(line, sizeof(line), "%s: %s: ", prog, level);
	len = escape(line, len, sizeof(line) - 1, text);
	if (err != 0) {
		len = escape(line, len, sizeof(line) - 1, ": ");
		len = escape(line, len, sizeof(line) - 1, strerror(err));
	}
	line[len++] = '\n';
	if (before != NULL)
		before();
	if (write(STDERR_FILENO, line, len) == -1)
		return; /* nowhere left to say so */
}

#define LOG(level, err)                                                        \
	do {                                                                   \
		va_list ap;                                                    \
		va_start(ap, fmt);                                             \
		vlog(level, err, fmt, ap);                                     \
		va_end(ap);                                                    \
	} while (0)

void
log_warn(const char *fmt, ...)
{
	int err = errno;

	if (verbosity >= 0)
		LOG("warning", err);
}

void
log_warnx(const char *fmt, ...)
{
	if (verbosity >= 0)
		LOG("warning", 0);
}

void
log_info(const char *fmt, ...)
{
	if (verbosity >= 1)
		LOG("info", 0);
}

void
log_note(const char *fmt, ...)
{
	if (verbosity >= 1 || (verbosity == 0 && isatty(STDERR_FILENO)))
		LOG("info", 0);
}

void
log_debug(const char *fmt, ...)
{
	if (verbosity >= 2)
		LOG("debug", 0);
}

void
log_fatalx(const char *fmt, ...)
{
	LOG("fatal", 0);
}

void
fatal(int code, const char *fmt, ...)
{
	int err = errno;

	LOG("fatal", err);
	exit(code);
}

void
fatalx(int code, const char *fmt, ...)
{
	LOG("fatal", 0);
	exit(code);
}
