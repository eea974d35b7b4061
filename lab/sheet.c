/* SPDX-License-Identifier: ISC */
/* What a picture of a time line is drawn on: text, lanes and their names, the
 * legend. */
#include "sheet.h"

#include <ctype.h>
#include <string.h>

#include "plain.h"
#include "svg.h"

const char *const sheet_colour[DESCRIBE_KINDS] = {
    [DESCRIBE_OTHER] = "#222222",
    [DESCRIBE_STUN] = "#1f5fa8",
    [DESCRIBE_CHECK] = "#6a3d9a",
    [DESCRIBE_RENDEZVOUS] = "#00796b",
    [DESCRIBE_WIREGUARD] = "#a85400",
    [DESCRIBE_ICMP] = "#6b6b6b",
    [DESCRIBE_TCP] = "#5d4037",
};

void
svg_escape(FILE *f, const char *s)
{
	for (; *s != '\0'; s++) {
		switch (*s) {
		case '&':
			fputs("&amp;", f);
			break;
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		case '\'':
			fputs("&#39;", f);
			break;
		default:
			fputc(*s >= ' ' && *s <= '~' ? *s : '?', f);
		}
	}
}

/* Of DejaVu Sans, which is wider than the fonts that may stand in for it. */
double
sheet_text_width(const char *s, double size)
{
	double w = 0;

	for (; *s != '\0'; s++) {
		if (strchr(" .,:;|'ijl[]()/", *s) != NULL)
			w += 0.34;
		else if (isupper((unsigned char)*s) || strchr("mw>=%", *s))
			w += 0.76;
		else
			w += 0.62;
	}
	return w * size;
}

/* Text around x that stays on the page and within room; squeezed when there
 * is no other way. Behind it the paper is white, so that no lane runs through. */
void
sheet_text(const struct sheet *s, double x, double y, double size, double room,
    const char *style, const char *text)
{
	double bold = strstr(style, "bold") != NULL ? 1.1 : 1;
	double w = sheet_text_width(text, size) * bold;
	double half = (w < room ? w : room) / 2;

	if (x - half < MARGIN + TIME_ROOM)
		x = MARGIN + TIME_ROOM + half;
	if (x + half > s->width - MARGIN)
		x = s->width - MARGIN - half;
	fprintf(s->f,
	    "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\" "
	    "text-anchor=\"middle\" class=\"t\" %s",
	    x, y, size, style);
	if (w > room)
		fprintf(s->f,
		    " textLength=\"%.0f\" lengthAdjust=\"spacingAndGlyphs\"",
		    room);
	fputc('>', s->f);
	svg_escape(s->f, text);
	fputs("</text>\n", s->f);
}

void
sheet_lay(struct sheet *s, FILE *f, const struct ladder *l, double width)
{
	double first = MARGIN + GUTTER + 20, last = width - MARGIN - SIDE;

	s->f = f;
	s->l = l;
	s->width = width;
	for (size_t i = 0; i < l->nlane; i++)
		s->lane[i] = l->nlane == 1
				 ? (first + last) / 2
				 : first + (last - first) * (double)i /
					       (double)(l->nlane - 1);
}

double
sheet_gap(const struct sheet *s)
{
	return s->l->nlane > 1 ? s->lane[1] - s->lane[0] : 300;
}

double
sheet_width(const struct ladder *l)
{
	return l->nlane > 6 ? A4_LONG : A4_SHORT;
}

void
sheet_begin(FILE *f, double width, double height, bool page)
{
	fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" ");
	if (page)
		fprintf(f, "width=\"%dmm\" height=\"%dmm\" ",
		    (int)(width * 25.4 / 96), (int)(height * 25.4 / 96));
	fprintf(f,
	    "viewBox=\"0 0 %.0f %.0f\" font-family=\"DejaVu Sans, Verdana, "
	    "Helvetica, sans-serif\">\n",
	    width, height);
	/* a browser's margins, or another paper, would make two pages of it */
	fprintf(f,
	    "<style>%s.t{paint-order:stroke;stroke:#fff;stroke-width:2.5px;"
	    "stroke-linejoin:round}</style>\n",
	    !page	       ? ""
	    : width > A4_SHORT ? "@page{size:A4 landscape;margin:0}"
			       : "@page{size:A4;margin:0}");
}

static void
put_name(const struct sheet *s, size_t lane, double y)
{
	static const char *const fills[] = {
	    [PLACE_HOST] = "#eef3fa",
	    [PLACE_NAT] = "#fbeed5",
	    [PLACE_PUBLIC] = "#e6f2e6",
	    [PLACE_ROUTER] = "#f1f1f1",
	    [PLACE_FIREWALL] = "#fbeed5",
	};
	static const char *const kinds[] = {
	    [PLACE_HOST] = "host",
	    [PLACE_NAT] = "NAT",
	    [PLACE_PUBLIC] = "public host",
	    [PLACE_ROUTER] = "router",
	    [PLACE_FIREWALL] = "firewall",
	};
	const struct place *p = &s->l->places.place[s->l->box[lane]];
	double x = s->lane[lane], half = sheet_gap(s) / 2 - 4;
	char text[ADDR_STRLEN];
	size_t shown = 0;

	if (half > SIDE - 2)
		half = SIDE - 2;
	fprintf(s->f,
	    "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
	    "height=\"52\" rx=\"4\" fill=\"%s\" stroke=\"#999\"/>\n",
	    x - half, y, half * 2, fills[p->kind]);
	sheet_text(s, x, y + 14, 11, half * 2 - 6,
	    "font-weight=\"bold\" style=\"stroke:none\"", p->name);
	sheet_text(s, x, y + 25, SMALL, half * 2 - 6,
	    "fill=\"" GREY "\" style=\"stroke:none\"", kinds[p->kind]);
	for (size_t i = 0; i < p->naddr && shown < 2; i++) {
		if (p->addr[i].family == ADDR_V6 && p->naddr > 1 && shown > 0)
			continue;
		sheet_text(s, x, y + 36 + 10 * (double)shown++, SMALL,
		    half * 2 - 6, "style=\"stroke:none\"",
		    addr_format_ip(&p->addr[i], text));
	}
}

