/* SPDX-License-Identifier: ISC */
/* stun/lifetime: the search against simulated NATs of every lifetime, with
 * loss, with a server that goes silent, with one that is not steady. */
#include "lifetime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SENDS 6
#define RUNAWAY 20000

struct sim {
	struct lifetime l;
	unsigned int lives; /* of this NAT */
	unsigned int loss;  /* of a question and its answer, percent */
	bool gone;	    /* the server, for good */
	unsigned int evil;  /* a silence that dies, though longer ones live */
	uint32_t random;
	uint64_t sent, answered;
	/* what is under way, and when it ends */
	struct trial {
		unsigned int seconds;
		uint64_t end;
	} list[64];
	size_t n;
	size_t most; /* under way at once */
	uint64_t now;
	uint64_t trials;
};

static bool
lost(struct sim *s)
{
	s->random = s->random * 1664525u + 1013904223u;
	return (s->random >> 16) % 100 < s->loss;
}

static enum lifetime_result
end(struct sim *s, unsigned int seconds)
{
	bool control = false;

	for (int i = 0; i < 3; i++) {
		s->sent++;
		if (s->gone || lost(s))
			continue;
		s->answered++;
		control = true;
	}
	lifetime_loss(&s->l, s->sent, s->answered);
	for (unsigned int i = 0; i < s->l.sends; i++)
		if (seconds <= s->lives && seconds != s->evil && !s->gone &&
		    !lost(s))
			return LIFETIME_ALIVE;
	return control ? LIFETIME_DEAD : LIFETIME_NOTHING;
}

static void
start(struct sim *s)
{
	unsigned int out[LIFETIME_NEXT];
	size_t n = lifetime_next(&s->l, out);

	for (size_t i = 0; i < n; i++) {
		assert_in_range(out[i], 1, LIFETIME_MAX_S);
		assert_true(lifetime_wanted(&s->l, out[i]));
		assert_true(s->n < 64);
		s->list[s->n++] =
		    (struct trial){out[i], s->now + out[i] * 1000u + i};
		s->trials++;
	}
	if (s->n > s->most)
		s->most = s->n;
}

static void
give_up(struct sim *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++)
		if (lifetime_wanted(&s->l, s->list[i].seconds))
			s->list[kept++] = s->list[i];
		else
			lifetime_give_up(&s->l, s->list[i].seconds);
	s->n = kept;
}

static enum lifetime_state
run(struct sim *s, unsigned int width, unsigned int sends, unsigned int least)
{
	lifetime_init(&s->l, width, sends, least);
	for (start(s); lifetime_state(&s->l) == LIFETIME_OPEN; start(s)) {
		size_t first = 0;
		struct trial t;

		assert_true(s->n > 0); /* it never waits for nothing */
		assert_true(s->trials < RUNAWAY);
		for (size_t i = 1; i < s->n; i++)
			if (s->list[i].end < s->list[first].end)
				first = i;
		t = s->list[first];
		s->list[first] = s->list[--s->n];
		s->now = t.end;
		lifetime_tell(&s->l, t.seconds, end(s, t.seconds));
		give_up(s);
	}
	return lifetime_state(&s->l);
}

static void
every_lifetime(void **state)
{
	(void)state;
	for (unsigned int lives = 0; lives <= 400; lives++) {
		for (unsigned int width = 1; width <= LIFETIME_WIDTH;
		     width += 3) {
			struct sim s = {.lives = lives, .random = lives};
			enum lifetime_state is =
			    run(&s, width, SENDS, width == 1 ? 2 : 1);

			if (lives >= LIFETIME_MAX_S) {
				assert_int_equal(is, LIFETIME_ENDLESS);
				assert_int_equal(lifetime_lives(&s.l), 300);
				continue;
			}
			assert_int_equal(is, LIFETIME_FOUND);
			assert_int_equal(lifetime_lives(&s.l), lives);
			assert_int_equal(lifetime_dies(&s.l), lives + 1);
			assert_int_equal(lifetime_confidence(&s.l), 99);
		}
	}
}

/* Loss makes it slower, not wrong. */
static void
with_loss(void **state)
{
	static const unsigned int losses[] = {5, 10, 30, 50};
	unsigned int wrong = 0, runs = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
		for (unsigned int lives = 1; lives <= 400; lives++) {
			struct sim s = {.lives = lives,
			    .loss = losses[i],
			    .random = lives * 7919u};
			unsigned int is = 0;

			run(&s, i % 2 == 0 ? LIFETIME_WIDTH : 1, 4, 1);
			is = lifetime_lives(&s.l);
			runs++;
			wrong += is != (lives < 300 ? lives : 300);
			/* and never longer than the truth */
			assert_true(is <= lives);
		}
	}
	/* one in 10,000 by design, and the loss itself is only an estimate */
	if (wrong > runs / 400)
		fail_msg("%u of %u are wrong", wrong, runs);
}

