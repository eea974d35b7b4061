/* SPDX-License-Identifier: ISC */
/* The joints of a link, found by joint and by stream id, and in lines. */
#include "seats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 16

static size_t
joint_bucket(const struct seats *s, const struct joint *j)
{
	/* Fibonacci's multiplier: malloc's addresses differ in the middle */
	uint64_t h = (uint64_t)(uintptr_t)j * 0x9e3779b97f4a7c15u;

	return (size_t)(h >> 40) & (s->buckets - 1);
}

/* The kind of a stream is in its two last bits; ids are dense. */
static size_t
id_bucket(const struct seats *s, int64_t id)
{
	return ((size_t)id >> 1 ^ (size_t)(id & 1)) & (s->buckets - 1);
}

static int
grow(struct seats *s, size_t buckets)
{
	struct seats g = *s;

	g.buckets = buckets;
	g.by_joint = calloc(buckets, sizeof(struct seat *));
	g.by_id = calloc(buckets, sizeof(struct seat *));
	if (g.by_joint == NULL || g.by_id == NULL) {
		free(g.by_joint);
		free(g.by_id);
		return -ENOMEM;
	}
	for (size_t i = 0; i < s->buckets; i++) {
		struct seat *one, *next;

		for (one = s->by_joint[i]; one != NULL; one = next) {
			size_t to = joint_bucket(&g, one->joint);

			next = one->by_joint;
			one->by_joint = g.by_joint[to];
			g.by_joint[to] = one;
		}
		for (one = s->by_id[i]; one != NULL; one = next) {
			size_t to = id_bucket(&g, one->id);

			next = one->by_id;
			one->by_id = g.by_id[to];
			g.by_id[to] = one;
		}
	}
	free(s->by_joint);
	free(s->by_id);
	s->buckets = g.buckets;
	s->by_joint = g.by_joint;
	s->by_id = g.by_id;
	return 0;
}

int
seats_init(struct seats *s)
{
	memset(s, 0, sizeof(*s));
	return grow(s, BUCKETS);
}

void
seats_clear(struct seats *s)
{
	for (size_t i = 0; i < s->buckets; i++)
		while (s->by_joint[i] != NULL)
			seats_free(s, s->by_joint[i]);
	free(s->by_joint);
	free(s->by_id);
	memset(s, 0, sizeof(*s));
}

struct seat *
seats_find(const struct seats *s, const struct joint *j)
{
	struct seat *one = s->by_joint[joint_bucket(s, j)];

	while (one != NULL && one->joint != j)
		one = one->by_joint;
	return one;
}

struct seat *
seats_find_id(const struct seats *s, int64_t id)
{
	struct seat *one = s->by_id[id_bucket(s, id)];

	while (one != NULL && one->id != id)
		one = one->by_id;
	return one;
}

struct seat *
seats_take(struct seats *s, struct joint *j)
{
	struct seat *one = seats_find(s, j), **at;

	if (one != NULL)
		return one;
	/* without memory for more buckets it goes on more slowly */
	if (s->n >= s->buckets)
		grow(s, s->buckets * 2);
	if ((one = calloc(1, sizeof(*one))) == NULL)
		return NULL;
	one->joint = j;
	one->id = -1;
	at = &s->by_joint[joint_bucket(s, j)];
	one->by_joint = *at;
	*at = one;
	s->n++;
	return one;
}

static void
unmap(struct seats *s, struct seat *one)
{
	struct seat **at = &s->by_id[id_bucket(s, one->id)];

	while (*at != one)
		at = &(*at)->by_id;
	*at = one->by_id;
	one->by_id = NULL;
	one->id = -1;
	s->mapped--;
}

void
seats_map(struct seats *s, struct seat *one, int64_t id)
{
	struct seat **at, *other;

	if (one->id == id)
		return;
	if (one->id != -1)
		unmap(s, one);
	if (id == -1)
		return;
	if ((other = seats_find_id(s, id)) != NULL)
		unmap(s, other);
	one->id = id;
	at = &s->by_id[id_bucket(s, id)];
	one->by_id = *at;
	*at = one;
	s->mapped++;
}

void
seats_free(struct seats *s, struct seat *one)
{
	struct seat **at = &s->by_joint[joint_bucket(s, one->joint)];

	seats_map(s, one, -1);
	for (int l = 0; l < SEAT_LINES; l++)
		seats_leave(s, (enum seat_line)l, one);
	while (*at != one)
		at = &(*at)->by_joint;
	*at = one->by_joint;
	s->n--;
	free(one);
}

struct seat *
seats_first(const struct seats *s, enum seat_line l)
{
	return s->line[l].first;
}

bool
seats_stands(const struct seat *one, enum seat_line l)
{
	return one->line[l].in;
}

static void
link_between(struct seats *s, enum seat_line l, struct seat *one,
    struct seat *prev, struct seat *next)
{
	one->line[l].in = true;
	one->line[l].prev = prev;
	one->line[l].next = next;
	if (prev != NULL)
		prev->line[l].next = one;
	else
		s->line[l].first = one;
	if (next != NULL)
		next->line[l].prev = one;
	else
		s->line[l].last = one;
}

void
seats_append(struct seats *s, enum seat_line l, struct seat *one)
{
	if (!one->line[l].in)
		link_between(s, l, one, s->line[l].last, NULL);
}

void
seats_prepend(struct seats *s, enum seat_line l, struct seat *one)
{
	if (!one->line[l].in)
		link_between(s, l, one, NULL, s->line[l].first);
}

void
seats_leave(struct seats *s, enum seat_line l, struct seat *one)
{
	struct seat *prev = one->line[l].prev, *next = one->line[l].next;

	if (!one->line[l].in)
		return;
	if (prev != NULL)
		prev->line[l].next = next;
	else
		s->line[l].first = next;
	if (next != NULL)
		next->line[l].prev = prev;
	else
		s->line[l].last = prev;
	one->line[l].prev = one->line[l].next = NULL;
	one->line[l].in = false;
}

void
seats_call(struct seats *s, enum seat_line l, bool mapped)
{
	for (size_t i = 0; i < s->buckets; i++)
		for (struct seat *one = s->by_joint[i]; one != NULL;
		     one = one->by_joint)
			if (!mapped || one->id != -1)
				seats_append(s, l, one);
}
