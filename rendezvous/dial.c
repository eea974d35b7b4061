/* SPDX-License-Identifier: ISC */
/* HELLO to all addresses of one server until one of them answers. */
#include "dial.h"

#include <sodium.h>
#include <string.h>

#define NEVER UINT64_MAX
#define HELLOS (DIAL_ADDRS + DIAL_TCP)

void
dial_init(struct dial *d, const uint8_t *key, const uint8_t pub[KEY_LEN],
    const uint8_t server[KEY_LEN], uint32_t max_ms)
{
	memset(d, 0, sizeof(*d));
	d->keys.key = key;
	memcpy(d->keys.pub, pub, KEY_LEN);
	memcpy(d->keys.server, server, KEY_LEN);
	d->max_ms = max_ms != 0 && max_ms < DIAL_BACKOFF_MAX_MS
			? max_ms
			: DIAL_BACKOFF_MAX_MS;
	dial_stop(d);
}

uint64_t
dial_jitter(uint32_t ms)
{
	return ms - randombytes_uniform(ms / 4 + 1);
}

void
dial_stop(struct dial *d)
{
	for (size_t i = 0; i < HELLOS; i++)
		hello_wipe(&d->hello[i]);
	d->busy = false;
	d->udp_only = false;
	d->n_tcp = 0;
	d->end_ms = NEVER;
	d->retry_ms = NEVER;
	d->connect_ms = NEVER;
	d->backoff_ms = DIAL_BACKOFF_MIN_MS;
}

void
dial_at(struct dial *d, uint64_t at_ms)
{
	d->busy = true;
	d->udp_only = false;
	d->n_tcp = 0;
	d->end_ms = NEVER;
	d->retry_ms = at_ms;
	d->connect_ms = NEVER;
}

void
dial_probe(struct dial *d, const struct moment *now)
{
	dial_at(d, now->ms);
	d->udp_only = true;
}

bool
dial_wants_tcp(const struct dial *d)
{
	return d->end_ms != NEVER && !d->udp_only;
}

bool
dial_connected(struct dial *d, const struct addr *at, const struct moment *now)
{
	if (!dial_wants_tcp(d) || d->n_tcp == DIAL_TCP)
		return false;
	for (size_t i = 0; i < HELLOS; i++) {
		if (d->hello[i].active)
			continue;
		hello_start(&d->hello[i], &d->keys, at, now);
		d->tcp[d->n_tcp++] = *at;
		d->end_ms = now->ms + DIAL_ATTEMPT_MS;
		return true;
	}
	return false;
}

/* Late answers to the attempt that is over still count, until the next. */
void
dial_back_off(struct dial *d, const struct moment *now)
{
	dial_at(d, now->ms + dial_jitter(d->backoff_ms));
	d->backoff_ms *= 2;
	if (d->backoff_ms > d->max_ms)
		d->backoff_ms = d->max_ms;
}

void
dial_addresses(
    struct dial *d, const struct addr *list, size_t n, const struct moment *now)
{
	size_t had = d->n, same = 0, other = 0;

	d->n = 0;
	for (size_t i = 0; i < n && d->n < DIAL_ADDRS; i++) {
		size_t *have =
		    list[i].family == list[0].family ? &same : &other;

		if (!addr_is_sendable(&list[i]) || *have == DIAL_ADDRS / 2)
			continue;
		(*have)++;
		d->addrs[d->n++] = list[i];
	}
	if (had == 0 && d->n > 0 && d->busy && d->end_ms == NEVER)
		d->retry_ms = now->ms;
}

static void
start_attempt(struct dial *d, const struct moment *now)
{
	d->retry_ms = NEVER;
	d->end_ms = now->ms + (d->n > 0 ? DIAL_ATTEMPT_MS : 0);
	d->connect_ms = d->udp_only ? NEVER : now->ms + DIAL_CONNECT_MS;
	for (size_t i = 0; i < HELLOS; i++) {
		hello_wipe(&d->hello[i]);
		if (i < d->n)
			hello_start(&d->hello[i], &d->keys, &d->addrs[i], now);
	}
}

enum dial_what
dial_step(struct dial *d, const struct moment *now, const struct hello **out)
{
	if (now->ms >= d->retry_ms)
		start_attempt(d, now);
	if (d->end_ms == NEVER)
		return DIAL_WAIT;
	if (now->ms >= d->end_ms) {
		if (d->udp_only)
			dial_stop(d);
		else
			dial_back_off(d, now);
		return DIAL_SILENT;
	}
	if (now->ms >= d->connect_ms) {
		d->connect_ms = NEVER;
		return DIAL_CONNECT;
	}
	for (size_t i = 0; i < HELLOS; i++)
		if (hello_step(&d->hello[i], now) == TRANSACTION_SEND) {
			*out = &d->hello[i];
			return DIAL_SEND;
		}
	return DIAL_WAIT;
}

int
dial_input(struct dial *d, const struct addr *from, const struct stun_msg *m,
    const struct moment *now, struct wire_welcome *welcome, struct session *s,
    uint64_t *rtt_us)
{
	for (size_t i = 0; i < HELLOS; i++)
		if (hello_input(&d->hello[i], &d->keys, from, m, now, welcome,
			s, rtt_us) == 1) {
			dial_stop(d);
			return 1;
		}
	return 0;
}

uint64_t
dial_next_ms(const struct dial *d)
{
	uint64_t at = d->end_ms < d->retry_ms ? d->end_ms : d->retry_ms;

	if (d->end_ms != NEVER && d->connect_ms < at)
		at = d->connect_ms;
	for (size_t i = 0; d->end_ms != NEVER && i < HELLOS; i++)
		if (d->hello[i].active && d->hello[i].t.next_ms < at)
			at = d->hello[i].t.next_ms;
	return at;
}