/* All the first cliffs at once, and stop with the first that is dead. */
static void
takes_no_longer(void **state)
{
	unsigned int out[LIFETIME_NEXT];
	struct lifetime l;
	struct sim s = {.lives = 47};

	(void)state;
	lifetime_init(&l, LIFETIME_WIDTH, SENDS, 1);
	assert_int_equal(lifetime_next(&l, out), 6);
	assert_int_equal(out[0], 10);
	assert_int_equal(out[5], 300);
	assert_int_equal(lifetime_next(&l, out), 0);
	lifetime_tell(&l, 10, LIFETIME_ALIVE);
	assert_int_equal(lifetime_next(&l, out), 0);
	lifetime_tell(&l, 30, LIFETIME_DEAD);
	assert_false(lifetime_wanted(&l, 60));
	assert_false(lifetime_wanted(&l, 300));
	assert_true(lifetime_wanted(&l, 20));
	assert_int_equal(lifetime_next(&l, out), LIFETIME_WIDTH);
	assert_in_range(out[0], 11, 12);
	assert_in_range(out[9], 28, 29);
	run(&s, LIFETIME_WIDTH, SENDS, 1);
	assert_true(s.now < (60 + 49 + 48 + 1) * UINT64_C(1000));
	assert_true(s.most <= 16);
}

static void
one_port(void **state)
{
	struct sim s = {.lives = 47};

	(void)state;
	run(&s, 1, 4, 2);
	assert_int_equal(s.most, 1);
	assert_int_equal(lifetime_lives(&s.l), 47);
}

static void
silent_server(void **state)
{
	struct sim s = {.lives = 47, .gone = true};

	(void)state;
	assert_int_equal(run(&s, LIFETIME_WIDTH, SENDS, 1), LIFETIME_GONE);
	assert_int_equal(lifetime_lives(&s.l), 0);
	assert_int_equal(lifetime_dies(&s.l), 0);
}

/* A dead cliff below a live one is tried again, and then believed. */
static void
unsteady(void **state)
{
	struct sim s = {.lives = 90, .evil = 30};
	struct lifetime l;
	unsigned int out[LIFETIME_NEXT];

	(void)state;
	lifetime_init(&l, LIFETIME_WIDTH, SENDS, 1);
	lifetime_next(&l, out);
	lifetime_tell(&l, 30, LIFETIME_DEAD);
	lifetime_tell(&l, 10, LIFETIME_ALIVE);
	lifetime_tell(&l, 60, LIFETIME_ALIVE); /* was under way already */
	lifetime_tell(&l, 300, LIFETIME_ALIVE);
	assert_int_equal(lifetime_state(&l), LIFETIME_OPEN);
	assert_int_equal(lifetime_next(&l, out), 1);
	assert_int_equal(out[0], 30);
	lifetime_tell(&l, 30, LIFETIME_DEAD);
	assert_int_equal(lifetime_state(&l), LIFETIME_UNSTABLE);
	assert_int_equal(lifetime_lives(&l), 10);
	/* one that is met from below is simply the lifetime */
	assert_int_equal(run(&s, LIFETIME_WIDTH, SENDS, 1), LIFETIME_FOUND);
	assert_int_equal(lifetime_lives(&s.l), 29);
}

/* The last second needs more questions where many get lost. */
static void
loss_needs_more(void **state)
{
	struct lifetime l;

	(void)state;
	lifetime_init(&l, LIFETIME_WIDTH, SENDS, 1);
	lifetime_tell(&l, 9, LIFETIME_ALIVE);
	lifetime_tell(&l, 10, LIFETIME_DEAD);
	assert_int_equal(lifetime_state(&l), LIFETIME_FOUND);
	lifetime_loss(&l, 100, 50);
	assert_int_equal(lifetime_state(&l), LIFETIME_OPEN);
	lifetime_tell(&l, 10, LIFETIME_DEAD);
	lifetime_tell(&l, 10, LIFETIME_DEAD);
	assert_int_equal(lifetime_state(&l), LIFETIME_FOUND);
	lifetime_tell(&l, 10, LIFETIME_ALIVE);
	assert_int_equal(lifetime_state(&l), LIFETIME_OPEN);
	assert_int_equal(lifetime_lives(&l), 10);
}

static void
keepalive(void **state)
{
	(void)state;
	assert_int_equal(lifetime_keepalive(0), 1);
	assert_int_equal(lifetime_keepalive(1), 1);
	assert_int_equal(lifetime_keepalive(2), 1);
	assert_int_equal(lifetime_keepalive(30), 24);
	assert_int_equal(lifetime_keepalive(47), 37);
	assert_int_equal(lifetime_keepalive(180), 144);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_lifetime),
	    cmocka_unit_test(with_loss),
	    cmocka_unit_test(takes_no_longer),
	    cmocka_unit_test(one_port),
	    cmocka_unit_test(silent_server),
	    cmocka_unit_test(unsteady),
	    cmocka_unit_test(loss_needs_more),
	    cmocka_unit_test(keepalive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
