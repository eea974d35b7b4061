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

#include "cursor.h"

#define SNAP_LEN 2048
#define BUFFER (2 << 20)
#define ETHERNET_LEN 14
#define SLL2_LEN 20

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

	t->cooked = pcap_open_dead_with_tstamp_precision(
	    DLT_LINUX_SLL2, SNAP_LEN, PCAP_TSTAMP_PRECISION_NANO);
	snprintf(name, sizeof(name), "%s.%s.pcap", t->box, t->interface);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (t->cooked == NULL || fd == -1)
		return t->cooked == NULL ? -ENOMEM : -errno;
	f = fdopen(fd, "w");
	if (f == NULL) {
		close(fd);
		return -ENOMEM;
	}
	t->file = pcap_dump_fopen(t->cooked, f);
	if (t->file == NULL) {
		fclose(f);
		return -ENOMEM;
	}
	return pcap_dump_flush(t->file) == 0 ? 0 : -EIO;
}

static int
open_side(struct tap *t, struct tap_side *side, pcap_direction_t direction)
{
	char text[PCAP_ERRBUF_SIZE];
	int err;

	side->pcap = pcap_create(t->interface, text);
	if (side->pcap == NULL)
		return -ENOMEM;
	pcap_set_snaplen(side->pcap, SNAP_LEN);
	pcap_set_immediate_mode(side->pcap, 1);
	pcap_set_buffer_size(side->pcap, BUFFER);
	pcap_set_tstamp_precision(side->pcap, PCAP_TSTAMP_PRECISION_NANO);
	err = pcap_activate(side->pcap);
	if (err == PCAP_ERROR_PERM_DENIED)
		return -EPERM;
	if (err < 0 || pcap_setdirection(side->pcap, direction) != 0 ||
	    pcap_setnonblock(side->pcap, 1, text) < 0)
		return -EIO;
	side->fd = pcap_get_selectable_fd(side->pcap);
	return side->fd == -1 ? -EIO : 0;
}

int
tap_open(struct tap *t, int dir, const char **what)
{
	int err;

	*what = "can't capture there";
	t->ifindex = if_nametoindex(t->interface);
	err = open_side(t, &t->side[0], PCAP_D_IN);
	if (err == 0)
		err = open_side(t, &t->side[1], PCAP_D_OUT);
	if (err != 0)
		return err;
	*what = "can't write the file of packets";
	return open_file(t, dir);
}

/* The header of Linux cooked v2 (LINKTYPE_LINUX_SLL2):
 *	protocol (16), 0 (16), interface (32), ARPHRD (16),
 *	0 coming, 4 leaving (8), address length (8), address (64) */
static void
write_packet(struct tap *t, const struct tap_side *side)
{
	static uint8_t cooked[SLL2_LEN + SNAP_LEN];
	struct pcap_pkthdr h = *side->header;
	bool ethernet = pcap_datalink(side->pcap) == DLT_EN10MB;
	size_t skip = ethernet ? ETHERNET_LEN : 0;

	if (h.caplen <= skip || h.caplen > SNAP_LEN)
		return;
	memset(cooked, 0, SLL2_LEN);
	if (ethernet)
		memcpy(cooked, side->data + 12, 2);
	else
		put_u16(cooked, side->data[0] >> 4 == 6 ? 0x86dd : 0x0800);
	put_u32(cooked + 4, t->ifindex);
	put_u16(cooked + 8, ethernet ? 1 : 0xfffe);
	cooked[10] = side == &t->side[1] ? 4 : 0;
	if (ethernet) {
		cooked[11] = PACKET_MAC_LEN;
		memcpy(cooked + 12, side->data + 6, PACKET_MAC_LEN);
	}
	memcpy(cooked + SLL2_LEN, side->data + skip, h.caplen - skip);
	h.caplen += (uint32_t)(SLL2_LEN - skip);
	h.len += (uint32_t)(SLL2_LEN - skip);
	pcap_dump((u_char *)t->file, &h, cooked);
}

static bool
is_earlier(const struct tap_side *a, const struct tap_side *b)
{
	if (a->data == NULL || b->data == NULL)
		return a->data != NULL;
	if (a->header->ts.tv_sec != b->header->ts.tv_sec)
		return a->header->ts.tv_sec < b->header->ts.tv_sec;
	return a->header->ts.tv_usec <= b->header->ts.tv_usec;
}

int
tap_read(struct tap *t)
{
	int n = 0;

	for (;; n++) {
		struct tap_side *side;

		for (int i = 0; i < 2; i++) {
			side = &t->side[i];
			if (side->data == NULL &&
			    pcap_next_ex(
				side->pcap, &side->header, &side->data) != 1)
				side->data = NULL;
		}
		side = is_earlier(&t->side[0], &t->side[1]) ? &t->side[0]
							    : &t->side[1];
		if (side->data == NULL)
			return n;
		write_packet(t, side);
		side->data = NULL;
	}
}

uint32_t
tap_close(struct tap *t)
{
	uint32_t dropped = 0;

	for (int i = 0; i < 2; i++) {
		struct pcap_stat stat = {0};

		if (t->side[i].pcap == NULL)
			continue;
		pcap_stats(t->side[i].pcap, &stat);
		dropped += stat.ps_drop;
		pcap_close(t->side[i].pcap);
		t->side[i].pcap = NULL;
	}
	if (t->file != NULL)
		pcap_dump_close(t->file);
	if (t->cooked != NULL)
		pcap_close(t->cooked);
	t->file = NULL;
	t->cooked = NULL;
	return dropped;
}
