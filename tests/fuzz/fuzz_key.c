/* SPDX-License-Identifier: ISC */
/* The two texts that hold a key: what parses formats to the text it came
 * from, and is never a low-order point; what is completed is complete. */
#include "key.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static void
public_key(const char *text)
{
	uint8_t key[KEY_LEN];
	char back[KEY_STRLEN];

	if (key_parse_public(key, text) != 0)
		return;
	check(!key_is_low_order(key));
	check(strcmp(text, key_format(key, back)) == 0);
}

static void
server(char *text, size_t len)
{
	uint8_t key[KEY_LEN];
	char *host, *port, *copy = strdup(text), back[KEY_STRLEN];

	check(copy != NULL);
	if (key_parse_server(text, key, &host, &port) == 0) {
		check(!key_is_low_order(key));
		check(memcmp(copy, key_format(key, back), 44) == 0);
		check(host > text && host + strlen(host) < port);
		check(port + strlen(port) == text + len);
		check(strpbrk(host, " \t\r\n@[]/") == NULL && *host != '\0');
		check(atoi(port) >= 1 && atoi(port) <= 65535);
	} else {
		check(memcmp(copy, text, len) == 0);
	}
	free(copy);
}

static void
completed(const char *text)
{
	char out[KEY_SERVER_STRLEN], again[KEY_SERVER_STRLEN];

	if (key_complete_server(out, text) != 0)
		return;
	check(strncmp(text, out, strlen(text)) == 0);
	check(key_complete_server(again, out) == 0);
	check(strcmp(again, out) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);

	check(text != NULL);
	memcpy(text, data, len);
	text[len] = '\0';
	public_key(text);
	completed(text);
	server(text, strlen(text));
	free(text);
	return 0;
}
