/* SPDX-License-Identifier: ISC */
/* What a peer's stream gets here. */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blame.h"
#include "callee.h"
#include "caller.h"
#include "children.h"
#include "forwarding.h"
#include "guest.h"
#include "hook.h"
#include "inlet.h"
#include "log.h"
#include "program.h"
#include "quota.h"

/* A stream that takes more than a connection to a socket. */
struct visit {
	struct serve *serve;
	struct visit *next;
	struct quota *quota;
	struct joint *joint;
	struct opening what;
	struct hook *hook;
	struct program *program;
	struct inlet *inlet; /* a listener for the peer */
	struct callers callers;
	bool stdio;
};

struct serve {
	struct serve_config config;
	struct children *children;
	struct callees callees;
	struct visit *first;
	struct quotas *quotas;
	bool stdio_used;
	uint32_t programs, listeners;
	uint64_t total, refused;
	int cant_run; /* why the program could not be run the last time */
};

/* ---- what is told of refusals ---- */

static void
note(const struct serve *s, struct joint *j, const char *why)
{
	const uint8_t *key = link_key(joint_link(j));
	char name[KEY_STRLEN], what[OPENING_TEXT];

	log_info("%s: %s: refused: %s",
	    peerbook_name(s->config.book, key, name),
	    opening_format(joint_what(j), what), why);
}

static const char *
why_refused(enum opening_reason r)
{
	if (r == OPENING_PERMIT)
		return "not in the allow file";
	if (r == OPENING_BUSY)
		return "it has too many already";
	if (r == OPENING_NOBODY)
		return "there is no program";
	if (r == OPENING_IN_USE)
		return "the port is in use";
	return blame_here(r);
}

static void
unconnected_cb(void *arg, struct joint *j, const struct opening *what,
    enum opening_reason r)
{
	(void)what;
	note(arg, j, why_refused(r));
}

/* Once for each reason, until it runs again: who may come may come often. */
static void
warn_program(struct serve *s, int error)
{
	if (error != 0 && error != s->cant_run)
		log_warnx(
		    "can't run %s: %s", s->config.program[0], strerror(error));
	s->cant_run = error;
}

/* ---- visits ---- */

static struct visit *
visit_new(struct serve *s, struct quota *q, struct joint *j)
{
	struct visit *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->serve = s;
	v->quota = q;
	v->joint = j;
	v->what = *joint_what(j);
	v->next = s->first;
	s->first = v;
	q->visits++;
	return v;
}

static void
count_programs(struct visit *v, int n)
{
	v->quota->programs += (uint32_t)n;
	v->serve->programs += (uint32_t)n;
}

/* What it still has ends, too. */
static void
visit_free(struct visit *v)
{
	struct visit **p = &v->serve->first;

	while (*p != v)
		p = &(*p)->next;
	*p = v->next;
	if (v->hook != NULL || v->program != NULL)
		count_programs(v, -1);
	hook_cancel(v->hook);
	if (v->inlet != NULL)
		v->serve->listeners--;
	inlet_free(v->inlet);
	callers_end(&v->callers, true);
	v->quota->visits--;
	free(v);
}

/* Of a stream that was not answered yet. */
static void
refuse_as(struct visit *v, enum opening_reason r, const char *why)
{
	struct joint *j = v->joint;

	v->serve->refused++;
	note(v->serve, j, why);
	visit_free(v);
	joint_refuse(j, r);
}

static void
refuse(struct visit *v, enum opening_reason r)
{
	refuse_as(v, r, why_refused(r));
}

/* ---- our own standard input and output ---- */

static void
stdio_ended_cb(void *arg, const struct joint_result *r)
{
	struct visit *v = arg;
	struct serve *s = v->serve;

	visit_free(v);
	if (s->config.stdio_ended != NULL)
		s->config.stdio_ended(s->config.arg, r);
}

/* The stream's alone from now on: who waits for the end of our standard output
 * sees it when the stream ends it. Returns the descriptor or -errno. */
static int
take_over(int fd, int flags)
{
	int ours = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	int null = open("/dev/null", flags | O_CLOEXEC);
	int rc = ours == -1 || null == -1 || dup2(null, fd) == -1 ? -errno : 0;

	if (null != -1)
		close(null);
	if (rc != 0 && ours != -1)
		close(ours);
	return rc != 0 ? rc : ours;
}

