/* SPDX-License-Identifier: ISC */
/* Datagrams that wait to be sent; see udp(7), sendmmsg(2).
 *
 * What outbox_put gets becomes messages at once: a message is a run of
 * datagrams to one destination, all of one length but for the last, which may
 * be shorter: what UDP_SEGMENT can send. A message that can grow (open) is
 * found by destination in a hash table, so that runs which come interleaved
 * leave as runs, too. Once there is a newer message to a destination the older
 * one is not found any more; messages leave in the order that they were made
 * in: so order per destination is kept. */
#include "outbox.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <sodium.h>

#define SEGMENTS 64	 /* UDP_MAX_SEGMENTS of all kernels */
#define RUN_MAX 65000	 /* bytes of a run, all datagrams of it */
#define COPIES (1 << 17) /* bytes; none is longer than that */
#define SLOTS 2048	 /* of the hash table */
#define PROBES 8
#define CHUNK 64   /* messages of one sendmmsg */
#define IOVS 1024  /* of one sendmmsg */
#define RETRY 4096 /* runs, until UDP_SEGMENT is tried again where it failed */
#define TRIES 2	   /* of a message, when the error may be an older one's */
#define FULL_MAX 4 /* times a full send buffer is asked again in a row */
#define NONE OUTBOX_NONE

_Static_assert(CHUNK >= SEGMENTS, "a run fits in when sent one by one");
_Static_assert(IOVS >= 2 * SEGMENTS, "a run fits in");

/* What was given to outbox_put, or a part of it. */
struct piece {
	const uint8_t *data;
	uint32_t len;
	uint32_t seg;
	uint32_t head; /* where in heads */
	uint16_t head_len;
	uint16_t next; /* of the message */
};

/* Whom for: the address, port and socket as words that compare quickly. */
struct key {
	uint64_t word[3];
};

struct message {
	struct key key;
	struct addr to;
	uint32_t size;	/* of all datagrams but the last */
	uint32_t bytes; /* in all */
	uint16_t n;	/* datagrams */
	bool open;
	uint16_t first, last; /* pieces */
	uint16_t next;	      /* of the socket */
};

struct slot {
	uint32_t flush; /* which flush it was before, or it is empty */
	uint16_t message;
};

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int))];
};

struct chunk {
	unsigned int n, n_iov;
	struct mmsghdr hdr[CHUNK];
	const struct message *of[CHUNK];
	struct sockaddr_storage name[CHUNK];
	union control control[CHUNK];
	struct iovec iov[IOVS];
};

struct outbox {
	uint64_t lost;
	uint64_t seed[3];
	uint32_t flush; /* the number of the one to come */
	uint16_t n_pieces, n_messages;
	size_t copies_len, heads_len;
	struct outlet *waiting;
	struct slot slot[SLOTS];
	struct piece piece[OUTBOX_QUEUE];
	struct message message[OUTBOX_QUEUE];
	struct chunk out, single; /* single: of runs that were refused */
	uint8_t heads[OUTBOX_QUEUE * OUTBOX_HEAD_MAX];
	uint8_t copies[COPIES];
};

int
outbox_new(struct outbox **out)
{
	struct outbox *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return -ENOMEM;
	randombytes_buf(b->seed, sizeof(b->seed));
	for (size_t i = 0; i < 3; i++)
		b->seed[i] |= 1; /* odd, for they multiply */
	b->flush = 1;
	*out = b;
	return 0;
}

void
outbox_free(struct outbox *b)
{
	free(b);
}

void
outlet_init(struct outlet *o, int fd, bool errors, bool gso)
{
	*o = (struct outlet){.fd = fd,
	    .errors = errors,
	    .gso = gso,
	    .gso_below = UINT32_MAX,
	    .first = NONE,
	    .last = NONE};
}

bool
outlet_waits(const struct outlet *o)
{
	return o->first != NONE;
}

bool
outbox_waits(const struct outbox *b)
{
	return b->n_messages > 0;
}

uint64_t
outbox_lost(const struct outbox *b)
{
	return b->lost;
}

static struct key
make_key(const struct outlet *o, const struct addr *to)
{
	struct key k;

	memcpy(k.word, to->ip, 16);
	/* unique: descriptors and ports are small */
	k.word[2] =
	    (uint64_t)o->fd << 32 | (uint64_t)to->family << 16 | to->port;
	return k;
}

