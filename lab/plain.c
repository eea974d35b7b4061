/* SPDX-License-Identifier: ISC */
/* A time line for a terminal of 100 columns, and as records. */
#include "plain.h"

#include <errno.h>
#include <string.h>

#define LEFT 14	  /* columns of the time, and half a lane's name */
#define INDENT 11 /* of text under a row */
#define STEP_MAX 20

struct canvas {
	char text[PLAIN_WIDTH + 1];
	int column[PLACES_MAX];
};

static const char *
name_of(const struct ladder *l, int box)
{
	return l->places.place[box].name;
}

const char *
plain_endpoint(const struct addr *a, char buf[ADDR_STRLEN])
{
	return a->port == 0 ? addr_format_ip(a, buf) : addr_format(a, buf);
}

const char *
plain_mapping(
    const struct ladder *l, const struct row *r, char *buf, size_t size)
{
	char in[ADDR_STRLEN], out[ADDR_STRLEN], remote[ADDR_STRLEN];
	char timeout[24] = "";

	addr_format(&r->internal, in);
	addr_format(&r->external, out);
	addr_format(&r->remote, remote);
	if (r->timeout_s != 0)
		snprintf(timeout, sizeof(timeout), ", %u s", r->timeout_s);
	if (strcmp(r->reason, "own") == 0)
		snprintf(buf, size,
		    "%s took it itself: %s entry for %s with %s%s; nobody "
		    "behind it gets that pair now",
		    name_of(l, r->box), r->protocol, out, remote, timeout);
	else if (addr_equal(&r->internal, &r->external))
		snprintf(buf, size, "%s: %s state %s: %s with %s%s",
		    name_of(l, r->box), r->protocol, r->state, out, remote,
		    timeout);
	else
		snprintf(buf, size, "%s: %s mapping %s: %s = %s with %s%s%s",
		    name_of(l, r->box), r->protocol, r->state, in, out, remote,
		    timeout,
		    strcmp(r->reason, "clash") == 0
			? "; another port, as the NAT's own entry has that one"
			: "");
	return buf;
}

const char *
plain_end(const struct ladder *l, const struct trail *t, char *buf, size_t size)
{
	const char *box = name_of(l, t->hop[t->n - 1].box);

	buf[0] = '\0';
	switch (t->end) {
	case TRAIL_ARRIVED:
		break;
	case TRAIL_DROPPED:
		if (strcmp(t->rule, "input") == 0)
			snprintf(buf, size,
			    strcmp(t->reason, "no-socket") == 0
				? "ends at %s: %s"
				: "%s takes it itself: %s",
			    box, t->reason);
		else if (strcmp(t->rule, "forward") == 0)
			snprintf(buf, size, "ends at %s: %s", box, t->reason);
		else
			snprintf(buf, size, "%s drops it: %s (rule %s)", box,
			    t->reason, t->rule);
		break;
	case TRAIL_LOST:
		snprintf(buf, size, "lost on the wire after %s", box);
		break;
	case TRAIL_ENDED:
		snprintf(buf, size, "ends at %s", box);
		break;
	}
	return buf;
}

const char *
plain_left_out(const struct ladder *l, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	if (l->before > 0)
		at += (size_t)snprintf(buf + at, size - at,
		    "%zu row%s before; ", l->before, l->before == 1 ? "" : "s");
	if (l->after > 0 && at < size)
		at += (size_t)snprintf(buf + at, size - at, "%zu row%s after; ",
		    l->after, l->after == 1 ? "" : "s");
	if (l->over > 0 && at < size)
		at += (size_t)snprintf(buf + at, size - at,
		    "%zu row%s that found no room; ", l->over,
		    l->over == 1 ? "" : "s");
	if (l->trails.left_out > 0 && at < size)
		at += (size_t)snprintf(buf + at, size - at,
		    "%llu packets beyond %d; ",
		    (unsigned long long)l->trails.left_out, TRAILS_MAX);
	if (l->malformed > 0 && at < size)
		at += (size_t)snprintf(buf + at, size - at, "%llu malformed; ",
		    (unsigned long long)l->malformed);
	if (at >= 2 && at < size)
		buf[at - 2] = '\0';
	return buf;
}

/* Text of any length, in lines that begin at INDENT and break at blanks. */
static void
wrap(FILE *f, const char *mark, const char *text)
{
	size_t room = PLAIN_WIDTH - INDENT - 2, len, cut;

	while (*text != '\0') {
		len = strlen(text);
		cut = len;
		if (len > room) {
			cut = room;
			while (cut > 0 && text[cut] != ' ')
				cut--;
			if (cut == 0)
				cut = room;
		}
		fprintf(f, "%*s%-2s%.*s\n", INDENT, "", mark, (int)cut, text);
		text += cut;
		text += strspn(text, " ");
		mark = "";
	}
}