static void
do_stdio(struct visit *v)
{
	struct joint_config config = {.ended = stdio_ended_cb, .arg = v};

	if (v->serve->stdio_used) {
		refuse(v, OPENING_BUSY);
		return;
	}
	v->serve->stdio_used = true;
	/* a person who has nothing to say does not keep the stream open */
	config.listen_end = isatty(STDIN_FILENO) == 1;
	config.in = take_over(STDIN_FILENO, O_RDONLY);
	config.out = take_over(STDOUT_FILENO, O_WRONLY);
	if (config.in >= 0 && config.out >= 0 &&
	    joint_accept(v->joint, 0, &config) == 0) {
		v->stdio = true;
		return;
	}
	if (config.in >= 0)
		close(config.in);
	if (config.out >= 0)
		close(config.out);
	refuse(v, OPENING_FAILED);
}

/* ---- a program ---- */

static void
program_over_cb(void *arg)
{
	struct visit *v = arg;

	count_programs(v, -1);
	v->program = NULL;
	visit_free(v);
}

static void
do_program(struct visit *v)
{
	struct serve *s = v->serve;
	struct envset env;
	int rc = -ENOMEM;

	if (s->config.program == NULL) {
		if (s->config.stdio)
			do_stdio(v);
		else
			refuse(v, OPENING_NOBODY);
		return;
	}
	if (v->quota->programs >= SERVE_PROGRAMS) {
		refuse(v, OPENING_BUSY);
		return;
	}
	guest_stream_env(&env, joint_link(v->joint), s->config.book);
	if (envset_of(&env) != NULL)
		rc = program_start(&v->program, v->joint,
		    &(struct program_config){
			.set = s->children,
			.argv = s->config.program,
			.envp = envset_of(&env),
			.over = program_over_cb,
			.arg = v,
		    });
	envset_clear(&env);
	warn_program(s, -rc);
	if (rc == 0) {
		count_programs(v, 1);
		return;
	}
	refuse(v, OPENING_FAILED);
}

/* ---- a listener for the peer (its -R) ---- */

static void
came_cb(void *arg, int fd)
{
	struct visit *v = arg;
	struct opening back = {.to = OPENING_BACK, .id = v->what.id};

	caller_take(&v->callers, fd, &back, false);
}

static void
listener_ended_cb(void *arg, const struct joint_result *r)
{
	(void)r;
	visit_free(arg);
}

static enum opening_reason
listen_reason(int rc)
{
	return rc == -EADDRINUSE || rc == -EEXIST ? OPENING_IN_USE
						  : OPENING_FAILED;
}

static void
do_listen(struct visit *v)
{
	int rc;

	v->callers.link = joint_link(v->joint);
	rc = inlet_open(&v->inlet, &(struct inlet_config){
				       .loop = v->serve->config.loop,
				       .bind = v->what.host,
				       .port = v->what.port,
				       .path = v->what.path,
				       .came = came_cb,
				       .arg = v,
				   });
	if (rc != 0) {
		refuse(v, listen_reason(rc));
		return;
	}
	v->serve->listeners++;
	rc = joint_accept(v->joint, inlet_port(v->inlet),
	    &(struct joint_config){
		.in = -1,
		.out = -1,
		.hold = true,
		.ended = listener_ended_cb,
		.arg = v,
	    });
	if (rc != 0)
		refuse(v, OPENING_FAILED);
}

/* ---- all ---- */

/* It is permitted. */
static void
serve_it(struct visit *v)
{
	struct joint *j = v->joint;
	struct serve *s = v->serve;
	struct opening what = v->what;

	switch (what.to) {
	case OPENING_PROGRAM:
		do_program(v);
		break;
	case OPENING_LISTEN:
		do_listen(v);
		break;
	case OPENING_TCP:
	case OPENING_UDP:
	case OPENING_UNIX:
		visit_free(v);
		callee_take(&s->callees, j, &what);
		break;
	case OPENING_BACK: /* not asked here */
		refuse(v, OPENING_NOBODY);
		break;
	}
}

static void
hook_cb(void *arg, bool yes)
{
	struct visit *v = arg;

	v->hook = NULL;
	count_programs(v, -1);
	if (yes)
		serve_it(v);
	else
		refuse_as(v, OPENING_PERMIT, "the hook does not say yes");
}

