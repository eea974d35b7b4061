/* SPDX-License-Identifier: ISC */
/* Datagrams into quic_peek, quic_accept and both ends of an established
 * connection, among anything that the ends' owners may do, at any time. No
 * stream may get what was not sent, no call may come that quic.h rules out, and
 * the library's asserts have to hold.
 *
 * The first byte picks: 0: the rest is a first datagram; 1: the rest is laid over
 * a valid one, as pairs of position and XOR; else the rest is a script, a byte a
 * step. */
#include "quic.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/quic_fixture.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check(bool ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	check(sodium_init() != -1);
	return 0;
}

static void
first_datagram(const uint8_t *data, size_t len)
{
	struct fx *f = fx_new();
	struct quic_head head;
	uint8_t out[1500];
	struct quic *q = NULL;
	size_t n;

	quic_peek(&head, data, len);
	check(quic_accept(&q, &f->config[1], data, len, f->now) < 0);
	n = quic_stateless_reset(out, sizeof(out), f->psk[0], data, len);
	check(n == 0 || n < len);
	fx_free(f);
}

static void
changed_hello(const uint8_t *data, size_t len)
{
	struct fx *f = fx_new();
	uint8_t buf[QUIC_WRITE_MAX];
	bool changed = false;
	size_t n, seg, i;

	fx_dial(f);
	n = quic_write(f->end[0].q, buf, sizeof(buf), 1452, &seg, f->now);
	for (i = 0; i + 3 <= len; i += 3) {
		buf[(size_t)(data[i] << 8 | data[i + 1]) % n] ^= data[i + 2];
		changed |= data[i + 2] != 0;
	}
	if (quic_accept(&f->end[1].q, &f->config[1], buf, n, f->now) == 0)
		check(quic_write(f->end[1].q, buf, sizeof(buf), 1452, &seg,
			  f->now) > 0);
	else
		check(changed);
	fx_free(f);
}

/* The fixture's own streams: any of those that it knows. */
static int64_t
pick(struct fx_end *e, uint8_t n)
{
	return e->used > 0 ? fx_id(n % e->used) : 0;
}

static void
end_step(struct fx *f, size_t i, uint8_t what, uint8_t arg)
{
	struct fx_end *e = &f->end[i];
	int64_t id = pick(e, arg);
	uint8_t buf[1500];

	switch (what) {
	case 0:
		if (e->used < FX_STREAMS - 2)
			fx_open(f, i, (uint64_t)arg * arg * 16);
		break;
	case 1:
		quic_reset(e->q, id, arg);
		fx_stream(e, id)->fin_sent |= fx_stream(e, id)->known;
		fx_stream(e, id)->want = fx_stream(e, id)->sent;
		break;
	case 2:
		quic_stop(e->q, id, arg);
		break;
	case 3:
		quic_credit_stream(e->q, id, (uint64_t)arg << 12);
		break;
	case 4:
		quic_credit(e->q, (uint64_t)arg << 12);
		break;
	case 5:
		e->datagrams_left = arg % 8;
		e->datagram_len = (size_t)arg * 6;
		break;
	case 6:
		fx_stream(e, id)->mute = !fx_stream(e, id)->mute;
		fx_stream(e, id)->want += arg * 100;
		break;
	default:
		if (arg == 255)
			quic_close(e->q, arg, buf, sizeof(buf), f->now);
		else
			quic_moved(e->q, f->now);
		break;
	}
}

static void
link_step(struct fx *f, uint8_t what, uint8_t arg)
{
	switch (what) {
	case 0:
		f->loss = arg / 512.0;
		break;
	case 1:
		f->flip = arg / 1024.0;
		break;
	case 2:
		f->jitter = arg * MS;
		break;
	case 3:
		f->most = 1200 + arg;
		break;
	case 4:
		f->mtu = 1200 + arg * 2U;
		break;
	case 5:
		f->now += arg * arg * MS;
		break;
	case 6:
		f->delay = arg * MS;
		break;
	default:
		f->rate = (uint64_t)arg << 16;
		f->queue = 20 * MS;
		break;
	}
}

/* Bytes of the script as a datagram, with an id that the end owns. */
static size_t
raw(struct fx *f, size_t i, const uint8_t *data, size_t len)
{
	uint8_t buf[300];
	size_t n = data[0] < len - 1 ? data[0] : len - 1;
	struct fx_packet *p = f->wire[i];

	memcpy(buf, data + 1, n);
	if (p != NULL && n > 17 && p->len > 17)
		memcpy(buf + 1, p->data + 1, 16);
	if (f->end[i].q != NULL)
		f->end[i].end = quic_read(f->end[i].q, buf, n, f->now);
	return n + 1;
}

static void
script(const uint8_t *data, size_t len)
{
	struct fx *f = fx_new();
	size_t i, k;

	f->config[0].streams = f->config[1].streams = 20;
	f->config[1].window = 1 << 20;
	fx_dial(f);
	if (data[0] & 1)
		fx_run(f, SEC);
	for (i = 1; i + 1 < len;) {
		uint8_t op = data[i], arg = data[i + 1];

		i += 2;
		if (op & 0x80)
			fx_run(f, arg * (op & 0x40 ? 50 : 1) * MS);
		else if (op & 0x40)
			link_step(f, op & 7, arg);
		else if (op & 0x20 && i < len)
			i += raw(f, op & 1, data + i, len - i);
		else if (f->end[op & 1].q != NULL)
			end_step(f, op & 1, op >> 1 & 7, arg);
	}
	fx_run(f, SEC);
	for (i = 0; i < 2; i++) {
		check(f->end[i].odd == 0);
		for (k = 0; k < f->end[i].used; k++)
			check(!f->end[i].s[k].differs);
	}
	fx_free(f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 2)
		return 0;
	switch (data[0]) {
	case 0:
		first_datagram(data + 1, len - 1);
		break;
	case 1:
		changed_hello(data + 1, len - 1);
		break;
	default:
		script(data, len);
		break;
	}
	return 0;
}
