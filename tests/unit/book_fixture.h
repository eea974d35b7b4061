/* SPDX-License-Identifier: ISC */
/* nat-pipe's files: keys to put into them, a peers file that two of them are in,
 * and what is said of lines that say nothing. */
#ifndef NATKIT_BOOK_FIXTURE_H
#define NATKIT_BOOK_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "peerbook.h"

#define KEY_A "aEBmUkyxOGR+5sVfDMVNP1lJ0iTV4LbPbyBKkL1dZUM="
#define KEY_B "3f7MFj7m/ETUXVir4Gb2wselsI0L6u6OclSkLWfGJh4="
#define KEY_C "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
#define ZERO "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

/* A file, and what reading it returns: the line with the fault, and words that
 * the reason has in it. */
struct bad_file {
	const char *text;
	int rc;
	unsigned line;
	const char *why;
};

static inline void
is_refused(const struct bad_file *b, int rc, unsigned line, const char *why)
{
	if (rc != b->rc || strstr(why, b->why) == NULL)
		fail_msg("%s: %s", b->text, why);
	assert_int_equal(b->line, line);
}

/* pi is KEY_A, laptop is KEY_B. */
static inline int
book_open(struct peerbook **book)
{
	static const char text[] = "pi " KEY_A "\nlaptop " KEY_B "\n";
	const char *why;
	unsigned line;

	return peerbook_parse(book, text, sizeof(text) - 1, &line, &why);
}

#endif
