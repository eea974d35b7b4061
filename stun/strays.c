/* SPDX-License-Identifier: ISC */
/* Packets that Linux takes for forged: /proc/net/stat/rt_cache counts them for
 * the whole machine, /proc/net/snmp what a network namespace got and did not
 * deliver. */
#include "strays.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 64
#define TEXT 65536 /* a line of 300 bytes a processor */

/* The index of a word in a line of words, or -1. */
static int
column(const char *line, const char *name)
{
	size_t want = strlen(name);

	for (int i = 0; i < COLUMNS; i++) {
		size_t len = 0;

		line += strspn(line, " ");
		len = strcspn(line, " \n");
		if (len == 0)
			return -1;
		if (len == want && memcmp(line, name, len) == 0)
			return i;
		line += len;
	}
	return -1;
}

static int
number(uint64_t *out, const char *line, int index, int base)
{
	char *end = NULL;

	for (int i = 0; i < index; i++) {
		line += strspn(line, " ");
		line += strcspn(line, " \n");
	}
	line += strspn(line, " ");
	*out = strtoull(line, &end, base);
	return end == line ? -ENOENT : 0;
}

static const char *
next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end != NULL ? end + 1 : line + strlen(line);
}

/* A line of names, then a line of hexadecimal numbers a processor. */
int
strays_martian(uint64_t *out, const char *text)
{
	int index = column(text, "in_martian_src");
	uint64_t sum = 0, one = 0;

	if (index < 0)
		return -ENOENT;
	for (text = next_line(text); *text != '\0'; text = next_line(text)) {
		if (number(&one, text, index, 16) != 0)
			return -ENOENT;
		sum += one;
	}
	*out = sum;
	return 0;
}

/* "Ip: Forwarding ...", then "Ip: 1 64 ...". */
int
strays_undelivered(int64_t *out, const char *text)
{
	static const char *const names[] = {
	    "InReceives", "InDelivers", "ForwDatagrams", "InDiscards"};
	const char *values = next_line(text);
	uint64_t v[4] = {0};

	if (strncmp(text, "Ip: ", 4) != 0 || strncmp(values, "Ip: ", 4) != 0)
		return -ENOENT;
	for (int i = 0; i < 4; i++) {
		int index = column(text, names[i]);

		if (index < 0 || number(&v[i], values, index, 10) != 0)
			return -ENOENT;
	}
	*out = (int64_t)(v[0] - v[1] - v[2] - v[3]);
	return 0;
}

static char *
slurp(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t n = 0;

	if (f == NULL)
		return NULL;
	if ((text = malloc(TEXT)) != NULL) {
		n = fread(text, 1, TEXT - 1, f);
		text[n] = '\0';
	}
	fclose(f);
	return text;
}

int
strays_read(struct strays *out)
{
	char *a = slurp("/proc/net/stat/rt_cache");
	char *b = slurp("/proc/net/snmp");
	int err = a == NULL || b == NULL ? -ENOENT : 0;

	if (err == 0)
		err = strays_martian(&out->martian, a);
	if (err == 0)
		err = strays_undelivered(&out->undelivered, b);
	free(a);
	free(b);
	return err;
}

uint64_t
strays_between(const struct strays *a, const struct strays *b)
{
	uint64_t martian = b->martian - a->martian;
	int64_t rest = b->undelivered - a->undelivered;

	if (b->martian < a->martian || rest <= 0)
		return 0;
	return martian < (uint64_t)rest ? martian : (uint64_t)rest;
}