static void
begin(struct canvas *c, const struct ladder *l)
{
	int step = STEP_MAX;

	if (l->nlane > 1 &&
	    (PLAIN_WIDTH - LEFT - 5) / ((int)l->nlane - 1) < step)
		step = (PLAIN_WIDTH - LEFT - 5) / ((int)l->nlane - 1);
	memset(c->text, ' ', PLAIN_WIDTH);
	c->text[PLAIN_WIDTH] = '\0';
	for (size_t i = 0; i < l->nlane; i++) {
		c->column[i] = LEFT + (int)i * step;
		c->text[c->column[i]] = '|';
	}
}

static void
end(FILE *f, struct canvas *c)
{
	size_t len = PLAIN_WIDTH;

	while (len > 0 && c->text[len - 1] == ' ')
		len--;
	fprintf(f, "%.*s\n", (int)len, c->text);
}

static void
put_time(struct canvas *c, const struct ladder *l, uint64_t ns)
{
	char text[32];
	uint64_t us = ladder_us(l, ns);
	int len = snprintf(text, sizeof(text), "%6llu.%03llu",
	    (unsigned long long)(us / 1000), (unsigned long long)(us % 1000));

	memcpy(c->text, text, (size_t)(len < LEFT - 1 ? len : LEFT - 1));
}

/* Names above the lanes, cut to what is between two of them. */
static void
write_names(FILE *f, const struct ladder *l)
{
	struct canvas c;
	int room, len, at;

	begin(&c, l);
	memset(c.text, ' ', PLAIN_WIDTH);
	memcpy(c.text, "    ms", 6);
	room = l->nlane > 1 ? c.column[1] - c.column[0] - 1 : STEP_MAX;
	for (size_t i = 0; i < l->nlane; i++) {
		len = (int)strlen(name_of(l, l->box[i]));
		len = len < room ? len : room;
		at = c.column[i] - len / 2;
		if (at + len > PLAIN_WIDTH)
			at = PLAIN_WIDTH - len;
		memcpy(c.text + at, name_of(l, l->box[i]), (size_t)len);
	}
	end(f, &c);
}

static void
draw_leg(struct canvas *c, const struct leg *g, int aim)
{
	int a = c->column[g->from_lane], b, step;
	bool lost = g->to_lane < 0;

	if (!lost)
		b = c->column[g->to_lane];
	else if (aim >= 0 && aim != g->from_lane)
		b = (a + c->column[aim]) / 2;
	else
		b = a + 4;
	if (a == b)
		return;
	step = a < b ? 1 : -1;
	for (int x = a + step; x != b; x += step)
		c->text[x] = '-';
	c->text[b - step] = a < b ? '>' : '<';
	if (lost)
		c->text[b] = '?';
}

static void
draw_packet(struct canvas *c, const struct ladder *l, const struct trail *t)
{
	struct leg legs[TRAIL_HOPS];
	size_t n = ladder_legs(l, t, legs);
	int first = ladder_first_lane(l, t), at = ladder_last_lane(l, t);

	for (size_t i = 0; i < n; i++)
		draw_leg(c, &legs[i], ladder_aim(l, t));
	for (size_t i = 1; i < n; i++)
		c->text[c->column[legs[i].from_lane]] =
		    legs[i].translated ? '*' : '+';
	if (first >= 0)
		c->text[c->column[first]] = 'o';
	if (at >= 0 && (t->end == TRAIL_DROPPED || t->end == TRAIL_ENDED))
		c->text[c->column[at]] = 'X';
}

static void
write_addresses(FILE *f, const struct ladder *l, const struct trail *t)
{
	const struct trail_hop *h = &t->hop[0];
	char text[1600], from[ADDR_STRLEN], to[ADDR_STRLEN];
	size_t at;

	at = (size_t)snprintf(text, sizeof(text), "%s > %s",
	    plain_endpoint(h->out && !h->in ? &h->out_from : &h->in_from, from),
	    plain_endpoint(h->out && !h->in ? &h->out_to : &h->in_to, to));
	for (size_t i = 0; i < t->n; i++) {
		h = &t->hop[i];
		if (!h->in || !h->out ||
		    (addr_equal(&h->in_from, &h->out_from) &&
			addr_equal(&h->in_to, &h->out_to)))
			continue;
		if (at < sizeof(text))
			at += (size_t)snprintf(text + at, sizeof(text) - at,
			    " | %s: %s > %s", name_of(l, h->box),
			    plain_endpoint(&h->out_from, from),
			    plain_endpoint(&h->out_to, to));
	}
	wrap(f, "", text);
}

static void
write_packet(FILE *f, const struct ladder *l, const struct row *r)
{
	const struct trail *t = r->trail;
	char text[512], times[64] = "";

	if (r->times > 1)
		snprintf(times, sizeof(times), " (x%u until %llu ms)", r->times,
		    (unsigned long long)ladder_us(l, r->last_ns) / 1000);
	snprintf(text, sizeof(text), "%s%s%s%s%s", t->what.name, times,
	    t->duplicate ? " (made twice on the wire)" : "",
	    t->what.detail[0] != '\0' ? ": " : "", t->what.detail);
	wrap(f, "", text);
	write_addresses(f, l, t);
	wrap(f, "X", plain_end(l, t, text, sizeof(text)));
}

