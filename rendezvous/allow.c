/* SPDX-License-Identifier: ISC */
/* The allow file: which keys may register. */
#include "allow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (64u << 20) /* bytes: over a million keys */

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, KEY_LEN);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Returns 1 and the key, 0 for a line without one, -EBADMSG or -EINVAL. */
static int
parse_line(uint8_t out[KEY_LEN], const char *p, const char *end)
{
	const char *comment = memchr(p, '#', (size_t)(end - p));
	char text[KEY_STRLEN];
	int rc;

	if (comment != NULL)
		end = comment;
	while (p < end && is_blank(*p))
		p++;
	while (p < end && is_blank(end[-1]))
		end--;
	if (p == end)
		return 0;
	if (end - p != KEY_STRLEN - 1)
		return -EBADMSG;
	memcpy(text, p, KEY_STRLEN - 1);
	text[KEY_STRLEN - 1] = '\0';
	rc = key_parse_public(out, text);
	return rc < 0 ? rc : 1;
}

static size_t
count_lines(const char *text, size_t len)
{
	const char *p = text, *end = text + len;
	size_t n = 1;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		n++;
		p++;
	}
	return n;
}

int
allow_parse(struct allow *a, const char *text, size_t len, size_t *line,
    const char **why)
{
	uint8_t(*keys)[KEY_LEN];
	const char *p = text, *end = text + len;
	size_t n = 0;

	*line = 0;
	*why = "out of memory";
	keys = calloc(count_lines(text, len), sizeof(*keys));
	if (keys == NULL)
		return -ENOMEM;
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *stop = nl == NULL ? end : nl;
		int rc = parse_line(keys[n], p, stop);

		++*line;
		if (rc < 0) {
			*why = rc == -EINVAL ? "a key that nobody can own"
					     : "not a key";
			free(keys);
			return -EBADMSG;
		}
		n += (size_t)rc;
		p = nl == NULL ? end : nl + 1;
	}
	qsort(keys, n, sizeof(*keys), compare);
	allow_free(a);
	a->keys = keys;
	a->n = n;
	return 0;
}

/* The whole of a regular file. Returns 0 or -errno. */
static int
read_file(const char *path, char **out, size_t *out_len)
{
	int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t len = 0;
	char *buf = NULL;

	*out = NULL;
	*out_len = 0;
	if (fd == -1)
		return -errno;
	if (fstat(fd, &st) == -1)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EINVAL;
	else if (st.st_size > (off_t)FILE_MAX)
		rc = -EFBIG;
	else if ((buf = malloc((size_t)st.st_size + 1)) == NULL)
		rc = -ENOMEM;
	while (rc == 0 && len < (size_t)st.st_size) {
		ssize_t got = read(fd, buf + len, (size_t)st.st_size - len);

		if (got == 0)
			break;
		if (got > 0)
			len += (size_t)got;
		else if (errno != EINTR)
			rc = -errno;
	}
	close(fd);
	if (rc < 0) {
		free(buf);
		return rc;
	}
	*out = buf;
	*out_len = len;
	return 0;
}

int
allow_load(struct allow *a, const char *path, char error[ALLOW_ERRLEN])
{
	const char *why;
	char *text;
	size_t len, line;
	int rc = read_file(path, &text, &len);

	if (rc < 0) {
		snprintf(error, ALLOW_ERRLEN, "%.80s: %s", path,
		    rc == -EINVAL ? "not a regular file" : strerror(-rc));
		return rc;
	}
	rc = allow_parse(a, text, len, &line, &why);
	if (rc < 0)
		snprintf(error, ALLOW_ERRLEN, "%.70s:%zu: %s", path, line, why);
	free(text);
	return rc;
}

void
allow_free(struct allow *a)
{
	free(a->keys);
	a->keys = NULL;
	a->n = 0;
}

bool
allow_has(const struct allow *a, const uint8_t key[KEY_LEN])
{
	return a->keys == NULL ||
	       bsearch(key, a->keys, a->n, sizeof(*a->keys), compare) != NULL;
}
