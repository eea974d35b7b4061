/* SPDX-License-Identifier: ISC */
/* A calendar of equal slots of time, each for one question. */
#include "slots.h"

#include <stdbool.h>

static bool
is_free(const struct slots *s, size_t at)
{
	return at < SLOTS_MAX && (s->busy[at / 8] & 1u << at % 8) == 0;
}

static bool
all_free(const struct slots *s, size_t at, const size_t offset[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_free(s, at + offset[i]))
			return false;
	return true;
}

size_t
slots_take(struct slots *s, size_t from, const size_t offset[], size_t n)
{
	for (size_t at = from; at < SLOTS_MAX; at++) {
		if (!all_free(s, at, offset, n))
			continue;
		for (size_t i = 0; i < n; i++)
			s->busy[(at + offset[i]) / 8] |=
			    (uint8_t)(1u << (at + offset[i]) % 8);
		return at;
	}
	return SIZE_MAX;
}
