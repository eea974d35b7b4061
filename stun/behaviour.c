/* SPDX-License-Identifier: ISC */
/* nat-stun behaviour: what does the NAT in front of this host do, on the axes
 * of RFC 4787, and whom does it let us reach? Options, set-up, the verdict. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmdline.h"
#include "command.h"
#include "exitcode.h"
#include "inquiry.h"
#include "log.h"
#include "option.h"
#include "progress.h"
#include "survey.h"
#include "tcpask.h"

#define WAIT_S 20
#define TCP_MS 3000

static const char usage[] =
    "nat-stun behaviour [-46hjqv] [-s path | -p port] [-w seconds] server";
static const char help[] =
    "  -4 -6     use this family only (IPv4, else IPv6)\n"
    "  -s path   measure the port that nat-port lends on this socket\n"
    "  -p port   use a UDP port of its own (any)\n"
    "  -w s      wait so long at most (20); refresh needs as long as a\n"
    "            mapping lives, and half a minute more\n"
    "  -j        records as JSON Lines\n"
    "  -q -v     say less, say more on standard error\n";

struct behaviour {
	struct cmdline o;
	struct inquiry q;
	struct survey survey;
	struct tcpask *tcp;
	struct progress progress;
	bool begun;
};

static void
tell(struct behaviour *b, const struct axes_verdict *v, int code)
{
	survey_verdict(&b->survey, v);
	inquiry_end(&b->q, b->survey.broken ? EXIT_TEMP : code);
}

/* ---- no answer over UDP: is it the way, or the server? */

static void
no_answer(struct behaviour *b)
{
	log_warnx("%s: time-out: no answer", b->o.server[0]);
	inquiry_end(&b->q, EXIT_TEMP);
}

static void
tcp_cb(void *arg, bool answered)
{
	struct behaviour *b = arg;
	struct axes_verdict v = {AXES_REACH_NONE, "tcp", "no-udp"};

	if (answered)
		tell(b, &v, EXIT_NO);
	else
		no_answer(b);
}

static void
ask_tcp(struct behaviour *b)
{
	if (asker_stats(b->q.asker).broken > 0) {
		log_warnx("%s: answers come in, but spoilt on the way",
		    b->o.server[0]);
		inquiry_end(&b->q, EXIT_TEMP);
		return;
	}
	if (b->survey.candidates == 0 ||
	    tcpask_start(&b->tcp, &b->q.loop, &b->survey.candidate[0], TCP_MS,
		tcp_cb, b) != 0)
		no_answer(b);
}

/* ---- the survey */

static void
over(struct survey *s)
{
	struct behaviour *b = s->arg;
	struct axes_verdict v;

	if (!s->answered_at_all) {
		ask_tcp(b);
		return;
	}
	v = axes_verdict(s->translated, s->mapping, s->filtering);
	tell(b, &v, v.reach == AXES_REACH_UNKNOWN ? EXIT_NO : EXIT_YES);
}

/* Where there is a choice: NATs are a matter of IPv4. */
static void
add_family(struct behaviour *b, int family)
{
	struct survey *s = &b->survey;

	for (size_t i = 0; i < b->q.servers; i++)
		if (b->q.server[i].family == family &&
		    s->candidates < SURVEY_SERVERS)
			s->candidate[s->candidates++] = b->q.server[i];
}

static void
describe(void *arg, char *out, size_t cap)
{
	const struct behaviour *b = arg;

	snprintf(
	    out, cap, "%zu of %d axes measured", b->survey.told, SURVEY_AXES);
}

static void
begin_cb(void *arg)
{
	struct behaviour *b = arg;

	b->survey.loop = &b->q.loop;
	b->survey.asker = b->q.asker;
	b->survey.end_ms = b->q.end_ms;
	add_family(b, ADDR_V4);
	add_family(b, ADDR_V6);
	b->begun = true;
	/* records on the same terminal show it, too */
	if (!isatty(STDOUT_FILENO))
		progress_begin(
		    &b->progress, &b->q.loop, b->q.start_ms, describe, b);
	survey_start(&b->survey);
}

static void
late_cb(void *arg)
{
	struct behaviour *b = arg;

	if (b->begun)
		survey_cut(&b->survey);
}

int
stun_command_behaviour(int argc, char *argv[])
{
	static struct behaviour b;
	int code = 0;

	cmdline_parse(&b.o, argc, argv, ":46hjqvs:p:w:", usage, help);
	if (argc - optind != 1)
		option_fail("give one server");
	cmdline_server(&b.o, argv[optind]);
	if (!b.o.timed)
		b.o.wait_ms = WAIT_S * 1000;
	b.survey.json = b.o.json;
	b.survey.shared = b.o.path != NULL;
	b.survey.over = over;
	b.survey.arg = &b;
	inquiry_start(&b.q, &b.o, begin_cb, late_cb, &b);
	code = inquiry_run(&b.q);
	progress_end(&b.progress);
	if (!b.q.done && code == EXIT_TEMP)
		log_warnx("interrupted before all was measured");
	survey_stop(&b.survey);
	tcpask_free(b.tcp);
	inquiry_free(&b.q);
	return code;
}
