/* SPDX-License-Identifier: ISC */
/* A time line as SVG: on one page of A4, or of any length for a browser. */
#include "svg.h"

#include <errno.h>
#include <string.h>

#include "plain.h"
#include "sheet.h"

struct drawing {
	struct leg leg[TRAIL_HOPS];
	size_t n;
	double begin, end; /* the outermost x */
	bool two_lines;	   /* addresses one below the other */
	int turns;
};

static double
leg_end(const struct sheet *s, const struct trail *t, const struct leg *g)
{
	int aim;

	if (g->to_lane >= 0)
		return s->lane[g->to_lane];
	aim = ladder_aim(s->l, t);
	if (aim >= 0 && aim != g->from_lane)
		return (s->lane[g->from_lane] + s->lane[aim]) / 2;
	return s->lane[g->from_lane] +
	       (g->from_lane + 1 < (int)s->l->nlane ? 1 : -1) * sheet_gap(s) *
		   0.4;
}

/* Legs between two translations have one pair of addresses: from leg i, how
 * many are they? */
static size_t
same_addresses(const struct drawing *d, size_t i)
{
	size_t n = 1;

	while (i + n < d->n && !d->leg[i + n].translated)
		n++;
	return n;
}

static void
pair_text(const struct leg *g, char *out, size_t size, const char *between)
{
	char from[ADDR_STRLEN], to[ADDR_STRLEN];

	snprintf(out, size, "%s%s%s", plain_endpoint(g->from, from), between,
	    plain_endpoint(g->to, to));
}

/* Back over the same lanes: a hairpin. */
static bool
turns(const struct sheet *s, const struct trail *t, const struct drawing *d,
    size_t i)
{
	double before =
	    leg_end(s, t, &d->leg[i - 1]) - s->lane[d->leg[i - 1].from_lane];
	double after = leg_end(s, t, &d->leg[i]) - s->lane[d->leg[i].from_lane];

	return before * after < 0;
}

static void
lay_packet(const struct sheet *s, const struct trail *t, struct drawing *d)
{
	int first = ladder_first_lane(s->l, t);
	char text[2 * ADDR_STRLEN + 8];

	memset(d, 0, sizeof(*d));
	d->n = ladder_legs(s->l, t, d->leg);
	d->begin = d->end = first >= 0 ? s->lane[first] : s->lane[0];
	for (size_t i = 0; i < d->n; i++) {
		size_t n = same_addresses(d, i);
		double a = s->lane[d->leg[i].from_lane];
		double b = leg_end(s, t, &d->leg[i + n - 1]);
		double x = leg_end(s, t, &d->leg[i]);

		d->begin = x < d->begin ? x : d->begin;
		d->end = x > d->end ? x : d->end;
		if (i > 0 && turns(s, t, d, i))
			d->turns++;
		if (i > 0 && !d->leg[i].translated)
			continue;
		pair_text(&d->leg[i], text, sizeof(text), " > ");
		if (sheet_text_width(text, SMALL) >
		    (a < b ? b - a : a - b) - 12)
			d->two_lines = true;
	}
}

static double
packet_height(const struct drawing *d, const struct trail *t)
{
	double h = LINE + 7 + LINE;

	if (d->two_lines)
		h += LINE - 1;
	h += d->turns * (d->two_lines ? 2 : 1) * LINE + 6 * (d->turns > 0);
	if (t->end != TRAIL_ARRIVED)
		h += LINE;
	return h + 7;
}

/* White where an arrow passes over a lane that it has nothing to do with. */
static void
put_gaps(const struct sheet *s, double a, double b, double y)
{
	for (size_t i = 0; i < s->l->nlane; i++)
		if ((s->lane[i] - a) * (s->lane[i] - b) < -1)
			fprintf(s->f,
			    "<rect x=\"%.1f\" y=\"%.1f\" width=\"12\" "
			    "height=\"5\" fill=\"#fff\"/>\n",
			    s->lane[i] - 6, y - 2.5);
}

