/* SPDX-License-Identifier: ISC */
/* A network interface, frame by frame (packet(7)). PACKET_VNET_HDR carries
 * what the sender left to its network card: an open checksum, and the size to
 * cut at. */
#include "nic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cursor.h"

#define FRAME_MAX 66000 /* 64 KiB of IP and its headers */
#define VLAN_LEN 4
#define BUFFER_BYTES (8 << 20)
#define CONTROL_LEN CMSG_SPACE(sizeof(struct tpacket_auxdata))

struct nic_reader {
	struct mmsghdr headers[NIC_BATCH];
	struct iovec parts[NIC_BATCH][2];
	struct nic_frame frames[NIC_BATCH];
	union {
		char bytes[CONTROL_LEN];
		struct cmsghdr align;
	} control[NIC_BATCH];
	uint8_t data[NIC_BATCH][VLAN_LEN + FRAME_MAX];
};

static int
ask(int fd, unsigned long request, const char *name, struct ifreq *ifr)
{
	memset(ifr, 0, sizeof(*ifr));
	if (strlen(name) == 0 || strlen(name) >= sizeof(ifr->ifr_name))
		return -ENODEV;
	memcpy(ifr->ifr_name, name, strlen(name));
	return ioctl(fd, request, ifr) == -1 ? -errno : 0;
}

static int
find(struct nic *n, const char *name)
{
	struct ifreq ifr;
	int rc = ask(n->fd, SIOCGIFHWADDR, name, &ifr);

	if (rc != 0)
		return rc;
	if (ifr.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return -EPROTONOSUPPORT;
	if ((rc = ask(n->fd, SIOCGIFMTU, name, &ifr)) != 0)
		return rc;
	n->mtu = (size_t)ifr.ifr_mtu;
	if ((rc = ask(n->fd, SIOCGIFINDEX, name, &ifr)) != 0)
		return rc;
	n->index = ifr.ifr_ifindex;
	memcpy(n->name, ifr.ifr_name, sizeof(n->name));
	return 0;
}

static int
set(int fd, int level, int option, const void *value, socklen_t len)
{
	return setsockopt(fd, level, option, value, len) == -1 ? -errno : 0;
}

/* Beyond the system's limits where we may; otherwise as much as they allow. */
static void
make_room(int fd)
{
	int bytes = BUFFER_BYTES;

	if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0)
		set(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (set(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0)
		set(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static int
configure(const struct nic *n)
{
	struct packet_mreq all = {
	    .mr_ifindex = n->index, .mr_type = PACKET_MR_PROMISC};
	struct sockaddr_ll at = {
	    .sll_family = AF_PACKET,
	    .sll_ifindex = n->index,
	    .sll_protocol = htons(ETH_P_ALL),
	};
	int one = 1, rc;

	rc = set(n->fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one));
	if (rc == 0)
		rc = set(n->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one,
		    sizeof(one));
	if (rc == 0)
		rc = set(n->fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one));
	if (rc == 0)
		rc = set(n->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all,
		    sizeof(all));
	make_room(n->fd);
	if (rc == 0 &&
	    bind(n->fd, (const struct sockaddr *)&at, sizeof(at)) == -1)
		rc = -errno;
	return rc;
}

int
nic_open(struct nic *n, const char *name)
{
	int rc;

	*n = (struct nic){0};
	/* protocol 0: nothing comes in before it is bound */
	n->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (n->fd == -1)
		return -errno;
	rc = find(n, name);
	if (rc == 0)
		rc = configure(n);
	if (rc != 0)
		nic_close(n);
	return rc;
}

void
nic_close(struct nic *n)
{
	close(n->fd);
	n->fd = -1;
}

bool
nic_is_gone(const struct nic *n)
{
	struct sockaddr_ll at = {0};
	socklen_t len = sizeof(at);

	return getsockname(n->fd, (struct sockaddr *)&at, &len) == 0 &&
	       at.sll_ifindex != n->index;
}

/* A packet socket tells when its interface goes down, but not when it goes for
 * good after that. rtnetlink(7) does. */
int
nic_watch(void)
{
	struct sockaddr_nl at = {
	    .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(
	    AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd == -1)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) == -1) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

void
nic_watch_drain(int fd)
{
	char event; /* what it is matters not: the rest is cut off */

	while (recv(fd, &event, sizeof(event), 0) != -1 || errno == ENOBUFS)
		;
}

void
nic_count(struct nic *n)
{
	struct tpacket_stats s;
	socklen_t len = sizeof(s);

	if (getsockopt(n->fd, SOL_PACKET, PACKET_STATISTICS, &s, &len) == 0)
		n->missed += s.tp_drops;
}

int
nic_reader_new(struct nic_reader **out)
{
	struct nic_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	for (int i = 0; i < NIC_BATCH; i++) {
		r->parts[i][0] = (struct iovec){
		    &r->frames[i].offload, sizeof(struct virtio_net_hdr)};
		r->parts[i][1] =
		    (struct iovec){r->data[i] + VLAN_LEN, FRAME_MAX};
		r->headers[i].msg_hdr = (struct msghdr){
		    .msg_iov = r->parts[i],
		    .msg_iovlen = 2,
		    .msg_control = r->control[i].bytes,
		};
	}
	*out = r;
	return 0;
}

void
nic_reader_free(struct nic_reader *r)
{
	free(r);
}

/* The tag that the kernel has taken out; NULL when there was none. */
static const struct tpacket_auxdata *
find_tag(struct msghdr *m)
{
	static struct tpacket_auxdata a;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
	     c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_PACKET ||
		    c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&a, CMSG_DATA(c), sizeof(a));
		return (a.tp_status & TP_STATUS_VLAN_VALID) != 0 ? &a : NULL;
	}
	return NULL;
}

