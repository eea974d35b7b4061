/* SPDX-License-Identifier: ISC */
/* record_parse on any bytes. What parses is written again, and what is written
 * parses to the same; the getters take whatever the values are. */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static int
null_fd(void)
{
	static int fd = -1;

	if (fd == -1)
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	return fd;
}

static void
again(const struct record_view *v)
{
	struct record_view w;
	struct record r;
	size_t i;
	int rc;

	record_begin(&r, v->type);
	for (i = 0; i < v->n; i++)
		record_put(&r, v->key[i], v->value[i]);
	check(!r.overflow && r.len == strlen(r.text) && r.len < RECORD_MAX);
	check(record_parse(&w, r.text, r.len) == 0);
	check(record_is(&w, v->type) && w.n == v->n);
	for (i = 0; i < v->n; i++) {
		check(strcmp(w.key[i], v->key[i]) == 0);
		check(strcmp(w.value[i], v->value[i]) == 0);
	}
	check(record_write(&r, null_fd(), false) == 0);
	rc = record_write(&r, null_fd(), true);
	check(rc == 0 || rc == -EMSGSIZE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct record_view v;
	struct addr a;
	uint8_t key[KEY_LEN];
	uint64_t n;
	size_t i;
	char *line;

	/* a copy of exactly this size, so that a read past it is seen */
	line = malloc(len + 1);
	check(line != NULL);
	memcpy(line, data, len);
	line = realloc(line, len > 0 ? len : 1);
	if (record_parse(&v, line, len) != 0) {
		check(v.n == 0 && v.type[0] == '\0');
	} else {
		again(&v);
		for (i = 0; i < v.n; i++) {
			record_get_u64(&v, v.key[i], &n);
			record_get_addr(&v, v.key[i], &a);
			record_get_key(&v, v.key[i], key);
		}
	}
	free(line);
	return 0;
}
