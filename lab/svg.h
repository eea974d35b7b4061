/* SPDX-License-Identifier: ISC */
/* A time line as SVG: on one page of A4, or of any length for a browser. */
#ifndef NATKIT_SVG_H
#define NATKIT_SVG_H

#include <stdio.h>

#include "ladder.h"

#define SVG_LANES 16

/* What doesn't fit the page is left out, and said so on it. Returns 0, -ENOSPC
 * (too many lanes), or -EIO. */
int svg_write(FILE *f, struct ladder *l, const char *title);

/* The parts, for a page: the names above the lanes, and all rows. Width and
 * height of each are told by its viewBox. */
void svg_names(FILE *f, const struct ladder *l);
void svg_rows(FILE *f, const struct ladder *l);
/* Text for XML: & < > " ' escaped, what is no printing ASCII replaced. */
void svg_escape(FILE *f, const char *s);

#endif