static void
write_drop(FILE *f, const struct ladder *l, const struct row *r)
{
	char text[512], from[ADDR_STRLEN], to[ADDR_STRLEN];

	snprintf(text, sizeof(text),
	    "%s ends a packet not captured: %s (rule %s): "
	    "%s %s > %s",
	    name_of(l, r->box), r->reason, r->rule, r->protocol,
	    plain_endpoint(&r->internal, from),
	    plain_endpoint(&r->external, to));
	wrap(f, "X", text);
}

static void
write_row(FILE *f, const struct ladder *l, const struct row *r)
{
	struct canvas c;
	char text[512];
	int lane;

	begin(&c, l);
	put_time(&c, l, r->ns);
	if (r->kind == ROW_PACKET) {
		draw_packet(&c, l, r->trail);
	} else {
		lane = l->lane[r->box];
		if (lane >= 0)
			c.text[c.column[lane]] =
			    r->kind == ROW_MAPPING ? 'M' : 'X';
	}
	end(f, &c);
	if (r->kind == ROW_PACKET)
		write_packet(f, l, r);
	else if (r->kind == ROW_DROP)
		write_drop(f, l, r);
	else
		wrap(f, "M", plain_mapping(l, r, text, sizeof(text)));
}

int
plain_write(FILE *f, const struct ladder *l)
{
	char text[256];

	if (l->nlane > PLAIN_LANES)
		return -ENOSPC;
	write_names(f, l);
	for (size_t i = 0; i < l->nrow; i++)
		write_row(f, l, &l->row[i]);
	if (l->nrow > 0)
		fprintf(f,
		    "\n%*so from here, > to there, + passes, * translated "
		    "here, X ends here, ? lost,\n%*sM a mapping\n",
		    INDENT, "", INDENT, "");
	if (plain_left_out(l, text, sizeof(text))[0] != '\0')
		fprintf(f, "%*snot shown: %s\n", INDENT, "", text);
	return fflush(f) == 0 && !ferror(f) ? 0 : -EIO;
}

static void
record_packet(struct record *o, const struct ladder *l, const struct row *r)
{
	static const char *const ends[] = {
	    [TRAIL_ARRIVED] = "arrived",
	    [TRAIL_DROPPED] = "dropped",
	    [TRAIL_LOST] = "lost",
	    [TRAIL_ENDED] = "ended",
	};
	const struct trail *t = r->trail;
	const struct trail_hop *a = &t->hop[0], *b = &t->hop[t->n - 1];
	char path[256] = "", number[8];
	size_t at = 0;

	for (size_t i = 0; i < t->n && at < sizeof(path) - PLACE_NAME; i++)
		at += (size_t)snprintf(path + at, sizeof(path) - at, "%s%s",
		    i > 0 ? "," : "", name_of(l, t->hop[i].box));
	record_begin(o, "packet");
	record_put(o, "protocol", packet_protocol(t->protocol, number));
	record_put(o, "path", path);
	record_put_addr(o, "from", a->in ? &a->in_from : &a->out_from);
	record_put_addr(o, "to", a->in ? &a->in_to : &a->out_to);
	record_put_addr(o, "last_from", b->out ? &b->out_from : &b->in_from);
	record_put_addr(o, "last_to", b->out ? &b->out_to : &b->in_to);
	record_put(o, "what", t->what.name);
	record_put(o, "end", ends[t->end]);
	record_put(o, "reason", t->reason);
	record_put(o, "rule", t->rule);
	record_put_u64(o, "times", r->times);
	record_put_u64(o, "time_us", r->ns / 1000);
}

static void
record_event(struct record *o, const struct ladder *l, const struct row *r)
{
	bool drop = r->kind == ROW_DROP;

	record_begin(o, drop ? "drop" : "mapping");
	record_put(o, "box", name_of(l, r->box));
	record_put(o, "state", r->state);
	record_put(o, "protocol", r->protocol);
	record_put_addr(o, drop ? "from" : "internal", &r->internal);
	record_put_addr(o, drop ? "to" : "external", &r->external);
	record_put_addr(o, "remote", &r->remote);
	if (r->timeout_s != 0)
		record_put_u64(o, "timeout_s", r->timeout_s);
	record_put(o, "reason", r->reason);
	record_put(o, "rule", r->rule);
	record_put_u64(o, "time_us", r->ns / 1000);
}

int
plain_records(int fd, const struct ladder *l, bool json)
{
	struct record o;
	int err;

	for (size_t i = 0; i < l->nrow; i++) {
		if (l->row[i].kind == ROW_PACKET)
			record_packet(&o, l, &l->row[i]);
		else
			record_event(&o, l, &l->row[i]);
		err = record_write(&o, fd, json);
		if (err != 0 && err != -EMSGSIZE)
			return err;
	}
	return 0;
}
