/* SPDX-License-Identifier: ISC */
/* What a picture of a time line is drawn on: text, lanes and their names, the
 * legend. Lengths are CSS pixels, 96 to the inch. */
#ifndef NATKIT_SHEET_H
#define NATKIT_SHEET_H

#include <stdbool.h>
#include <stdio.h>

#include "ladder.h"

#define A4_SHORT 794
#define A4_LONG 1123
#define MARGIN 30.0
#define GUTTER 74.0 /* for the time, left of the first lane */
#define TIME_ROOM 42.0
#define SIDE 62.0 /* right of the last lane: half of a name's box */
#define TITLE_HEIGHT 40.0
#define NAMES_HEIGHT 60.0
#define LEGEND_HEIGHT 58.0

#define FONT 9.0 /* of what a packet is */
#define SMALL 8.2
#define LINE 10.5 /* between two lines of text */

#define RED "#b3261e"
#define GREY "#6b6b6b"

struct sheet {
	FILE *f;
	const struct ladder *l;
	double width;
	double lane[PLACES_MAX]; /* the x of each */
};

extern const char *const sheet_colour[DESCRIBE_KINDS];

/* More than six lanes lie better across. */
double sheet_width(const struct ladder *l);
void sheet_lay(struct sheet *s, FILE *f, const struct ladder *l, double width);
double sheet_gap(const struct sheet *s); /* between two lanes */

void sheet_begin(FILE *f, double width, double height, bool page);
void sheet_title(const struct sheet *s, const char *title);
void sheet_names(const struct sheet *s, double y);
void sheet_lanes(const struct sheet *s, double top, double bottom);
void sheet_legend(const struct sheet *s, double y);

/* As wide as DejaVu Sans, the widest of the fonts that may be taken. */
double sheet_text_width(const char *s, double size);
/* Text around x that stays on the page and within room; squeezed when there
 * is no other way. style is more attributes. */
void sheet_text(const struct sheet *s, double x, double y, double size,
    double room, const char *style, const char *text);
void sheet_arrow(const struct sheet *s, double a, double b, double y,
    const char *colour, bool head);
void sheet_cross(const struct sheet *s, double x, double y);

#endif
