/* SPDX-License-Identifier: ISC */
/* small-dns NAME: a DNS server (RFC 1035) at 127.0.0.1 port 53 that knows one
 * name, with 127.0.0.1 and ::1, and has never heard of any other. Prints a
 * line when it is ready. For tests, in a network namespace of their own. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define HEADER_LEN 12
#define TYPE_A 1
#define TYPE_AAAA 28
#define NAME_ERROR 3

/* The question's name in dots; returns the length of the question, or 0. */
static size_t
question(const uint8_t *data, size_t len, char name[256])
{
	size_t at = HEADER_LEN, out = 0;

	while (at < len && data[at] != 0) {
		size_t label = data[at++];

		if (label > 63 || at + label >= len || out + label + 2 > 256)
			return 0;
		memcpy(name + out, data + at, label);
		out += label;
		name[out++] = '.';
		at += label;
	}
	if (out == 0 || at + 5 > len)
		return 0;
	name[out - 1] = '\0';
	return at + 5 - HEADER_LEN;
}

static size_t
answer(uint8_t *out, const uint8_t *in, size_t len, const char *known)
{
	static const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
	char name[256];
	size_t q = len >= HEADER_LEN ? question(in, len, name) : 0;
	size_t at = HEADER_LEN + q, ip_len = 0;
	bool right = false;
	int type = 0;

	if (q == 0)
		return 0;
	right = strcasecmp(name, known) == 0;
	type = in[at - 4] << 8 | in[at - 3];
	if (right && type == TYPE_A)
		ip_len = sizeof(v4);
	else if (right && type == TYPE_AAAA)
		ip_len = sizeof(v6);
	memset(out, 0, HEADER_LEN);
	memcpy(out, in, 2);
	out[2] = 0x84 | (in[2] & 1); /* an answer, authoritative */
	out[3] = 0x80 | (right ? 0 : NAME_ERROR);
	out[5] = 1;
	out[7] = ip_len > 0;
	memcpy(out + HEADER_LEN, in + HEADER_LEN, q);
	if (ip_len == 0)
		return at;
	/* a pointer to the question, type, class, 60 s, the address */
	memcpy(out + at,
	    (const uint8_t[]){0xc0, HEADER_LEN, 0, (uint8_t)type, 0, 1, 0, 0, 0,
		60, 0, (uint8_t)ip_len},
	    12);
	memcpy(out + at + 12, ip_len == sizeof(v4) ? v4 : v6, ip_len);
	return at + 12 + ip_len;
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(53)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint8_t in[512], out[1024];

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (argc != 2)
		return 100;
	if (fd == -1 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1) {
		perror("small-dns: port 53");
		return 111;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct sockaddr_in peer;
		socklen_t peer_len = sizeof(peer);
		ssize_t n = recvfrom(
		    fd, in, sizeof(in), 0, (struct sockaddr *)&peer, &peer_len);
		size_t len = n > 0 ? answer(out, in, (size_t)n, argv[1]) : 0;

		if (len > 0 && sendto(fd, out, len, 0, (struct sockaddr *)&peer,
				   peer_len) == -1)
			perror("small-dns: sendto");
	}
}
