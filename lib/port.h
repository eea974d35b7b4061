/* SPDX-License-Identifier: ISC */
/* The port socket: how nat-port lends a daemon's UDP port to other programs.
 *
 * A SOCK_SEQPACKET Unix socket; every packet is a 48-byte header and, for
 * PORT_DATAGRAM, the UDP payload. All numbers are big endian.
 *
 *   0                   1                   2                   3
 *  |  op           |  TTL          |  error        |  zero         |
 *  |  remote family|  local family |  remote port                  |
 *  |  local port                   |  zero                         |
 *  |  remote address (128), IPv4 in the first 4 bytes              |
 *  |  local address (128)                                          |
 *  |  zero (32)                                                    |
 *
 * On connecting a client gets one PORT_HELLO: local holds the lent port (any
 * address), remote family tells the families that work (0 both, 4, 6).
 * A client sends PORT_DATAGRAM: remote is where to; TTL 0 is the system's
 * default; local family 0 lets routing pick the source, otherwise the local
 * address is the source. It receives every STUN datagram that reaches the
 * port: remote is where from, local the address it came to, TTL as received.
 * PORT_ERROR answers a send that failed: remote is where to, error an
 * enum port_error. */
#ifndef NATKIT_PORT_H
#define NATKIT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define PORT_HEADER_LEN 48
#define PORT_MAX_PAYLOAD 2048
#define PORT_MAX (PORT_HEADER_LEN + PORT_MAX_PAYLOAD)
#define PORT_LOW_TTL 2 /* leaves our NAT, ends before the peer's */

enum port_op {
	PORT_HELLO = 1,
	PORT_DATAGRAM = 2,
	PORT_ERROR = 3,
};

enum port_error {
	PORT_E_NONE = 0,
	PORT_E_UNREACHABLE = 1, /* no route, or the family is not there */
	PORT_E_DENIED = 2,	/* a firewall or policy on this host */
	PORT_E_INVALID = 3,	/* not STUN, too long, bad address */
	PORT_E_OTHER = 4,
};

struct port_msg {
	uint8_t op; /* enum port_op */
	uint8_t ttl;
	uint8_t error; /* enum port_error */
	struct addr remote;
	struct addr local;
	const uint8_t *payload;
	size_t len;
};

/* Returns the header length (PORT_HEADER_LEN); the payload is not copied. */
size_t port_encode(const struct port_msg *m, uint8_t out[PORT_HEADER_LEN]);
/* payload points into data. Returns 0 or -EBADMSG. */
int port_decode(struct port_msg *out, const uint8_t *data, size_t len);
const char *port_error_name(int error); /* "unreachable", "denied", ... */

/* The client's end, which is either a port socket (-s path) or UDP sockets of
 * its own (-p port), with one set of calls. Never blocks. */
struct port;

/* Waits at most 2 s for PORT_HELLO. Returns 0, -errno, -ETIMEDOUT. */
int port_connect(struct port **out, const char *path);
/* Binds port (0: any) on every address of both families where they exist. */
int port_bind(struct port **out, uint16_t port);
void port_free(struct port *p);

uint16_t port_number(const struct port *p);		/* the local UDP port */
bool port_has_family(const struct port *p, int family); /* 4 or 6 */
/* Descriptors to watch for reading: fills up to 2, returns how many. */
int port_fds(const struct port *p, int fds[2]);

/* ttl 0 is the default; local may be NULL (routing picks). Only STUN-framed
 * payloads pass. Returns 0 or -errno; a full socket is -EAGAIN and the
 * datagram is lost, as on any network. */
int port_send(struct port *p, const struct addr *remote,
    const struct addr *local, int ttl, const void *payload, size_t len);
/* One message (PORT_DATAGRAM or PORT_ERROR) into buf of PORT_MAX bytes.
 * Returns 1, 0 when there is none now, -EPIPE when nat-port is gone. Malformed
 * packets are skipped. */
int port_recv(struct port *p, struct port_msg *out, uint8_t buf[PORT_MAX]);

/* The source address that the system's routing picks for a destination, with
 * fwmark (0 none); port of *out is not set. Returns 0 or -errno. */
int port_source(struct addr *out, const struct addr *remote, uint32_t fwmark);
/* The same by a UDP socket of the right family that the caller keeps for it
 * (setting a mark needs a capability that it may have dropped since). */
int port_source_with(int fd, struct addr *out, const struct addr *remote);

#endif
