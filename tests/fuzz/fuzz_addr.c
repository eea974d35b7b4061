/* SPDX-License-Identifier: ISC */
/* Endpoints from any text: what is taken has one spelling, which reads back to
 * the same address, and survives a sockaddr. */
#include "addr.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
same_again(const struct addr *a)
{
	char text[ADDR_STRLEN], again[ADDR_STRLEN];
	struct sockaddr_storage ss;
	struct addr b;

	require(a->family == ADDR_V4 || a->family == ADDR_V6);
	require(addr_parse(&b, addr_format(a, text)) == 0);
	require(addr_equal(a, &b) && memcmp(a->ip, b.ip, 16) == 0);
	require(strcmp(text, addr_format(&b, again)) == 0);
	/* a record's value may hold this text as it is */
	require(strspn(text, "0123456789abcdef.:[]") == strlen(text));
	require(addr_parse_ip(&b, addr_format_ip(a, text), a->port) == 0);
	require(addr_equal(a, &b));
	require(addr_to_sockaddr(a, &ss) > 0);
	require(addr_from_sockaddr(&b, (const struct sockaddr *)&ss) == 0);
	require(addr_equal(a, &b));
	if (addr_is_sendable(a))
		require(!addr_is_any(a) && !addr_is_multicast(a));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct addr a;

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (addr_parse(&a, text) == 0)
		same_again(&a);
	if (addr_parse_ip(&a, text, 51820) == 0)
		same_again(&a);
	free(text);
	return 0;
}
