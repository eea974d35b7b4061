/* SPDX-License-Identifier: ISC */
/* What a wire does to frames besides carrying them, as words. Values are
 * decimal fractions, held as whole numbers of the last decimal place. */
#include "impairment.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define QUEUE_MS 200

static const struct key {
	const char *name;
	size_t offset;
	int decimals;
	uint64_t max; /* in units of the last decimal */
	const char *range;
} keys[] = {
    {"delay_ms", offsetof(struct impairment, delay_us), 3, 60000000,
	"milliseconds up to 60000, with 3 decimals at most"},
    {"jitter_ms", offsetof(struct impairment, jitter_us), 3, 60000000,
	"milliseconds up to 60000, with 3 decimals at most"},
    {"loss", offsetof(struct impairment, loss), 4, IMPAIRMENT_ALL,
	"per cent up to 100, with 4 decimals at most"},
    {"rate_kbit", offsetof(struct impairment, rate_kbit), 0, 100000000,
	"kbit/s up to 100000000; 0 is no limit"},
    {"reorder", offsetof(struct impairment, reorder), 4, IMPAIRMENT_ALL,
	"per cent up to 100, with 4 decimals at most"},
    {"duplicate", offsetof(struct impairment, duplicate), 4, IMPAIRMENT_ALL,
	"per cent up to 100, with 4 decimals at most"},
    {"seed", offsetof(struct impairment, seed), 0, UINT32_MAX,
	"a number up to 4294967295"},
    {"queue_ms", offsetof(struct impairment, queue_ms), 0, 60000,
	"milliseconds up to 60000"},
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

void
impairment_init(struct impairment *i, uint32_t seed)
{
	*i = (struct impairment){.seed = seed, .queue_ms = QUEUE_MS};
}

static const struct key *
key_find(const char *word)
{
	size_t len = strcspn(word, "=");

	for (size_t k = 0; k < KEYS; k++)
		if (strlen(keys[k].name) == len &&
		    memcmp(keys[k].name, word, len) == 0)
			return &keys[k];
	return NULL;
}

/* "12.5" with 3 decimals is 12500. No sign, no blank, digits on both sides of
 * the point. */
static int
fraction_parse(uint64_t *out, const char *text, int decimals, uint64_t max)
{
	uint64_t v = 0;
	int places = -1; /* digits after the point; -1 before it */
	size_t i;

	for (i = 0; text[i] != '\0'; i++) {
		if (text[i] == '.' && places == -1 && i > 0 && decimals > 0) {
			places = 0;
			continue;
		}
		if (text[i] < '0' || text[i] > '9')
			return -EBADMSG;
		if (places != -1 && ++places > decimals)
			return -EBADMSG;
		if (v <= max)
			v = v * 10 + (uint64_t)(text[i] - '0');
	}
	if (i == 0 || places == 0)
		return -EBADMSG;
	for (places = places == -1 ? 0 : places; places < decimals; places++)
		if (v <= max)
			v *= 10;
	if (v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

int
impairment_set(struct impairment *i, const char *word)
{
	const struct key *k = key_find(word);
	uint64_t v;
	int rc;

	if (k == NULL)
		return -ENOENT;
	word += strlen(k->name);
	if (*word != '=')
		return -EBADMSG;
	rc = fraction_parse(&v, word + 1, k->decimals, k->max);
	if (rc == 0)
		memcpy((char *)i + k->offset, &v, sizeof(v));
	return rc;
}

/* 12500 with 3 decimals is "12.5". */
static void
put_fraction(struct record *r, const char *name, uint64_t v, int decimals)
{
	char text[32], *p = text + sizeof(text);
	int left = decimals;

	for (*--p = '\0'; left > 0 && v % 10 == 0; left--)
		v /= 10; /* no zeros at the end */
	for (; left > 0; left--, v /= 10) {
		*--p = (char)('0' + v % 10);
		if (left == 1)
			*--p = '.';
	}
	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	record_put(r, name, p);
}

void
impairment_put(const struct impairment *i, struct record *r)
{
	for (size_t k = 0; k < KEYS; k++) {
		uint64_t v;

		memcpy(&v, (const char *)i + keys[k].offset, sizeof(v));
		put_fraction(r, keys[k].name, v, keys[k].decimals);
	}
}

const char *
impairment_range(const char *word)
{
	const struct key *k = key_find(word);

	return k != NULL ? k->range : NULL;
}