void
sheet_names(const struct sheet *s, double y)
{
	for (size_t i = 0; i < s->l->nlane; i++)
		put_name(s, i, y);
}

void
sheet_lanes(const struct sheet *s, double top, double bottom)
{
	for (size_t i = 0; i < s->l->nlane; i++) {
		bool nat = s->l->places.place[s->l->box[i]].kind == PLACE_NAT;

		fprintf(s->f,
		    "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
		    "stroke=\"%s\" stroke-width=\"%s\"/>\n",
		    s->lane[i], top, s->lane[i], bottom,
		    nat ? "#f3dfb8" : "#cfcfcf", nat ? "7" : "1.2");
	}
}

void
sheet_arrow(const struct sheet *s, double a, double b, double y, const char *c,
    bool head)
{
	double tip = a < b ? -7 : 7;

	fprintf(s->f,
	    "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
	    "stroke=\"%s\" stroke-width=\"1.5\"/>\n",
	    a, y, head ? b + tip / 2 : b, y, c);
	if (head)
		fprintf(s->f,
		    "<path d=\"M%.1f %.1fl%.1f -3.4v6.8z\" "
		    "fill=\"%s\"/>\n",
		    b, y, tip, c);
}

void
sheet_cross(const struct sheet *s, double x, double y)
{
	fprintf(s->f,
	    "<path d=\"M%.1f %.1fl9 9m0 -9l-9 9\" stroke=\"" RED
	    "\" stroke-width=\"2.4\" fill=\"none\"/>\n",
	    x - 4.5, y - 4.5);
}

/* --- whole pictures --- */

void
sheet_title(const struct sheet *s, const char *title)
{
	fprintf(s->f,
	    "<text x=\"%.1f\" y=\"%.1f\" font-size=\"14\" "
	    "font-weight=\"bold\">",
	    MARGIN, MARGIN + 10);
	svg_escape(s->f, title);
	fputs("</text>\n", s->f);
}

/* Of the kinds of packets, those that are in the picture. */
static void
put_kinds(const struct sheet *s, double y)
{
	bool there[DESCRIBE_KINDS] = {false};
	double x = MARGIN;

	for (size_t i = 0; i < s->l->nrow; i++)
		if (s->l->row[i].kind == ROW_PACKET)
			there[s->l->row[i].trail->what.kind] = true;
	for (int k = 0; k < DESCRIBE_KINDS; k++) {
		if (!there[k])
			continue;
		sheet_arrow(s, x, x + 26, y - 3, sheet_colour[k], true);
		fprintf(s->f,
		    "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\">"
		    "%s</text>\n",
		    x + 31, y, SMALL,
		    describe_kind_name((enum describe_kind)k));
		x += 48 + sheet_text_width(
			      describe_kind_name((enum describe_kind)k), SMALL);
	}
}

void
sheet_legend(const struct sheet *s, double y)
{
	double x = MARGIN;
	char text[256];

	fprintf(s->f,
	    "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
	    "stroke=\"#ccc\"/>\n",
	    MARGIN, y, s->width - MARGIN, y);
	put_kinds(s, y + 15);
	y += 30;
	fprintf(s->f,
	    "<path d=\"M%.1f %.1fl4.5 4.5l-4.5 4.5l-4.5 -4.5z\" "
	    "fill=\"#fff\" stroke=\"#222\" stroke-width=\"1.5\"/>\n",
	    x + 5, y - 7.5);
	fprintf(s->f,
	    "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\">"
	    "addresses translated here</text>\n",
	    x + 14, y, SMALL);
	sheet_cross(s, x + 150, y - 3);
	fprintf(s->f,
	    "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\" "
	    "fill=\"" RED "\">the packet ends here</text>\n",
	    x + 160, y, SMALL);
	fprintf(s->f,
	    "<rect x=\"%.1f\" y=\"%.1f\" width=\"22\" height=\"11\" "
	    "rx=\"5\" fill=\"#eef7ee\" stroke=\"#1b7837\"/>"
	    "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\">"
	    "a mapping (red: the NAT&#39;s own, or a clash)</text>\n",
	    x + 275, y - 8.5, x + 302, y, SMALL);
	fprintf(s->f,
	    "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\" "
	    "text-anchor=\"end\">left: ms</text>\n",
	    s->width - MARGIN, y, SMALL);
	if (plain_left_out(s->l, text, sizeof(text))[0] == '\0')
		return;
	fprintf(s->f,
	    "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\" "
	    "font-weight=\"bold\">not shown: ",
	    MARGIN, y + 14, SMALL);
	svg_escape(s->f, text);
	fputs("</text>\n", s->f);
}
