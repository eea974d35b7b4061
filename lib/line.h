/* SPDX-License-Identifier: ISC */
/* Lines out of a byte stream, in fixed memory: a line that is too long is
 * skipped to its end and counted, and costs no other line. */
#ifndef NATKIT_LINE_H
#define NATKIT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_MAX_LEN 1024

struct line {
	char buf[LINE_MAX_LEN + 1];
	size_t len;
	bool skipping;
	uint64_t too_long;
};

/* Called with each line, NUL-terminated, without its newline. */
typedef void line_fn(void *arg, const char *line, size_t len);

void line_init(struct line *l);
void line_feed(
    struct line *l, const void *data, size_t len, line_fn *fn, void *arg);
/* At end of file: a last line without a newline counts too. */
void line_end(struct line *l, line_fn *fn, void *arg);
/* Reads what is there from a non-blocking fd and feeds it. Returns 1 when
 * more may come, 0 at end of file (line_end was called), or -errno. */
int line_read(struct line *l, int fd, line_fn *fn, void *arg);

#endif