static void
put_legs(const struct sheet *s, const struct trail *t, const struct drawing *d,
    double y)
{
	const char *c = sheet_colour[t->what.kind];
	double a, b = d->begin;

	for (size_t i = 0; i < d->n; i++) {
		a = s->lane[d->leg[i].from_lane];
		if (i > 0 && turns(s, t, d, i))
			y += 5;
		b = leg_end(s, t, &d->leg[i]);
		put_gaps(s, a, b, y);
		sheet_arrow(s, a, b, y, c, true);
		if (i == 0)
			fprintf(s->f,
			    "<circle cx=\"%.1f\" cy=\"%.1f\" "
			    "r=\"2.6\" fill=\"%s\"/>\n",
			    a, y, c);
		else if (d->leg[i].translated)
			fprintf(s->f,
			    "<path d=\"M%.1f %.1fl4.5 4.5l-4.5 4.5"
			    "l-4.5 -4.5z\" fill=\"#fff\" "
			    "stroke=\"%s\" stroke-width=\"1.5\"/>\n",
			    a, y - 4.5, c);
	}
	if (d->n == 0)
		fprintf(s->f,
		    "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\" fill=\"%s\"/>\n",
		    b, y, c);
	if (t->end != TRAIL_ARRIVED)
		sheet_cross(s, b, y);
}

/* Below the arrow, once for each stretch between two translations. */
static void
put_addresses(const struct sheet *s, const struct trail *t,
    const struct drawing *d, double y)
{
	char text[2 * ADDR_STRLEN + 8], *to;
	double a, b, room;

	y += 5 * (d->turns > 0);
	for (size_t i = 0; i < d->n; i++) {
		if (i > 0 && turns(s, t, d, i))
			y += (d->two_lines ? 2 : 1) * LINE;
		if (i > 0 && !d->leg[i].translated)
			continue;
		a = s->lane[d->leg[i].from_lane];
		b = leg_end(s, t, &d->leg[i + same_addresses(d, i) - 1]);
		room = (a < b ? b - a : a - b) - 10;
		pair_text(&d->leg[i], text, sizeof(text), " > ");
		if (!d->two_lines || sheet_text_width(text, SMALL) <= room) {
			sheet_text(s, (a + b) / 2, y, SMALL, room, "", text);
			continue;
		}
		to = strstr(text, " > ");
		to[0] = '\0';
		sheet_text(s, (a + b) / 2, y, SMALL, room, "", text);
		sheet_text(
		    s, (a + b) / 2, y + LINE - 1, SMALL, room, "", to + 1);
	}
}

/* As much of the detail as fits, by whole items. */
static void
cut_detail(char *text, size_t size, double room)
{
	char *comma;

	while (sheet_text_width(text, FONT) > room) {
		comma = strrchr(text, ',');
		if (comma == NULL || (size_t)(comma - text) + 5 > size)
			return;
		memcpy(comma, " ...", 5);
		comma[0] = '\0';
		if (sheet_text_width(text, FONT) <= room - 2 * FONT) {
			comma[0] = ' ';
			return;
		}
	}
}

static void
put_what(const struct sheet *s, const struct row *r, const struct drawing *d,
    double y)
{
	const struct trail *t = r->trail;
	char text[400], style[64], times[64] = "";
	double room = (s->width - 2 * MARGIN - TIME_ROOM) / 1.1; /* bold */

	if (r->times > 1)
		snprintf(times, sizeof(times), " (x%u until %llu ms)", r->times,
		    (unsigned long long)ladder_us(s->l, r->last_ns) / 1000);
	snprintf(text, sizeof(text), "%s%s%s%s%s", t->what.name, times,
	    t->duplicate ? " (made twice on the wire)" : "",
	    t->what.detail[0] != '\0' ? ": " : "", t->what.detail);
	cut_detail(text, sizeof(text), room);
	snprintf(style, sizeof(style), "fill=\"%s\" font-weight=\"bold\"",
	    sheet_colour[t->what.kind]);
	sheet_text(
	    s, (d->begin + d->end) / 2, y, FONT, room * 1.1, style, text);
}

