/* SPDX-License-Identifier: ISC */
/* The self-test of the raw sockets: one datagram over the loopback, to a port
 * of its own, so that the daemon sees nothing of it. */
#include "probe.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "stun.h"

#define SELF_TEST_MS 1000
#define PROBE_READS 32

/* What one self-test needs. */
struct probe {
	int udp_fd;
	struct addr to; /* udp_fd's, on the loopback */
	uint8_t msg[64];
	size_t len;
	bool udp_seen, raw_seen;
};

static int
probe_open(struct probe *p, int family)
{
	int r;

	memset(p, 0, sizeof(*p));
	p->udp_fd = udp_bind(family, 0, 0);
	if (p->udp_fd < 0)
		return p->udp_fd;
	r = udp_port(p->udp_fd);
	if (r >= 0)
		r = addr_parse_ip(&p->to,
		    family == ADDR_V6 ? "::1" : "127.0.0.1", (uint16_t)r);
	if (r >= 0)
		r = stun_binding_indication(p->msg, sizeof(p->msg));
	if (r >= 0) {
		p->len = (size_t)r;
		return 0;
	}
	close(p->udp_fd);
	return r;
}

static bool
is_probe(const struct probe *p, const uint8_t *payload, int len)
{
	return len >= 0 && (size_t)len == p->len &&
	       memcmp(payload, p->msg, p->len) == 0;
}

/* Reads one packet of each socket, if there is one. */
static void
probe_read(struct probe *p, struct raw *r, int family)
{
	uint8_t buf[RAW_BUF_LEN];
	const uint8_t *payload = buf;
	struct udp_info info;
	struct raw view = *r;
	int n = udp_recv(p->udp_fd, buf, sizeof(buf), &info);

	if (is_probe(p, buf, n) && info.remote.port == r->port)
		p->udp_seen = true;
	view.port = p->to.port; /* the test's packet goes there */
	n = raw_recv(&view, family, buf, &payload, &info);
	if (is_probe(p, payload, n) && info.remote.port == r->port)
		p->raw_seen = true;
}

static int
probe_wait(struct probe *p, struct raw *r, int family, const char **what)
{
	int i;
	struct pollfd fds[2] = {
	    {.fd = p->udp_fd, .events = POLLIN},
	    {.fd = r->fd[family == ADDR_V6], .events = POLLIN},
	};

	/* a few strangers may write to the port, no stream of them */
	for (i = 0; i < PROBE_READS && !(p->udp_seen && p->raw_seen); i++) {
		if (poll(fds, 2, SELF_TEST_MS) <= 0)
			break;
		probe_read(p, r, family);
	}
	*what = "a datagram sent raw over the loopback did not arrive";
	if (!p->udp_seen)
		return -ETIMEDOUT;
	*what = "the raw socket does not see what comes in";
	return p->raw_seen ? 0 : -ETIMEDOUT;
}

int
probe_run(struct raw *r, int family, const char **what)
{
	struct addr any = {.family = ADDR_NONE};
	struct probe p;
	int err;

	*what = "can't bind a socket for the self-test";
	err = probe_open(&p, family);
	if (err < 0)
		return err;
	*what = "can't attach the packet filter";
	err = raw_filter(r, family, p.to.port, false);
	*what = "can't send raw over the loopback";
	if (err == 0)
		err = raw_send(r, &p.to, &any, 0, p.msg, p.len);
	if (err == 0)
		err = probe_wait(&p, r, family, what);
	close(p.udp_fd);
	return err;
}