static bool
key_equal(const struct key *a, const struct key *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1] &&
	       a->word[2] == b->word[2];
}

/* Seeded: whoever chooses destinations must not choose their slots. */
static size_t
hash(const struct outbox *b, const struct key *k)
{
	uint64_t h = k->word[0] * b->seed[0];

	h = ((h >> 32 | h << 32) ^ k->word[1]) * b->seed[1];
	h = ((h >> 32 | h << 32) ^ k->word[2]) * b->seed[2];
	return (size_t)(h >> 40) % SLOTS;
}

/* Where the newest message to a destination stands or will stand; NULL: where
 * it should be there are only others. It will not be found, then. */
static struct slot *
slot_of(struct outbox *b, const struct key *k)
{
	size_t at = hash(b, k);

	for (int i = 0; i < PROBES; i++) {
		struct slot *slot = &b->slot[(at + (size_t)i) % SLOTS];

		if (slot->flush != b->flush)
			return slot;
		if (key_equal(&b->message[slot->message].key, k))
			return slot;
	}
	return NULL;
}

static void
append_message(struct outbox *b, struct outlet *o, uint16_t number)
{
	if (o->first == NONE) {
		o->next = b->waiting;
		b->waiting = o;
		o->first = number;
	} else {
		b->message[o->last].next = number;
	}
	o->last = number;
}

static struct message *
new_message(struct outbox *b, struct outlet *o, const struct addr *to,
    const struct key *k, struct slot *slot)
{
	uint16_t number = b->n_messages++;
	struct message *m = &b->message[number];

	m->key = *k;
	m->to = *to;
	m->size = m->bytes = 0;
	m->n = 0;
	m->open = true;
	m->first = m->last = m->next = NONE;
	append_message(b, o, number);
	if (slot != NULL) {
		slot->flush = b->flush;
		slot->message = number;
	}
	return m;
}

/* A part of what outbox_put got that is not in a message yet. */
struct rest {
	const void *head;
	size_t head_len;
	const uint8_t *data;
	size_t len, seg;
};

static size_t
rest_count(const struct rest *r)
{
	return r->len <= r->seg ? 1 : (r->len + r->seg - 1) / r->seg;
}

/* A datagram of no bytes is no segment. The last one of a run may be shorter,
 * and so must be the last one of the rest. */
static bool
fits(const struct message *m, const struct rest *r, size_t count)
{
	size_t each = r->head_len + (count == 1 ? r->len : r->seg);

	if (!m->open || m->n == SEGMENTS || m->bytes + each > RUN_MAX)
		return false;
	return count == 1 ? each <= m->size && each > 0 : each == m->size;
}

static void
append_piece(
    struct outbox *b, struct message *m, const struct rest *r, size_t len)
{
	uint16_t number = b->n_pieces++;

	b->piece[number] = (struct piece){
	    .data = r->data,
	    .len = (uint32_t)len,
	    .seg = (uint32_t)r->seg,
	    .head = (uint32_t)b->heads_len,
	    .head_len = (uint16_t)r->head_len,
	    .next = NONE,
	};
	if (r->head_len > 0)
		memcpy(b->heads + b->heads_len, r->head, r->head_len);
	b->heads_len += r->head_len;
	if (m->first == NONE)
		m->first = number;
	else
		b->piece[m->last].next = number;
	m->last = number;
}

/* As many datagrams as there is room for in the message; at least one. */
static void
take(struct outbox *b, struct message *m, struct rest *r, size_t count)
{
	size_t each = r->head_len + r->seg;
	size_t most = count, len, total;

	if (most > (size_t)SEGMENTS - m->n)
		most = (size_t)SEGMENTS - m->n;
	if (most > 1 && m->bytes + most * each > RUN_MAX)
		most = (RUN_MAX - m->bytes) / each;
	if (most == 0)
		most = 1;
	len = most >= count ? r->len : most * r->seg;
	total = most * r->head_len + len;
	append_piece(b, m, r, len);
	m->n = (uint16_t)(m->n + most);
	m->bytes += (uint32_t)total;
	if (total == 0 || total < most * m->size)
		m->open = false;
	r->data += len;
	r->len -= len;
}

