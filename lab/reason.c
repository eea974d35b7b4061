/* SPDX-License-Identifier: ISC */
/* Why a packet ended where it did, in one word of RFC 4787. */
#include "reason.h"

#include <stdio.h>
#include <string.h>

static const char *const words[] = {"filtering", "no-mapping", "hairpin",
    "collision", "firewall", "blocked", "fragment", "input", "changing", "loss",
    "ttl"};

static size_t
word_len(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyz-");
}

/* The first word of ours in a comment, as in "drop filtering". */
static const char *
from_comment(const char *s)
{
	while (*s != '\0') {
		size_t len = word_len(s);

		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (strlen(words[i]) == len &&
			    strncmp(s, words[i], len) == 0)
				return words[i];
		s += len > 0 ? len : 1;
	}
	return NULL;
}

static const char *
at_the_box(const struct reason_facts *f)
{
	if (f->hairpin)
		return "hairpin";
	return f->mapped ? "filtering" : "no-mapping";
}

void
reason_find(const struct reason_facts *f, char out[REASON_LEN])
{
	const char *word = NULL;

	switch (f->end) {
	case TRACED_VANISHED:
		word = f->ttl <= 1  ? "ttl"
		       : f->too_big ? "too-big"
				    : "not-routed";
		break;
	case TRACED_UNWANTED:
		word = f->public ? at_the_box(f) : "no-socket";
		break;
	default:
		if (f->comment != NULL)
			word = from_comment(f->comment);
		if (word == NULL && f->public)
			word = at_the_box(f);
		if (word == NULL)
			word = "firewall";
		break;
	}
	snprintf(out, REASON_LEN, "%s", word);
}
