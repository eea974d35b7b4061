/* SPDX-License-Identifier: ISC */
/* Any text as host:port: what is taken ends in its buffer, has a port, and
 * nothing in it that a resolver or a terminal would trip over. */
#include "resolve.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char host[RESOLVE_HOST], *text = calloc(1, len + 1);
	uint16_t port = 0;

	if (text == NULL)
		return 0;
	memcpy(text, data, len);
	memset(host, 'x', sizeof(host));
	if (resolve_parse(text, 3478, host, &port) == 0) {
		if (port == 0 || memchr(host, '\0', sizeof(host)) == NULL ||
		    host[0] == '\0')
			abort();
		for (const char *s = host; *s != '\0'; s++)
			if (*s <= ' ' || *s > '~')
				abort();
	}
	free(text);
	return 0;
}