static void
put_tag(struct nic_frame *f, const struct tpacket_auxdata *a)
{
	f->data -= VLAN_LEN;
	f->len += VLAN_LEN;
	memmove(f->data, f->data + VLAN_LEN, 2 * ETH_ALEN);
	put_u16(f->data + 12, a->tp_vlan_tpid);
	put_u16(f->data + 14, a->tp_vlan_tci);
	f->offload.csum_start += VLAN_LEN;
	f->offload.hdr_len += VLAN_LEN;
}

static bool
take(struct nic_frame *f, struct mmsghdr *m, uint8_t *data)
{
	const struct tpacket_auxdata *tag = find_tag(&m->msg_hdr);

	if ((m->msg_hdr.msg_flags & MSG_TRUNC) != 0 ||
	    m->msg_len < sizeof(f->offload) + ETH_HLEN)
		return false;
	f->data = data + VLAN_LEN;
	f->len = m->msg_len - sizeof(f->offload);
	if (tag != NULL)
		put_tag(f, tag);
	return true;
}

int
nic_read(struct nic *n, struct nic_reader *r, struct nic_frame **frames)
{
	int got, used = 0;

	for (int i = 0; i < NIC_BATCH; i++)
		r->headers[i].msg_hdr.msg_controllen = CONTROL_LEN;
	got = recvmmsg(n->fd, r->headers, NIC_BATCH, 0, NULL);
	if (got == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (int i = 0; i < got; i++) {
		/* the kernel wrote the offload there; frames close up */
		r->frames[used].offload = r->frames[i].offload;
		if (take(&r->frames[used], &r->headers[i], r->data[i]))
			used++;
		else
			n->bad++;
	}
	*frames = r->frames;
	return used > 0 || got < NIC_BATCH ? used : nic_read(n, r, frames);
}

int
nic_write(struct nic *n, struct nic_frame *frames, int count)
{
	struct mmsghdr headers[NIC_BATCH];
	struct iovec parts[NIC_BATCH][2];
	int done = 0;

	for (int i = 0; i < count; i++) {
		parts[i][0] = (struct iovec){
		    &frames[i].offload, sizeof(struct virtio_net_hdr)};
		parts[i][1] = (struct iovec){frames[i].data, frames[i].len};
		headers[i] = (struct mmsghdr){
		    .msg_hdr = {.msg_iov = parts[i], .msg_iovlen = 2}};
	}
	while (done < count) {
		int sent = sendmmsg(
		    n->fd, headers + done, (unsigned)(count - done), 0);

		if (sent > 0) {
			done += sent;
			continue;
		}
		if (errno == EAGAIN || errno == EINTR)
			break;
		n->refused++; /* too long for its MTU, or it is down */
		done++;
	}
	return done;
}
