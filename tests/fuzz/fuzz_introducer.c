/* SPDX-License-Identifier: ISC */
/* Three authenticated clients that say anything in any order. A model of who
 * consents to whom stands beside the introducer: nobody may be told of, or
 * relayed to, a key without both consents.
 *
 * Input: steps of client and kind (1 byte), argument (1 byte), data. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "introducer.h"

#define CLIENTS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct registry reg;
static struct introducer in;
static uint8_t keys[CLIENTS + 1][KEY_LEN]; /* the last is nobody's */
static uint32_t client[CLIENTS];	   /* REGISTRY_NONE: not there */
static bool consents[CLIENTS][CLIENTS + 1], told[CLIENTS][CLIENTS + 1];
static uint64_t now;
static struct introducer_request last;

static void
event(void *arg, const char *what, const uint8_t *key, const uint8_t *peer)
{
	(void)arg;
	(void)what;
	(void)key;
	(void)peer;
}

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static int
name_of(const uint8_t *key)
{
	for (int i = 0; i <= CLIENTS; i++)
		if (memcmp(keys[i], key, KEY_LEN) == 0)
			return i;
	return -1;
}

static bool
mutual(int a, int b)
{
	return a < CLIENTS && b < CLIENTS && consents[a][b] && consents[b][a];
}

static void
join(int who)
{
	struct path p = {.remote = {.family = ADDR_V4, .port = 1}};
	struct session s = {0};

	memset(s.id, who + 1, sizeof(s.id));
	p.remote.ip[0] = (uint8_t)(who + 1);
	client[who] = registry_add(&reg, keys[who], &s, &p, now, now);
	check(client[who] != REGISTRY_NONE);
	introducer_renew(&in, client[who], now);
	memset(consents[who], 0, sizeof(consents[who]));
}

static void
leave(int who)
{
	if (client[who] == REGISTRY_NONE)
		return;
	introducer_forget(&in, client[who], now);
	client[who] = REGISTRY_NONE;
	memset(consents[who], 0, sizeof(consents[who]));
	memset(told[who], 0, sizeof(told[who]));
}

/* Pushes out all that is due, and looks at each. */
static void
drain(void)
{
	struct stun_attr a;
	struct cursor c;

	for (int n = 0; introducer_next(&in, now, &last); n++) {
		int to = name_of(reg.clients[last.to].key);

		check(n < 1000 && last.len > 0);
		cursor_init(&c, last.plain, last.len);
		while (stun_attr_next(&c, &a) == 1) {
			int about = name_of(a.value);

			check(about >= 0 && about != to);
			if (a.type == NATKIT_GONE) {
				check(told[to][about]);
				continue;
			}
			check(a.type == NATKIT_PEER || a.type == NATKIT_GO);
			check(mutual(to, about));
			told[to][about] = true;
		}
	}
}

static void
model(int who, const struct stun_attr *a, enum introducer_action did)
{
	int whom = a->len >= KEY_LEN ? name_of(a->value) : -1;

	if (a->type == NATKIT_WANT && did == INTRODUCER_DONE) {
		check(a->len == KEY_LEN + WIRE_TAG_LEN && whom != who);
		if (whom >= 0)
			consents[who][whom] = true;
	} else if (a->type == NATKIT_UNWANT && did == INTRODUCER_DONE) {
		if (whom >= 0)
			consents[who][whom] = false;
	} else if (a->type == NATKIT_BYE) {
		check(did == INTRODUCER_BYE);
		leave(who);
	}
}

/* Every value that could hold a key holds one of the four. */
static void
say(int who, uint8_t *list, size_t len)
{
	uint8_t answer_data[WIRE_PLAIN_MAX];
	struct introducer_relay relay;
	struct stun_buf answer;
	struct stun_attr a;
	struct cursor c;

	stun_begin_list(&answer, answer_data, sizeof(answer_data));
	cursor_init(&c, list, len);
	introducer_heard(&in, client[who], now);
	while (client[who] != REGISTRY_NONE && stun_attr_next(&c, &a) == 1) {
		enum introducer_action did;

		if (a.len >= KEY_LEN && a.value[0] % 8 != 7)
			memcpy(list + (a.value - list),
			    keys[a.value[0] % (CLIENTS + 1)], KEY_LEN);
		did =
		    introducer_step(&in, client[who], &a, now, &answer, &relay);
		if (did == INTRODUCER_RELAY) {
			int to = name_of(reg.clients[relay.to].key);

			check(mutual(who, to));
			check(name_of(relay.from) == who);
			check(relay.len <= WIRE_PAYLOAD_MAX);
		}
		if (did == INTRODUCER_TOKEN)
			check(mutual(who, name_of(relay.from)) &&
			      relay.len >= KEY_LEN);
		model(who, &a, did);
	}
	check(!answer.overflow);
}

static void
want(int who, uint8_t arg, uint16_t type)
{
	uint8_t list[64] = {(uint8_t)(type >> 8), (uint8_t)type, 0};

	list[3] = type == NATKIT_WANT ? 40 : type == NATKIT_READY ? 42 : 32;
	list[4] = arg & 7;
	memset(list + 4 + KEY_LEN, arg >> 6, 10);
	say(who, list, 4 + ((list[3] + 3u) & ~3u));
}

static size_t
step(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = {
	    NATKIT_WANT, NATKIT_UNWANT, NATKIT_READY, NATKIT_TOKEN};
	uint8_t list[256], arg = data[1];
	int who = data[0] % CLIENTS, kind = data[0] / CLIENTS % 8;
	size_t used = 2, len;

	if (kind == 0)
		now += (uint64_t)arg * arg * 4;
	else if (kind == 1)
		join(who);
	else if (client[who] == REGISTRY_NONE)
		return used;
	else if (kind == 2)
		leave(who);
	else if (kind == 3)
		introducer_ack(&in, client[who], last.tid);
	else if (kind == 4)
		introducer_moved(&in, client[who], now);
	else if (kind == 5) {
		len = arg < size - 2 ? arg : size - 2;
		memcpy(list, data + 2, len);
		say(who, list, len);
		used += len;
	} else
		want(who, arg, types[(arg >> 3) % 4]);
	return used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (sodium_init() == -1 || registry_init(&reg, 4, 4) != 0)
		abort();
	introducer_init(&in, &reg, event, NULL);
	now = 1000;
	memset(consents, 0, sizeof(consents));
	memset(told, 0, sizeof(told));
	memset(&last, 0, sizeof(last));
	for (int i = 0; i <= CLIENTS; i++) {
		memset(keys[i], 'a' + i, KEY_LEN);
		if (i < CLIENTS)
			join(i);
	}
	while (size >= 2) {
		size_t used = step(data, size);

		data += used;
		size -= used;
		drain();
	}
	for (int i = 0; i < CLIENTS; i++)
		leave(i);
	check(reg.count == 0 && reg.edges_count == 0);
	drain();
	registry_free(&reg);
	return 0;
}
