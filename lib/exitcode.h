/* SPDX-License-Identifier: ISC */
/* Exit codes of every program and script; see EXIT STATUS in each page. */
#ifndef NATKIT_EXITCODE_H
#define NATKIT_EXITCODE_H

enum exitcode {
	EXIT_YES = 0,	     /* ran, and the answer is yes */
	EXIT_NO = 1,	     /* ran, and the answer is no */
	EXIT_USAGE = 100,    /* usage, configuration, permission */
	EXIT_INTERNAL = 101, /* an internal check failed */
	EXIT_TEMP = 111,     /* time-out, unreachable, out of resources */
};

#endif
