/* SPDX-License-Identifier: ISC */
/* The records that nat-rendezvous agent and nat-relay print, as events. */
#include "intake.h"

#include <errno.h>
#include <string.h>

#include "record.h"

/* Fields of one record: the first that is missing or malformed is kept. */
struct fields {
	const struct record_view *r;
	const char *wrong;
};

static void
wrong(struct fields *f, const char *key)
{
	if (f->wrong == NULL)
		f->wrong = key;
}

static uint64_t
number(struct fields *f, const char *key, uint64_t max)
{
	uint64_t v = 0;

	if (record_get_u64(f->r, key, &v) != 0 || v > max)
		wrong(f, key);
	return v;
}

static const char *
word(struct fields *f, const char *key)
{
	const char *v = record_get(f->r, key);

	if (v == NULL) {
		wrong(f, key);
		return "";
	}
	return v;
}

static void
peer_key(struct fields *f, uint8_t out[KEY_LEN])
{
	if (record_get_key(f->r, "key", out) != 0)
		wrong(f, "key");
}

static void
user(struct fields *f, const char *key, char out[CHECK_USER_LEN + 1])
{
	const char *v = word(f, key);

	if (check_user_valid(v))
		memcpy(out, v, CHECK_USER_LEN + 1);
	else
		wrong(f, key);
}

static void
password(struct fields *f, const char *key, char out[CHECK_PASSWORD_LEN + 1])
{
	const char *v = word(f, key);

	if (check_password_valid(v))
		memcpy(out, v, CHECK_PASSWORD_LEN + 1);
	else
		wrong(f, key);
}

static void
read_introduced(struct fields *f, struct intake *out)
{
	struct introduction *i = &out->introduction;
	const char *role = word(f, "role");

	out->kind = INTAKE_INTRODUCED;
	i->generation = out->generation =
	    (uint32_t)number(f, "generation", UINT32_MAX);
	i->count = number(f, "count", UINT32_MAX);
	i->controlling = strcmp(role, "controlling") == 0;
	if (!i->controlling && strcmp(role, "controlled") != 0)
		wrong(f, "role");
	user(f, "user", i->credentials.user);
	password(f, "password", i->credentials.password);
	user(f, "peer_user", i->credentials.peer_user);
	password(f, "peer_password", i->credentials.peer_password);
}

static void
read_waiting(const struct fields *f, struct intake *out)
{
	static const char *const known[] = {
	    "absent", "full", "no-server", "refused", "wrong-key"};
	const char *reason = record_get(f->r, "reason");

	out->kind = INTAKE_WAITING;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (reason != NULL && strcmp(reason, known[i]) == 0)
			out->reason = known[i];
}

static void
read_peer(struct fields *f, struct intake *out)
{
	const char *state;

	peer_key(f, out->key);
	state = word(f, "state");
	if (strcmp(state, "waiting") == 0)
		read_waiting(f, out);
	else if (strcmp(state, "introduced") == 0)
		read_introduced(f, out);
}

static void
read_remote(struct fields *f, struct intake *out)
{
	out->kind = INTAKE_REMOTE;
	peer_key(f, out->key);
	out->generation = (uint32_t)number(f, "generation", UINT32_MAX);
	out->remote.type = candidate_type_parse(word(f, "type"));
	if (record_get_addr(f->r, "endpoint", &out->remote.addr) != 0)
		wrong(f, "endpoint");
	out->remote.priority = (uint32_t)number(f, "priority", UINT32_MAX);
}

/* Our binding at a relay. Those of other types are for who gathers. */
static void
read_candidate(struct fields *f, struct intake *out)
{
	const char *type = record_get(f->r, "type");
	const char *state = record_get(f->r, "state");

	if (type == NULL || strcmp(type, "relay") != 0 || state == NULL)
		return;
	if (strcmp(state, "binding") == 0)
		out->kind = INTAKE_RELAY_BINDING;
	else if (strcmp(state, "bound") == 0)
		out->kind = INTAKE_RELAY_BOUND;
	else if (strcmp(state, "gone") == 0 &&
		 record_get(f->r, "endpoint") != NULL)
		out->kind = INTAKE_RELAY_GONE; /* else it never was bound */
	if (out->kind == INTAKE_NOTHING)
		return;
	peer_key(f, out->key);
	if (out->kind == INTAKE_RELAY_BINDING)
		return;
	out->remote.type = CANDIDATE_RELAY;
	if (record_get_addr(f->r, "endpoint", &out->remote.addr) != 0)
		wrong(f, "endpoint");
	if (out->kind != INTAKE_RELAY_BOUND)
		return;
	out->remote.priority = (uint32_t)number(f, "priority", UINT32_MAX);
	if (record_get(f->r, "mapped") != NULL &&
	    record_get_addr(f->r, "mapped", &out->mapped) != 0)
		wrong(f, "mapped");
}

static void
read_go(struct fields *f, struct intake *out)
{
	out->kind = INTAKE_GO;
	peer_key(f, out->key);
	out->generation = (uint32_t)number(f, "generation", UINT32_MAX);
	out->age_ms = number(f, "age_ms", UINT64_MAX);
	out->skew_ms = number(f, "skew_ms", UINT64_MAX);
}

static void
read_gone(struct fields *f, struct intake *out)
{
	out->kind = INTAKE_GONE;
	peer_key(f, out->key);
}

static const struct {
	const char *type;
	void (*read)(struct fields *f, struct intake *out);
} types[] = {
    {"peer", read_peer},
    {"remote", read_remote},
    {"candidate", read_candidate},
    {"go", read_go},
    {"gone", read_gone},
};

int
intake_parse(struct intake *out, const char *line, size_t len, const char **why)
{
	struct record_view r;
	struct fields f = {.r = &r};
	struct intake event = {.kind = INTAKE_NOTHING};

	*why = "no record";
	if (record_parse(&r, line, len) != 0)
		return -EBADMSG;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (record_is(&r, types[i].type))
			types[i].read(&f, &event);
	}
	*why = f.wrong;
	if (f.wrong != NULL)
		return -EBADMSG;
	*out = event;
	return 0;
}
