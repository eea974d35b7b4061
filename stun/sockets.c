/* SPDX-License-Identifier: ISC */
/* The sockets of one nat-stund process: UDP and TCP at each place. */
#include "sockets.h"

#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream.h"
#include "stun.h"

#define ATTEMPTS 20 /* to find a port that is free everywhere */

static void
clear(struct sockets *s)
{
	for (int i = 0; i < SOCKETS; i++) {
		s->udp[i] = NULL;
		s->tcp[i] = -1;
	}
}

void
sockets_close(struct sockets *s)
{
	for (int i = 0; i < SOCKETS; i++) {
		listener_free(s->udp[i]);
		if (s->tcp[i] != -1)
			close(s->tcp[i]);
	}
	clear(s);
}

static int
open_place(struct sockets *s, uint8_t index, const struct addr *at, bool shared)
{
	struct listener_config config = {
	    .at = *at, .index = index, .shared = shared, .max = RESPONDER_MAX};
	int rc = listener_open(&s->udp[index], &config);

	if (rc != 0)
		return rc;
	rc = stream_bind(listener_addr(s->udp[index]), shared);
	if (rc < 0)
		return rc;
	s->tcp[index] = rc;
	return 0;
}

static struct addr *
place_of(struct responder_config *c, uint8_t index)
{
	struct responder_family *f = index < RESPONDER_PLACES ? &c->v4 : &c->v6;
	uint8_t place = sockets_place(index);

	return f->twin && (place & RESPONDER_OTHER) ? NULL : &f->place[place];
}

/* port[0] is P1, port[1] is P2: what the first socket of either has got. */
static int
open_all(struct sockets *s, struct responder_config *c, uint16_t port[2],
    bool shared, struct addr *failed)
{
	clear(s);
	for (uint8_t i = 0; i < SOCKETS; i++) {
		struct addr *at = place_of(c, i);
		uint16_t *p = &port[i & RESPONDER_PORT2];
		int rc;

		if (at == NULL || at->family == ADDR_NONE)
			continue;
		at->port = *p;
		rc = open_place(s, i, at, shared);
		if (rc != 0) {
			*failed = *at;
			sockets_close(s);
			return rc;
		}
		at->port = *p = listener_addr(s->udp[i])->port;
	}
	return 0;
}

static void
wanted_ports(struct responder_config *c, uint16_t port[2])
{
	for (uint8_t i = 0; i < SOCKETS; i++) {
		const struct addr *at = place_of(c, i);

		if (at != NULL && at->family != ADDR_NONE)
			port[i & RESPONDER_PORT2] = at->port;
	}
}

int
sockets_open(struct sockets *s, struct responder_config *config, bool shared,
    struct addr *failed)
{
	uint16_t wanted[2] = {0}, port[2];
	int rc, tries = 0;

	wanted_ports(config, wanted);
	do {
		port[0] = wanted[0];
		port[1] = wanted[1];
		rc = open_all(s, config, port, shared, failed);
	} while (rc == -EADDRINUSE && (wanted[0] == 0 || wanted[1] == 0) &&
		 ++tries < ATTEMPTS);
	return rc;
}

#define TWIN_TYPE(method)                                                      \
	(((method)&0xfu) | ((method)&0x70u) << 1 | ((method)&0xf80u) << 2)
#define TWIN_PART 7	  /* instructions that only datagrams want */
#define NOT_CLASS 0xfeefu /* the bits of a type that are not of its class */

/* The filter sees the payload (of a SYN: nothing), and through SKF_NET_OFF the
 * address that it came from. */
static int
steer(int fd, int family, bool udp, unsigned int n)
{
	uint32_t at = (uint32_t)SKF_NET_OFF + (family == ADDR_V4 ? 12 : 8);
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
	    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 2, 0, 4),
	    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
	    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, NOT_CLASS),
	    BPF_JUMP(
		BPF_JMP | BPF_JEQ | BPF_K, TWIN_TYPE(NATKIT_TWIN_HELLO), 1, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TWIN_TYPE(NATKIT_TWIN), 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, 0),
	    /* the address, or both parts of the /48 */
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at + 4),
	    BPF_STMT(
		BPF_ALU | BPF_AND | BPF_K, family == ADDR_V4 ? 0 : 0xffff0000u),
	    BPF_STMT(BPF_MISC | BPF_TAX, 0),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
	    BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
	    BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 0x9e3779b1u),
	    BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
	    BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n),
	    BPF_STMT(BPF_RET | BPF_A, 0),
	};
	unsigned int skip = udp ? 0 : TWIN_PART;
	struct sock_fprog program = {
	    .len = (unsigned short)(sizeof(code) / sizeof(code[0]) - skip),
	    .filter = code + skip};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
		   sizeof(program)) == -1
		   ? -errno
		   : 0;
}

int
sockets_steer(const struct sockets *s, unsigned int n)
{
	for (uint8_t i = 0; i < SOCKETS; i++) {
		int rc, family;

		if (s->udp[i] == NULL)
			continue;
		family = listener_addr(s->udp[i])->family;
		rc = steer(listener_fd(s->udp[i]), family, true, n);
		if (rc == 0)
			rc = steer(s->tcp[i], family, false, n);
		if (rc != 0)
			return rc;
	}
	return 0;
}