static void
ask(struct visit *v, const char *path)
{
	struct serve *s = v->serve;
	struct envset env;
	int rc = -ENOMEM;

	if (v->quota->programs >= SERVE_PROGRAMS) {
		refuse(v, OPENING_BUSY);
		return;
	}
	guest_wish_env(&env, joint_link(v->joint), s->config.book, &v->what);
	if (envset_of(&env) != NULL)
		rc = hook_ask(&v->hook, s->config.loop, s->children, path,
		    envset_of(&env), s->config.hook_ms, hook_cb, v);
	envset_clear(&env);
	if (rc == 0) {
		count_programs(v, 1);
		return;
	}
	log_warnx("can't run the hook %s: %s", path, strerror(-rc));
	refuse(v, OPENING_PERMIT);
}

/* The peer does not want it any more. */
static void
gone_cb(void *arg, struct joint *j)
{
	(void)j;
	visit_free(arg);
}

static enum opening_reason
greet(struct serve *s, struct joint *j)
{
	const uint8_t *key = link_key(joint_link(j));
	struct quota *q = quotas_take(s->quotas, key, now_ms());
	enum permit_answer answer;
	const char *hook = NULL;
	struct visit *v;

	if (q == NULL)
		return OPENING_BUSY;
	answer = permit_check(s->config.permit, key, joint_what(j), &hook);
	if (answer == PERMIT_NO)
		return OPENING_PERMIT;
	v = visit_new(s, q, j);
	if (v == NULL)
		return OPENING_FAILED;
	joint_on_gone(j, gone_cb, v);
	if (answer == PERMIT_HOOK)
		ask(v, hook);
	else
		serve_it(v);
	return OPENING_OK;
}

void
serve_opened(struct serve *s, struct joint *j)
{
	enum opening_reason r;

	s->total++;
	if (joint_what(j)->to == OPENING_BACK)
		r = forwarding_back(j) ? OPENING_OK : OPENING_NOBODY;
	else
		r = greet(s, j);
	if (r == OPENING_OK)
		return;
	s->refused++;
	note(s, j, why_refused(r));
	joint_refuse(j, r);
}

void
serve_allow(
    struct serve *s, const struct permit *permit, const struct peerbook *book)
{
	struct visit *next = NULL;
	const char *hook;

	s->config.permit = permit;
	s->config.book = book;
	for (struct visit *v = s->first; v != NULL; v = next) {
		struct joint *j = v->joint;

		next = v->next;
		if (v->inlet == NULL || permit_check(permit, v->quota->key,
					    &v->what, &hook) != PERMIT_NO)
			continue;
		visit_free(v);
		joint_cancel(j, true);
	}
}

int
serve_new(struct serve **out, const struct serve_config *c)
{
	struct serve *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return -ENOMEM;
	s->config = *c;
	if (s->config.hook_ms == 0)
		s->config.hook_ms = SERVE_HOOK_MS;
	s->callees.loop = c->loop;
	s->callees.resolver = c->resolver;
	s->callees.failed = unconnected_cb;
	s->callees.arg = s;
	rc = quotas_new(&s->quotas);
	if (rc == 0)
		rc = children_new(&s->children, c->loop);
	if (rc != 0) {
		quotas_free(s->quotas);
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void
serve_free(struct serve *s)
{
	struct visit *next = NULL;

	if (s == NULL)
		return;
	for (struct visit *v = s->first; v != NULL; v = next) {
		struct joint *j = v->joint;

		next = v->next;
		if (v->program != NULL) {
			program_stop(v->program);
			count_programs(v, -1);
			v->program = NULL;
			visit_free(v);
		} else if (v->stdio || v->inlet != NULL) {
			visit_free(v);
			joint_cancel(j, true);
		} else {
			refuse_as(v, OPENING_NOBODY, "this is the end");
		}
	}
	callees_end(&s->callees, true);
	children_free(s->children);
	quotas_free(s->quotas);
	free(s);
}

void
serve_status(const struct serve *s, struct serve_status *out)
{
	*out = (struct serve_status){
	    .programs = s->programs,
	    .listeners = s->listeners,
	    .open = s->callees.open,
	    .total = s->total,
	    .refused = s->refused + s->callees.refused,
	};
	for (const struct visit *v = s->first; v != NULL; v = v->next)
		out->open += v->callers.open;
}
