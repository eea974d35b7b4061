/* SPDX-License-Identifier: ISC */
/* A capture of one interface of one box into a file of its own. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SNAP_LEN 2048
#define BUFFER (4 << 20)

static struct tap *
find(struct tap *list, int n, const char *interface)
{
	for (int i = 0; i < n; i++)
		if (strcmp(list[i].interface, interface) == 0)
			return &list[i];
	return NULL;
}

static void
set_address(struct tap *t, const struct sockaddr *sa)
{
	const struct sockaddr_ll *ll = (const struct sockaddr_ll *)sa;

	if (sa->sa_family == AF_PACKET) {
		t->has_mac = ll->sll_halen == PACKET_MAC_LEN;
		if (t->has_mac)
			memcpy(t->mac, ll->sll_addr, PACKET_MAC_LEN);
	} else if (t->naddr < TAP_ADDRS &&
		   addr_from_sockaddr(&t->addr[t->naddr], sa) == 0) {
		t->addr[t->naddr++].port = 0;
	}
}

int
tap_list(struct tap *list, size_t cap, const char *box)
{
	struct ifaddrs *all, *i;
	struct tap *t;
	size_t n = 0;

	if (getifaddrs(&all) == -1)
		return -errno;
	for (i = all; i != NULL; i = i->ifa_next) {
		if ((i->ifa_flags & IFF_UP) == 0 || i->ifa_addr == NULL ||
		    strchr(i->ifa_name, '/') != NULL)
			continue;
		t = find(list, (int)n, i->ifa_name);
		if (t == NULL && n < cap) {
			t = &list[n++];
			memset(t, 0, sizeof(*t));
			snprintf(t->box, sizeof(t->box), "%s", box);
			snprintf(t->interface, sizeof(t->interface), "%s",
			    i->ifa_name);
		}
		if (t != NULL)
			set_address(t, i->ifa_addr);
	}
	freeifaddrs(all);
	return (int)n;
}

static int
open_file(struct tap *t, int dir)
{
	char name[NETNS_NAME + IF_NAMESIZE + 8];
	int fd;
	FILE *f;

	snprintf(name, sizeof(name), "%s.%s.pcap", t->box, t->interface);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return -errno;
	f = fdopen(fd, "w");
	if (f == NULL) {
		close(fd);
		return -ENOMEM;
	}
	t->file = pcap_dump_fopen(t->pcap, f);
	if (t->file == NULL) {
		fclose(f);
		return -ENOMEM;
	}
	return pcap_dump_flush(t->file) == 0 ? 0 : -EIO;
}

int
tap_open(struct tap *t, int dir, const char **what)
{
	char text[PCAP_ERRBUF_SIZE];
	int err;

	*what = "can't capture there";
	t->pcap = pcap_create(t->interface, text);
	if (t->pcap == NULL)
		return -ENOMEM;
	pcap_set_snaplen(t->pcap, SNAP_LEN);
	pcap_set_immediate_mode(t->pcap, 1);
	pcap_set_buffer_size(t->pcap, BUFFER);
	pcap_set_tstamp_precision(t->pcap, PCAP_TSTAMP_PRECISION_NANO);
	err = pcap_activate(t->pcap);
	if (err == PCAP_ERROR_PERM_DENIED)
		return -EPERM;
	if (err < 0 || pcap_setnonblock(t->pcap, 1, text) < 0)
		return -EIO;
	t->fd = pcap_get_selectable_fd(t->pcap);
	*what = "can't write the file of packets";
	return t->fd == -1 ? -EIO : open_file(t, dir);
}

int
tap_read(struct tap *t)
{
	int n = pcap_dispatch(t->pcap, -1, pcap_dump, (u_char *)t->file);

	return n < 0 ? -1 : n;
}

uint32_t
tap_close(struct tap *t)
{
	struct pcap_stat stat = {0};

	if (t->pcap == NULL)
		return 0;
	pcap_stats(t->pcap, &stat);
	if (t->file != NULL)
		pcap_dump_close(t->file);
	pcap_close(t->pcap);
	t->pcap = NULL;
	return stat.ps_drop;
}
