/* SPDX-License-Identifier: ISC */
/* The directory that nat-capture made, read into a time line. */
#include "evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "line.h"

#define FILES_MAX 512
#define SIGHTS_MAX 250000
#define TOGETHER_NS 20000000u /* from the first fragment to the last */

struct seen {
	struct sight sight;
	struct packet packet; /* without its payload */
	struct describe what;
};

struct file {
	pcap_t *pcap;
	int linktype;
	int box;
};

struct reading {
	struct ladder *ladder;
	int dir;
	struct file file[FILES_MAX];
	size_t n;
	struct seen *seen;
	size_t nseen, cap;
	size_t first; /* the number of the latest first fragment, from 1 */
	int err;
	char *what;
};

static void
open_pcap(struct reading *r, const char *box, const char *interface)
{
	char name[PLACE_NAME + IF_NAMESIZE + 8], text[PCAP_ERRBUF_SIZE];
	struct file *f = &r->file[r->n];
	FILE *stream;
	int fd;

	if (strchr(box, '/') != NULL || strchr(interface, '/') != NULL ||
	    strlen(interface) >= IF_NAMESIZE || r->n == FILES_MAX)
		return;
	snprintf(name, sizeof(name), "%s.%s.pcap", box, interface);
	fd = openat(r->dir, name, O_RDONLY | O_CLOEXEC);
	stream = fd == -1 ? NULL : fdopen(fd, "r");
	f->pcap = stream == NULL
		      ? NULL
		      : pcap_fopen_offline_with_tstamp_precision(
			    stream, PCAP_TSTAMP_PRECISION_NANO, text);
	if (f->pcap == NULL) {
		r->err = fd == -1 ? -errno : -EBADMSG;
		snprintf(r->what, 128, "%s", name);
		return;
	}
	f->linktype = pcap_datalink(f->pcap);
	f->box = places_find(&r->ladder->places, box);
	r->n++;
}

static void
line_cb(void *arg, const char *line, size_t len)
{
	struct reading *r = arg;
	struct record_view view;
	const char *box, *name;

	if (record_parse(&view, line, len) != 0 ||
	    ladder_feed(r->ladder, &view) != 0) {
		r->ladder->malformed++;
		return;
	}
	box = record_get(&view, "box");
	name = record_get(&view, "name");
	if (record_is(&view, "interface") && name != NULL &&
	    strcmp(name, "lo") != 0)
		open_pcap(r, box, name);
}

static int
read_lines(struct reading *r, const char *name)
{
	struct line line;
	int fd = openat(r->dir, name, O_RDONLY | O_CLOEXEC), more = 1;

	if (fd == -1)
		return -errno;
	line_init(&line);
	while (more == 1)
		more = line_read(&line, fd, line_cb, r);
	close(fd);
	return more;
}

static struct seen *
add(struct reading *r)
{
	struct seen *p;

	if (r->nseen == r->cap) {
		size_t cap = r->cap == 0 ? 1024 : r->cap * 2;

		p = realloc(r->seen, cap * sizeof(*p));
		if (p == NULL)
			return NULL;
		r->seen = p;
		r->cap = cap;
	}
	p = &r->seen[r->nseen++];
	memset(p, 0, sizeof(*p));
	return p;
}

static int
take(struct reading *r, const struct file *f, const struct pcap_pkthdr *h,
    const u_char *data)
{
	struct ladder *l = r->ladder;
	struct seen *seen;
	struct packet p;
	bool out;
	int err = packet_decode(&p, f->linktype, data, h->caplen);

	if (err == -EPROTONOSUPPORT || (err == 0 && !packet_is_unicast(&p)))
		l->no_ip++;
	else if (err != 0)
		l->malformed++;
	else if (r->nseen == SIGHTS_MAX)
		l->trails.left_out++;
	else if (trails_direction(&l->places.place[f->box], &p, &out) == 0) {
		seen = add(r);
		if (seen == NULL)
			return -ENOMEM;
		describe_packet(&seen->what, &p);
		p.payload = NULL;
		seen->packet = p;
		seen->sight.ns = (uint64_t)h->ts.tv_sec * 1000000000u +
				 (uint64_t)h->ts.tv_usec;
		seen->sight.box = f->box;
		seen->sight.at = (uint32_t)(f - r->file);
		seen->sight.out = out;
	}
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	if (x->sight.ns != y->sight.ns)
		return x->sight.ns < y->sight.ns ? -1 : 1;
	return (x->sight.at > y->sight.at) - (x->sight.at < y->sight.at);
}

/* Of fragments, and on its way in. */
static bool
is_first(const struct seen *s)
{
	return s->packet.part && !s->packet.fragment && !s->sight.out;
}

/* Is it a datagram that the box's own bridge has put together, of fragments
 * that came in by a port of it? They are shown, and it is none of the wire's. */
static bool
is_put_together(const struct reading *r, size_t i)
{
	const struct seen *s = &r->seen[i];

	if (s->sight.out || s->packet.part)
		return false;
	for (i = r->first; i > 0; i--) {
		const struct seen *f = &r->seen[i - 1];

		if (s->sight.ns - f->sight.ns > TOGETHER_NS)
			return false;
		if (is_first(f) && f->sight.box == s->sight.box &&
		    f->sight.at != s->sight.at &&
		    f->packet.protocol == s->packet.protocol &&
		    addr_equal(&f->packet.from, &s->packet.from) &&
		    addr_equal(&f->packet.to, &s->packet.to) &&
		    (f->packet.from.family == ADDR_V6 ||
			f->packet.ip_id == s->packet.ip_id))
			return true;
	}
	return false;
}

/* The files are in order only nearly, and not with each other. */
static int
read_packets(struct reading *r)
{
	struct pcap_pkthdr *header;
	const u_char *data;
	int err = 0;

	for (size_t i = 0; i < r->n; i++)
		while (err == 0 &&
		       pcap_next_ex(r->file[i].pcap, &header, &data) == 1)
			err = take(r, &r->file[i], header, data);
	if (r->nseen > 0)
		qsort(r->seen, r->nseen, sizeof(*r->seen), compare);
	for (size_t i = 0; err == 0 && i < r->nseen; i++) {
		r->seen[i].sight.packet = &r->seen[i].packet;
		r->seen[i].sight.what = &r->seen[i].what;
		if (is_first(&r->seen[i]))
			r->first = i + 1;
		if (is_put_together(r, i))
			continue;
		err = trails_add(&r->ladder->trails, &r->seen[i].sight);
	}
	return err;
}

int
evidence_read(struct ladder *l, const char *path, char what[128])
{
	struct reading *r = calloc(1, sizeof(*r));
	int err;

	if (r == NULL)
		return -ENOMEM;
	r->ladder = l;
	r->what = what;
	snprintf(what, 128, "lab");
	r->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = r->dir == -1 ? -errno : read_lines(r, "lab");
	if (err == 0 && r->err != 0)
		err = r->err;
	if (err == 0 && r->n == 0)
		err = -ENOENT;
	if (err == 0) {
		err = read_lines(r, "watch");
		err = err == -ENOENT ? 0 : err;
	}
	if (err == 0)
		err = read_packets(r);
	for (size_t i = 0; i < r->n; i++)
		pcap_close(r->file[i].pcap);
	if (r->dir != -1)
		close(r->dir);
	free(r->seen);
	free(r);
	return err;
}
