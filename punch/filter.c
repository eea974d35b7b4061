/* SPDX-License-Identifier: ISC */
/* The socket filter that picks STUN datagrams for one UDP port: pcap-filter(7)
 * text, compiled by libpcap, run by the kernel (RFC 8489 section 5). */
#include "filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <sys/socket.h>

/* The kernel cuts a packet to what the filter returns: take all of it. */
#define SNAPLEN 65535

/* "udp" stands for the protocol number, the header length with its options,
 * and no later fragment; the second line is no first fragment either. The
 * datagram's 8-byte header is at udp[0], STUN's 20-byte one at udp[8]. */
static const char ip_text[] = "ip and udp dst port %u "
			      "and ip[6:2] & 0x3fff = 0 "
			      "and udp[8] & 0xc0 = 0 "
			      "and udp[10:2] = udp[4:2] - 28 "
			      "and udp[12:4] = 0x2112a442";

/* The same where there is no IP header: the kernel has walked it, put the
 * fragments together and looked at the protocol. */
static const char udp_text[] = "link[2:2] = %u "
			       "and link[8] & 0xc0 = 0 "
			       "and link[10:2] = link[4:2] - 28 "
			       "and link[12:4] = 0x2112a442";

int
filter_compile(struct bpf_program *out, enum filter_layer layer, uint16_t port)
{
	char text[256];
	pcap_t *pcap = pcap_open_dead(DLT_RAW, SNAPLEN);
	int r;

	if (pcap == NULL)
		return -ENOMEM;
	if (layer == FILTER_IP)
		snprintf(text, sizeof(text), ip_text, port);
	else
		snprintf(text, sizeof(text), udp_text, port);
	r = pcap_compile(pcap, out, text, 1, PCAP_NETMASK_UNKNOWN);
	pcap_close(pcap);
	return r == 0 ? 0 : -EINVAL;
}

int
filter_attach(int fd, enum filter_layer layer, uint16_t port, int lock)
{
	struct bpf_program program;
	struct sock_fprog prog;
	int r = filter_compile(&program, layer, port);

	if (r < 0)
		return r;
	prog.len = (unsigned short)program.bf_len;
	/* struct bpf_insn and struct sock_filter are the same by design */
	prog.filter = (struct sock_filter *)program.bf_insns;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) ==
		-1 ||
	    (lock && setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &lock,
			 sizeof(lock)) == -1))
		r = -errno;
	pcap_freecode(&program);
	return r;
}