static void
put_packet(const struct sheet *s, const struct row *r, double y)
{
	const struct trail *t = r->trail;
	struct drawing d;
	char text[320];
	int last = ladder_last_lane(s->l, t);

	lay_packet(s, t, &d);
	put_what(s, r, &d, y + LINE - 2);
	put_legs(s, t, &d, y + LINE + 4);
	put_addresses(s, t, &d, y + LINE + 7 + LINE - 1);
	if (t->end == TRAIL_ARRIVED)
		return;
	sheet_text(s, last >= 0 ? s->lane[last] : d.end,
	    y + packet_height(&d, t) - 8, SMALL, s->width,
	    "fill=\"" RED "\" font-weight=\"bold\"",
	    plain_end(s->l, t, text, sizeof(text)));
}

#define EVENT_HEIGHT 19.0

static void
put_event(const struct sheet *s, const struct row *r, double y)
{
	int lane = s->l->lane[r->box];
	double x = lane >= 0 ? s->lane[lane] : s->lane[0], w, left;
	bool bad = r->kind == ROW_DROP || r->reason[0] != '\0';
	const char *colour = bad ? RED : "#1b7837";
	char text[512], style[64];

	if (r->kind == ROW_DROP) {
		char from[ADDR_STRLEN], to[ADDR_STRLEN];

		snprintf(text, sizeof(text),
		    "%s ends a packet not captured: %s: "
		    "%s > %s",
		    s->l->places.place[r->box].name, r->reason,
		    plain_endpoint(&r->internal, from),
		    plain_endpoint(&r->external, to));
	} else {
		plain_mapping(s->l, r, text, sizeof(text));
	}
	w = sheet_text_width(text, SMALL) + 18;
	if (w > s->width - 2 * MARGIN - 40)
		w = s->width - 2 * MARGIN - 40;
	left = x - w / 2;
	if (left < MARGIN + 40)
		left = MARGIN + 40;
	if (left + w > s->width - MARGIN)
		left = s->width - MARGIN - w;
	fprintf(s->f,
	    "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
	    "height=\"13\" rx=\"6\" fill=\"%s\" stroke=\"%s\"%s/>\n",
	    left, y + 2, w, bad ? "#fdecea" : "#eef7ee", colour,
	    strcmp(r->state, "expired") == 0 ? " stroke-dasharray=\"3 2\""
					     : "");
	snprintf(
	    style, sizeof(style), "fill=\"%s\" style=\"stroke:none\"", colour);
	sheet_text(s, left + w / 2, y + 11.5, SMALL, w - 8, style, text);
	fprintf(s->f, "<path d=\"M%.1f %.1fl-3 -4h6z\" fill=\"%s\"/>\n", x,
	    y + 2, colour);
}

static double
row_height(const struct sheet *s, const struct row *r)
{
	struct drawing d;

	if (r->kind != ROW_PACKET)
		return EVENT_HEIGHT;
	lay_packet(s, r->trail, &d);
	return packet_height(&d, r->trail);
}

static void
put_attribute(FILE *f, const char *name, const char *value)
{
	fprintf(f, " data-%s=\"", name);
	svg_escape(f, value);
	fputc('"', f);
}

/* What the page's script needs to keep its list of mappings. */
static void
put_data(const struct sheet *s, const struct row *r)
{
	char text[ADDR_STRLEN];

	fprintf(s->f, " data-us=\"%llu\"",
	    (unsigned long long)ladder_us(s->l, r->ns));
	if (r->kind != ROW_MAPPING)
		return;
	put_attribute(s->f, "state", r->state);
	put_attribute(s->f, "box", s->l->places.place[r->box].name);
	put_attribute(s->f, "protocol", r->protocol);
	put_attribute(s->f, "internal", addr_format(&r->internal, text));
	put_attribute(s->f, "external", addr_format(&r->external, text));
	put_attribute(s->f, "remote", addr_format(&r->remote, text));
	put_attribute(s->f, "reason", r->reason);
}

static void
put_tooltip(const struct sheet *s, const struct row *r)
{
	char text[512];

	fputs("<title>", s->f);
	if (r->kind == ROW_PACKET) {
		svg_escape(s->f, r->trail->what.name);
		fputc(' ', s->f);
		svg_escape(s->f, r->trail->what.detail);
		fputc(' ', s->f);
		svg_escape(s->f, plain_end(s->l, r->trail, text, sizeof(text)));
	} else if (r->kind == ROW_MAPPING) {
		svg_escape(s->f, plain_mapping(s->l, r, text, sizeof(text)));
	} else {
		svg_escape(s->f, r->rule);
	}
	fputs("</title>\n", s->f);
}

