/* SPDX-License-Identifier: ISC */
/* A network interface, frame by frame (packet(7)): all that comes in there,
 * whomever it is for, and none of what this host sends. Many frames a system
 * call, with the offloads that the kernel has left open. */
#ifndef NATKIT_NIC_H
#define NATKIT_NIC_H

#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NIC_BATCH 64
#define NIC_ETHERNET 22 /* a header with two VLAN tags */

struct nic {
	char name[IF_NAMESIZE];
	int fd;
	int index;
	size_t mtu;
	uint64_t missed;  /* came in while we were too slow */
	uint64_t bad;	  /* too long, or offloads that we don't know */
	uint64_t refused; /* the kernel did not take them */
};

struct nic_frame {
	struct virtio_net_hdr offload;
	uint8_t *data;
	size_t len;
};

/* Memory for one read; as it is all used again by the next, one does for a
 * whole program. */
struct nic_reader;

/* Returns 0 or -errno: -ENODEV for a name that is no interface here, -EPERM,
 * -EPROTONOSUPPORT for an interface that is no Ethernet. */
int nic_open(struct nic *n, const char *name);
void nic_close(struct nic *n);
/* Did the interface vanish (and not just go down)? */
bool nic_is_gone(const struct nic *n);
/* A descriptor that becomes readable whenever that may have happened, or
 * -errno; nic_watch_drain makes it wait for the next time. */
int nic_watch(void);
void nic_watch_drain(int fd);
/* Asks the kernel for what it had to drop; adds it to n->missed. */
void nic_count(struct nic *n);

int nic_reader_new(struct nic_reader **out);
void nic_reader_free(struct nic_reader *r);
/* Reads what is there. *frames is valid until the next call. Returns how many
 * frames there are, with VLAN tags back in their place, at most NIC_BATCH;
 * 0 for none now; or -errno: -ENETDOWN once when the interface goes down. */
int nic_read(struct nic *n, struct nic_reader *r, struct nic_frame **frames);
/* Sends what the kernel takes now; what it refuses for good is counted.
 * Returns how many of the frames are done with. */
int nic_write(struct nic *n, struct nic_frame *frames, int count);

#endif
