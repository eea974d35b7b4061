/* SPDX-License-Identifier: ISC */
/* A time line as one self-contained HTML page with a slider. */
#ifndef NATKIT_PAGE_H
#define NATKIT_PAGE_H

#include <stdio.h>

#include "ladder.h"

/* Returns 0, -ENOSPC (too many lanes), or -EIO. */
int page_write(FILE *f, struct ladder *l, const char *title);

#endif
