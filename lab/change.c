/* SPDX-License-Identifier: ISC */
/* The words that change a wire, for one of its directions or for both. */
#include "change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "line.h"

static const char direction[] = "direction=";

static int
refuse(char why[CHANGE_WHY], const char *word, const char *text)
{
	snprintf(why, CHANGE_WHY, "%.40s: %s", word, text);
	return -EBADMSG;
}

static int
direction_set(const struct change *c, const char *word, unsigned *mask,
    char why[CHANGE_WHY])
{
	const char *name = word + strlen(direction);

	if (strcmp(name, "both") == 0)
		*mask = 3;
	else if (strcmp(name, c->from[0]) == 0)
		*mask = 1;
	else if (strcmp(name, c->from[1]) == 0)
		*mask = 2;
	else {
		snprintf(why, CHANGE_WHY, "%.40s: give %s, %s or both", word,
		    c->from[0], c->from[1]);
		return -EBADMSG;
	}
	return 0;
}

static int
word_set(
    struct change *c, const char *word, unsigned mask, char why[CHANGE_WHY])
{
	const char *range = impairment_range(word);
	int rc = 0;

	if (range == NULL)
		return refuse(why, word,
		    "give delay_ms=, jitter_ms=, loss=, rate_kbit=, reorder=, "
		    "duplicate=, seed=, queue_ms= or direction=");
	for (int i = 0; i < 2; i++)
		if ((mask & 1u << i) != 0 && rc == 0)
			rc = impairment_set(&c->is[i], word);
	return rc == 0 ? 0 : refuse(why, word, range);
}

int
change_words(
    struct change *c, const char *const words[], size_t n, char why[CHANGE_WHY])
{
	struct change new = *c;
	unsigned mask = 3;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		if (strncmp(words[i], direction, strlen(direction)) == 0)
			rc = direction_set(c, words[i], &mask, why);
		else
			rc = word_set(&new, words[i], mask, why);
	}
	if (rc == 0)
		*c = new;
	return rc;
}

int
change_line(struct change *c, const char *line, char why[CHANGE_WHY])
{
	char text[LINE_MAX_LEN + 1], *word, *rest = text;
	const char *words[CHANGE_WORDS + 1];
	size_t n = 1;

	size_t len = strlen(line);

	if (len >= sizeof(text))
		return refuse(why, line, "the line is too long");
	memcpy(text, line, len + 1);
	words[0] = "direction=both";
	while ((word = strsep(&rest, " \t")) != NULL) {
		if (*word == '\0')
			continue;
		if (strncmp(word, direction, strlen(direction)) != 0) {
			if (n > CHANGE_WORDS)
				return refuse(why, word, "too many words");
			words[n++] = word;
		} else if (strcmp(words[0], "direction=both") != 0)
			return refuse(why, word, "one direction= a line");
		else
			words[0] = word;
	}
	if (n == 1)
		return refuse(why, "set", "give what is to change");
	return change_words(c, words, n, why);
}
