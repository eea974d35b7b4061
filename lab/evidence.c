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

struct file {
	pcap_t *pcap;
	int linktype;
	int box;
	struct pcap_pkthdr *header;
	const u_char *data; /* of the next packet; NULL at the end */
};

struct reading {
	struct ladder *ladder;
	int dir;
	struct file file[FILES_MAX];
	size_t n;
	int err;
	char *what;
};

static uint64_t
time_ns(const struct pcap_pkthdr *h)
{
	return (uint64_t)h->ts.tv_sec * 1000000000u + (uint64_t)h->ts.tv_usec;
}

static void
next_packet(struct file *f)
{
	if (pcap_next_ex(f->pcap, &f->header, &f->data) != 1)
		f->data = NULL;
}

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
	next_packet(f);
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

static struct file *
earliest(struct reading *r)
{
	struct file *found = NULL;

	for (size_t i = 0; i < r->n; i++)
		if (r->file[i].data != NULL &&
		    (found == NULL ||
			time_ns(r->file[i].header) < time_ns(found->header)))
			found = &r->file[i];
	return found;
}

static int
take(struct reading *r, const struct file *f)
{
	struct ladder *l = r->ladder;
	struct packet packet;
	struct sight s = {
	    .ns = time_ns(f->header),
	    .box = f->box,
	    .at = (uint32_t)(f - r->file),
	    .packet = &packet,
	};
	int err =
	    packet_decode(&packet, f->linktype, f->data, f->header->caplen);

	if (err == -EPROTONOSUPPORT ||
	    (err == 0 && !packet_is_unicast(&packet)))
		l->no_ip++;
	else if (err != 0)
		l->malformed++;
	else if (trails_direction(&l->places.place[f->box], &packet, &s.out) ==
		 0)
		return trails_add(&l->trails, &s);
	return 0;
}

static int
read_packets(struct reading *r)
{
	struct file *f;
	int err = 0;

	while (err == 0 && (f = earliest(r)) != NULL) {
		err = take(r, f);
		next_packet(f);
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
	free(r);
	return err;
}
