/* SPDX-License-Identifier: ISC */
/* Files that a person edits. */
#include "textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secretfile.h"

static int
check_owner(int fd, const char **why)
{
	struct stat st;

	*why = "cannot be read";
	if (fstat(fd, &st) == -1)
		return -errno;
	if (S_ISCHR(st.st_mode))
		return 0;
	*why = "it belongs to another user, who may write it";
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return -EPERM;
	*why = "group or others may write it: chmod go-w";
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return -EPERM;
	return 0;
}

int
textfile_load(const char *path, char **text, size_t *len, const char **why)
{
	char *buf = NULL, *fit;
	ssize_t n;
	int fd, rc;

	*why = "cannot be opened";
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd == -1)
		return -errno;
	rc = check_owner(fd, why);
	if (rc != 0)
		goto out;
	*why = "out of memory";
	rc = -ENOMEM;
	buf = malloc(TEXTFILE_MAX + 1);
	if (buf == NULL)
		goto out;
	n = secretfile_read(fd, buf, TEXTFILE_MAX + 1);
	rc = n < 0 ? (int)n : n > TEXTFILE_MAX ? -EFBIG : 0;
	*why = rc == -EFBIG ? "it is larger than 1 MiB" : "cannot be read";
	if (rc != 0)
		goto out;
	*len = (size_t)n;
	fit = realloc(buf, *len + 1);
	*text = fit != NULL ? fit : buf;
	buf = NULL;
out:
	free(buf);
	close(fd);
	return rc;
}

/* Blanks, and the CR of a CRLF. */
#define BLANKS " \t\r"

static bool
has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return true;
	return false;
}

static int
parse_line(char *s, textfile_fn *fn, void *arg, const char **why)
{
	char *word[TEXTFILE_WORDS];
	size_t n = 0;

	for (;;) {
		s += strspn(s, BLANKS);
		if (*s == '\0' || *s == '#')
			break;
		*why = "too many words";
		if (n == TEXTFILE_WORDS)
			return -EBADMSG;
		word[n++] = s;
		s += strcspn(s, BLANKS);
		if (*s != '\0')
			*s++ = '\0';
		*why = "a control character";
		if (has_control(word[n - 1]))
			return -EBADMSG;
	}
	*why = "cannot be read"; /* for a fn that fails and doesn't say why */
	return n == 0 ? 0 : fn(arg, word, n, why);
}

int
textfile_parse(const char *text, size_t len, textfile_fn *fn, void *arg,
    unsigned *line, const char **why)
{
	const char *end = text + len, *nl;
	char buf[TEXTFILE_LINE + 1];
	size_t n;
	int rc;

	for (*line = 1; text < end; text += n + 1, ++*line) {
		nl = memchr(text, '\n', (size_t)(end - text));
		n = (size_t)((nl != NULL ? nl : end) - text);
		*why = "the line is too long";
		if (n > TEXTFILE_LINE)
			return -EBADMSG;
		*why = "a NUL in it";
		if (memchr(text, '\0', n) != NULL)
			return -EBADMSG;
		memcpy(buf, text, n);
		buf[n] = '\0';
		rc = parse_line(buf, fn, arg, why);
		if (rc != 0)
			return rc;
		if (nl == NULL)
			break;
	}
	return 0;
}

const char *
textfile_blame(const char *word, const char *why)
{
	static char text[300];
	/* why may be what an earlier call has made */
	char both[sizeof(text)];

	snprintf(both, sizeof(both), "%.120s: %s", word, why);
	memcpy(text, both, sizeof(text));
	return text;
}