void
outbox_put(struct outbox *b, struct outlet *o, const struct addr *to,
    const void *head, size_t head_len, const uint8_t *data, size_t len,
    size_t seg)
{
	struct rest r = {head, head_len, data, len, seg};
	struct key k = make_key(o, to);

	if (head_len > OUTBOX_HEAD_MAX) {
		b->lost++;
		return;
	}
	if (seg == 0 || seg > len)
		r.seg = len;
	do {
		size_t count = rest_count(&r);
		struct slot *slot;
		struct message *m;

		if (b->n_pieces == OUTBOX_QUEUE)
			outbox_flush(b);
		slot = slot_of(b, &k);
		m = slot != NULL && slot->flush == b->flush
			? &b->message[slot->message]
			: NULL;
		if (m == NULL || !fits(m, &r, count)) {
			m = new_message(b, o, to, &k, slot);
			m->size =
			    (uint32_t)(head_len + (count == 1 ? r.len : r.seg));
		}
		take(b, m, &r, count);
	} while (r.len > 0);
}

void
outbox_copy(struct outbox *b, struct outlet *o, const struct addr *to,
    const void *data, size_t len)
{
	uint8_t *copy;

	if (len > UINT16_MAX) {
		b->lost++;
		return;
	}
	/* before the copy is made: what is sent is forgotten */
	if (b->copies_len + len > COPIES || b->n_pieces == OUTBOX_QUEUE)
		outbox_flush(b);
	copy = b->copies + b->copies_len;
	memcpy(copy, data, len);
	b->copies_len += len;
	outbox_put(b, o, to, NULL, 0, copy, len, len);
}

static void
add_iov(struct chunk *c, const void *data, size_t len)
{
	c->iov[c->n_iov].iov_base = (void *)(uintptr_t)data;
	c->iov[c->n_iov].iov_len = len;
	c->n_iov++;
}

/* The next message to be sent, to the same as the one before when `same`. */
static struct msghdr *
add_hdr(struct chunk *c, const struct message *m, bool same)
{
	unsigned int i = c->n++;
	struct msghdr *mh = &c->hdr[i].msg_hdr;

	c->of[i] = m;
	if (same) {
		*mh = c->hdr[i - 1].msg_hdr;
	} else {
		mh->msg_name = &c->name[i];
		mh->msg_namelen = addr_to_sockaddr(&m->to, &c->name[i]);
	}
	mh->msg_control = NULL;
	mh->msg_controllen = 0;
	mh->msg_iov = &c->iov[c->n_iov];
	mh->msg_iovlen = 0;
	return mh;
}

/* One datagram of a piece, which begins at byte `at` of it. */
static void
add_datagram(
    struct chunk *c, struct outbox *b, const struct piece *p, size_t at)
{
	size_t len = p->len - at < p->seg ? p->len - at : p->seg;

	if (p->head_len > 0)
		add_iov(c, b->heads + p->head, p->head_len);
	if (len > 0)
		add_iov(c, p->data + at, len);
}

static void
put_segment_size(struct msghdr *mh, union control *control, uint32_t size)
{
	uint16_t value = (uint16_t)size;
	struct cmsghdr *c;

	mh->msg_control = control;
	mh->msg_controllen = CMSG_SPACE(sizeof(value));
	memset(control, 0, sizeof(*control));
	c = CMSG_FIRSTHDR(mh);
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(value));
	memcpy(CMSG_DATA(c), &value, sizeof(value));
}

/* All datagrams as one message. */
static void
add_run(struct outbox *b, struct chunk *c, const struct message *m)
{
	unsigned int from = c->n_iov;
	struct msghdr *mh = add_hdr(c, m, false);

	for (uint16_t i = m->first; i != NONE; i = b->piece[i].next) {
		const struct piece *p = &b->piece[i];
		size_t at = 0;

		if (p->head_len == 0) {
			add_iov(c, p->data, p->len);
			continue;
		}
		do {
			add_datagram(c, b, p, at);
			at += p->seg;
		} while (at < p->len);
	}
	mh->msg_iovlen = c->n_iov - from;
	put_segment_size(mh, &c->control[c->n - 1], m->size);
}