static void
put_row(const struct sheet *s, const struct row *r, double y)
{
	uint64_t us = ladder_us(s->l, r->ns);

	fputs("<g class=\"row\"", s->f);
	put_data(s, r);
	fputs(">\n", s->f);
	put_tooltip(s, r);
	fprintf(s->f,
	    "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\" "
	    "text-anchor=\"end\" fill=\"" GREY "\">%llu.%03llu"
	    "</text>\n",
	    MARGIN + 36, y + (r->kind == ROW_PACKET ? LINE + 7 : 11.5), SMALL,
	    (unsigned long long)(us / 1000), (unsigned long long)(us % 1000));
	if (r->kind == ROW_PACKET)
		put_packet(s, r, y);
	else
		put_event(s, r, y);
	fputs("</g>\n", s->f);
}

static double
put_rows(const struct sheet *s, double y)
{
	for (size_t i = 0; i < s->l->nrow; i++) {
		put_row(s, &s->l->row[i], y);
		y += row_height(s, &s->l->row[i]);
	}
	return y;
}

static double
rows_height(const struct sheet *s)
{
	double h = 0;

	for (size_t i = 0; i < s->l->nrow; i++)
		h += row_height(s, &s->l->row[i]);
	return h;
}

/* How many rows fit in so much height? Lanes may go when rows go, and then
 * rows become less high or wide: once more is enough. */
static size_t
rows_that_fit(const struct sheet *s, double height)
{
	size_t i = 0;

	while (i < s->l->nrow) {
		height -= row_height(s, &s->l->row[i]);
		if (height < 0)
			break;
		i++;
	}
	return i;
}

int
svg_write(FILE *f, struct ladder *l, const char *title)
{
	double width = sheet_width(l);
	double height = width > A4_SHORT ? A4_SHORT : A4_LONG;
	double top = MARGIN + TITLE_HEIGHT - 16 + NAMES_HEIGHT, bottom;
	struct sheet s;

	if (l->nlane > SVG_LANES)
		return -ENOSPC;
	sheet_lay(&s, f, l, width);
	ladder_cut(l, rows_that_fit(&s, height - top - LEGEND_HEIGHT - MARGIN));
	sheet_lay(&s, f, l, width);
	bottom = top + rows_height(&s);
	/* no more paper than it needs, for a document that it goes into */
	if (bottom + LEGEND_HEIGHT + MARGIN < height)
		height = bottom + LEGEND_HEIGHT + MARGIN;
	sheet_begin(f, width, height, true);
	fprintf(f, "<title>");
	svg_escape(f, title);
	fprintf(f, "</title>\n<rect width=\"100%%\" height=\"100%%\" "
		   "fill=\"#fff\"/>\n");
	sheet_title(&s, title);
	sheet_lanes(&s, top - 8, bottom + 4);
	sheet_names(&s, top - NAMES_HEIGHT);
	put_rows(&s, top);
	sheet_legend(&s, bottom + 10);
	fputs("</svg>\n", f);
	return fflush(f) == 0 && !ferror(f) ? 0 : -EIO;
}

void
svg_names(FILE *f, const struct ladder *l)
{
	struct sheet s;

	sheet_lay(&s, f, l, sheet_width(l));
	sheet_begin(f, s.width, NAMES_HEIGHT, false);
	sheet_names(&s, 2);
	fputs("</svg>\n", f);
}

void
svg_rows(FILE *f, const struct ladder *l)
{
	struct sheet s;
	double height;

	sheet_lay(&s, f, l, sheet_width(l));
	height = rows_height(&s);
	sheet_begin(f, s.width, height + LEGEND_HEIGHT + 20, false);
	sheet_lanes(&s, 0, height + 4);
	put_rows(&s, 4);
	sheet_legend(&s, height + 14);
	fputs("</svg>\n", f);
}
