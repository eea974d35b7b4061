/* SPDX-License-Identifier: ISC */
/* What a person is told of a stream that came to nothing. */
#include "blame.h"

#include <stdio.h>
#include <string.h>

#define REASONS 0x0000ffffu /* told: those of the target; above: of the way */

/* As a line of the allow file has it. */
static const char *
format_target(
    const struct opening *o, char text[OPENING_TEXT], char out[OPENING_TEXT])
{
	const char *target;

	opening_format(o, text); /* "tcp 127.0.0.1:22", "unix /run/x" */
	target = strchr(text, ' ');
	if (o->to == OPENING_LISTEN && o->path[0] == '\0' && o->port == 0)
		snprintf(out, OPENING_TEXT, "%.*s*",
		    (int)(strrchr(text, '0') - target - 1), target + 1);
	else
		snprintf(out, OPENING_TEXT, "%.*s%s", OPENING_TEXT - 5,
		    target != NULL ? target + 1 : text,
		    o->to == OPENING_UDP ? "/udp" : "");
	return out;
}

const char *
blame_refusal(char out[BLAME_TEXT], enum opening_reason r,
    const struct opening *what, const char *who, const char *own)
{
	char text[OPENING_TEXT], target[OPENING_TEXT];
	bool listen = what->to == OPENING_LISTEN;

	format_target(what, text, target);
	if (r == OPENING_PERMIT && what->to == OPENING_PROGRAM)
		snprintf(out, BLAME_TEXT,
		    "%s does not allow us to its program: add 'allow %s' to "
		    "its allow file",
		    who, own);
	else if (r == OPENING_PERMIT)
		snprintf(out, BLAME_TEXT,
		    "%s does not permit %s%s: add '%s %s %s' to its allow file",
		    who, listen ? "us to listen at " : "", target,
		    listen ? "listen" : "permit", own, target);
	else if (what->to == OPENING_PROGRAM)
		snprintf(
		    out, BLAME_TEXT, "%s: %s", who, opening_reason_text(r));
	else
		snprintf(out, BLAME_TEXT, "%s: %s: %s", who, target,
		    opening_reason_text(r));
	return out;
}

const char *
blame_end(char out[BLAME_TEXT], const struct joint_result *res,
    const struct opening *what, unsigned wait_s, const char *who,
    const char *own)
{
	switch (res->end) {
	case JOINT_REFUSED:
		return blame_refusal(out, res->reason, what, who, own);
	case JOINT_NO_PATH:
		snprintf(out, BLAME_TEXT, "%s was not there within %u s", who,
		    wait_s);
		return out;
	case JOINT_GONE:
	case JOINT_RESTARTED:
	case JOINT_ABORTED:
	case JOINT_STOPPED:
		snprintf(
		    out, BLAME_TEXT, "%s: %s", who, joint_end_text(res->end));
		return out;
	case JOINT_DONE:
	case JOINT_READ:
	case JOINT_WRITE:
	case JOINT_CLOSED:
		break;
	}
	return NULL;
}

const char *
blame_here(enum opening_reason r)
{
	if (r == OPENING_NAME)
		return "there is no such name";
	if (r == OPENING_FAILED)
		return "that could not be done";
	return opening_reason_text(r);
}

/* FNV-1a: two targets of one hash share what is told, and no more. */
static uint64_t
hash(const struct opening *what)
{
	char text[OPENING_TEXT];
	uint64_t h = 0xcbf29ce484222325u;

	for (const char *s = opening_format(what, text); *s != '\0'; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3u;
	return h;
}

static uint32_t
bit(const struct joint_result *res)
{
	return 1u << (res->end == JOINT_REFUSED ? (unsigned)res->reason & 15
						: 16 + (unsigned)res->end % 16);
}

bool
blame_tell(struct blame *b, const struct joint_result *res,
    const struct opening *what, uint64_t now_ms)
{
	uint64_t target = hash(what);
	size_t at = 0;

	for (size_t i = 0; i < BLAME_TARGETS; i++) {
		if (b->one[i].told != 0 && b->one[i].target == target) {
			bool new = (b->one[i].told & bit(res)) == 0;

			b->one[i].told |= bit(res);
			return new;
		}
		if (b->one[at].told != 0 &&
		    (b->one[i].told == 0 ||
			b->one[i].since_ms < b->one[at].since_ms))
			at = i;
	}
	if (b->one[at].told != 0 &&
	    now_ms - b->one[at].since_ms < BLAME_ROOM_MS)
		return false;
	b->one[at].target = target;
	b->one[at].since_ms = now_ms;
	b->one[at].told = bit(res);
	return true;
}

void
blame_over(struct blame *b, const struct opening *what)
{
	uint64_t target = hash(what);

	for (size_t i = 0; i < BLAME_TARGETS; i++) {
		b->one[i].told &= REASONS;
		if (b->one[i].target == target)
			b->one[i].told = 0;
	}
}