static void
add_singles(struct outbox *b, struct chunk *c, const struct message *m)
{
	bool same = false;

	for (uint16_t i = m->first; i != NONE; i = b->piece[i].next) {
		const struct piece *p = &b->piece[i];
		size_t at = 0;

		do {
			unsigned int from = c->n_iov;
			struct msghdr *mh = add_hdr(c, m, same);

			add_datagram(c, b, p, at);
			mh->msg_iovlen = c->n_iov - from;
			same = true;
			at += p->seg;
		} while (at < p->len);
	}
}

static bool
is_run(const struct chunk *c, unsigned int i)
{
	return c->hdr[i].msg_hdr.msg_controllen > 0;
}

/* Longer than the link's MTU, or a route or device that cannot do it. */
static bool
is_no_segments(int error)
{
	return error == EMSGSIZE || error == EINVAL || error == EIO ||
	       error == EOPNOTSUPP || error == ENOPROTOOPT;
}

static void send_chunk(struct outbox *b, struct outlet *o, struct chunk *c);

/* Sends the datagrams of a refused run. If they may go alone, runs of that size
 * are remembered as refused: for a while, routes change. */
static void
send_singles(
    struct outbox *b, struct outlet *o, const struct message *m, int error)
{
	uint32_t below = error == EIO ? 0 : m->size;
	uint64_t lost = b->lost;

	add_singles(b, &b->single, m);
	send_chunk(b, o, &b->single);
	if (b->lost != lost || below >= o->gso_below)
		return;
	o->gso_below = below;
	o->skipped = 0;
}

struct attempt {
	unsigned int tries; /* of the message at hand */
	unsigned int full;  /* times that the buffer was full, in a row */
};

/* The first message was refused. Returns how many are done with: lost, as on
 * any network; those behind it may go elsewhere. */
static unsigned int
refused(struct outbox *b, struct outlet *o, const struct chunk *c,
    unsigned int i, int error, struct attempt *a)
{
	bool full = error == EAGAIN || error == ENOBUFS;
	unsigned int n = 1;

	if (error == EINTR)
		return 0;
	/* what an ICMP message told about an earlier one */
	if (o->errors && !full && ++a->tries < TRIES)
		return 0;
	if (is_run(c, i) && is_no_segments(error)) {
		send_singles(b, o, c->of[i], error);
		return 1;
	}
	a->full = full ? a->full + 1 : 0;
	if (a->full == FULL_MAX)
		n = c->n - i;
	for (unsigned int k = i; k < i + n; k++)
		b->lost += is_run(c, k) ? c->of[k]->n : 1;
	return n;
}

static void
send_chunk(struct outbox *b, struct outlet *o, struct chunk *c)
{
	struct attempt a = {0, 0};
	unsigned int done = 0, n;

	while (done < c->n) {
		int sent = sendmmsg(o->fd, c->hdr + done, c->n - done,
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			done += (unsigned int)sent;
			a = (struct attempt){0, 0};
			continue;
		}
		n = refused(b, o, c, done, sent < 0 ? errno : EAGAIN, &a);
		if (n > 0)
			a.tries = 0;
		done += n;
	}
	c->n = c->n_iov = 0;
}

static bool
may_be_run(struct outlet *o, const struct message *m)
{
	if (!o->gso || m->n == 1)
		return false;
	if (m->size < o->gso_below)
		return true;
	if (++o->skipped < RETRY)
		return false;
	o->skipped = 0;
	o->gso_below = UINT32_MAX;
	return true;
}

static void
flush_socket(struct outbox *b, struct outlet *o)
{
	struct chunk *c = &b->out;

	for (uint16_t i = o->first; i != NONE; i = b->message[i].next) {
		const struct message *m = &b->message[i];
		bool run = may_be_run(o, m);

		if (c->n + (run ? 1u : m->n) > CHUNK ||
		    c->n_iov + 2u * m->n > IOVS)
			send_chunk(b, o, c);
		if (run)
			add_run(b, c, m);
		else
			add_singles(b, c, m);
	}
	send_chunk(b, o, c);
	o->first = o->last = NONE;
}

void
outbox_flush(struct outbox *b)
{
	while (b->waiting != NULL) {
		struct outlet *o = b->waiting;

		b->waiting = o->next;
		o->next = NULL;
		flush_socket(b, o);
	}
	b->n_pieces = b->n_messages = 0;
	b->copies_len = b->heads_len = 0;
	if (++b->flush != 0) /* all slots are empty */
		return;
	memset(b->slot, 0, sizeof(b->slot));
	b->flush = 1;
}
