/* SPDX-License-Identifier: ISC */
/* Datagrams that leave the socket as one (UDP_SEGMENT, udp(7)), numbered.
 * usage: udp-burst ADDRESS PORT SIZE COUNT */
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "addr.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

int
main(int argc, char **argv)
{
	static char data[64000];
	struct addr to;
	struct sockaddr_storage at;
	socklen_t len;
	int size, count, fd;
	size_t total;

	if (argc != 5 || addr_parse_ip(&to, argv[1], (uint16_t)atoi(argv[2])))
		return 100;
	size = atoi(argv[3]);
	count = atoi(argv[4]);
	if (size < 8 || count < 1 || size * count > (int)sizeof(data))
		return 100;
	for (int i = 0; i < count; i++) {
		memset(data + i * size, '.', (size_t)size);
		snprintf(data + i * size, 8, "%05u\n", (unsigned)i % 100000);
		data[i * size + 6] = '.';
		data[(i + 1) * size - 1] = '\n';
	}
	total = (size_t)size * (size_t)count;
	len = addr_to_sockaddr(&to, &at);
	fd = socket(at.ss_family, SOCK_DGRAM, 0);
	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)) ==
		-1 ||
	    sendto(fd, data, total, 0, (struct sockaddr *)&at, len) == -1) {
		perror("udp-burst");
		return 111;
	}
	return 0;
}
