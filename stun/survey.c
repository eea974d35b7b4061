/* SPDX-License-Identifier: ISC */
/* nat-stun behaviour at work: rounds of questions, records, the order of the
 * axes (RFC 5780 section 4). */
#include "survey.h"

#include <errno.h>
#include <netinet/in.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exitcode.h"
#include "log.h"
#include "progress.h"
#include "record.h"

#define LONG_ROUNDS 4 /* before no UDP is said to pass */
/* Room for all that an answer without PADDING may hold: a server that sends
 * nothing longer than what it got (nat-stund -A) has to be asked so. */
#define FILLER 128

/* Filtering comes before anything but A:P1 is asked from any port: a question
 * opens the very filter. What waits longest comes last. */
static survey_fn *const order[] = {
    survey_translation,
    survey_filtering,
    survey_mapping,
    survey_allocation,
    survey_hairpin,
    survey_fragments_out,
    survey_fragments_in,
    survey_alg,
    survey_icmp,
    survey_refresh,
};

/* ---- records */

bool
survey_late(const struct survey *s)
{
	return s->broken || now_ms() >= s->end_ms;
}

bool
survey_deaf(const struct survey *s, int kind)
{
	return axes_heard(s->exact_sent[kind], s->exact[kind], s->rate) ==
	       AXES_NO;
}

void
survey_prove(struct survey *s, struct survey_item *i, int kind, bool heard)
{
	if (i->outcome == ASKER_UNSENT)
		return;
	s->exact_sent[kind]++;
	if (heard && s->exact[kind]++ == 0)
		s->exact_sent[kind] = 1;
}

const char *
survey_why_open(const struct survey *s)
{
	return survey_late(s) ? "time" : "loss";
}

/* As many as the record still holds. */
static void
put_list(struct record *r, const char *key, const struct addr *list, size_t n,
    size_t room)
{
	char text[RECORD_MAX], one[ADDR_STRLEN];
	size_t len = 0, add = 0;

	for (size_t i = 0; i < n; i++) {
		addr_format(&list[i], one);
		add = strlen(one);
		if (len + add + 1 >= room || len + add + 1 >= sizeof(text))
			break;
		if (len > 0)
			text[len++] = ',';
		memcpy(text + len, one, add);
		len += add;
	}
	text[len] = '\0';
	record_put(r, key, text);
}

static size_t
room(const struct record *r)
{
	return r->len + 32 < RECORD_MAX ? RECORD_MAX - 32 - r->len : 0;
}

static void
write_record(struct survey *s, const struct record *r)
{
	int err = 0;

	progress_clear(); /* a pipe may end at the same terminal */
	err = record_write(r, STDOUT_FILENO, s->json);
	if (err == 0)
		return;
	s->broken = true;
	if (err != -EPIPE) {
		errno = -err;
		log_warn("standard output");
	}
}

void
survey_tell(struct survey *s, const struct survey_finding *f)
{
	struct record r;
	size_t half = 0;

	record_begin(&r, "nat");
	record_put(&r, "axis", f->axis);
	record_put(&r, "value", f->value != NULL ? f->value : "inconclusive");
	if (f->value != NULL)
		record_put_u64(&r, "confidence", axes_confidence(f->chance));
	record_put_u64(&r, "sent", s->sent);
	record_put_u64(&r, "answered", s->answered);
	record_put_u64(&r, "runs", f->runs);
	record_put(&r, "reason", f->reason);
	record_put_addr(&r, "base", &f->base);
	half = f->servers > 0 ? room(&r) / 2 : room(&r);
	put_list(&r, "endpoints", f->endpoint, f->endpoints, half);
	put_list(&r, "servers", f->server, f->servers, half);
	if (f->step != 0)
		record_put_i64(&r, "step", f->step);
	write_record(s, &r);
	s->told++;
}

void
survey_verdict(struct survey *s, const struct axes_verdict *v)
{
	struct record r;

	record_begin(&r, "verdict");
	record_put(&r, "reaches", axes_reach_name(v->reach));
	record_put(&r, "method", v->method);
	record_put(&r, "reason", v->reason);
	write_record(s, &r);
}

/* ---- rounds */

struct survey_item *
survey_ask(struct survey *s, unsigned tag, int port, const struct addr *to)
{
	struct survey_item *i = &s->item[s->items];

	if (s->items == SURVEY_ITEMS)
		return NULL;
	s->items++;
	*i = (struct survey_item){
	    .survey = s, .tag = tag, .port = port, .to = *to};
	return i;
}

bool
survey_heard(const struct survey_item *i, const struct addr *from, int at)
{
	return i->outcome == ASKER_ANSWER && i->answer.error == 0 &&
	       addr_equal(&i->from, from) && i->at == at;
}

const struct addr *
survey_seen(const struct survey_item *i)
{
	static const struct addr none;

	if (i->outcome != ASKER_ANSWER || i->answer.error != 0)
		return &none;
	return answer_endpoint(&i->answer);
}

static void answered(void *arg, const struct asker_result *r);

static void
put(struct survey_item *i)
{
	struct survey *s = i->survey;
	struct asker_ask ask = {
	    .port = i->port,
	    .to = i->to,
	    .local = s->source,
	    .ttl = i->ttl,
	    .hairpin = i->hairpin,
	    .q = i->q,
	    .fn = answered,
	    .arg = i,
	};

	ask.q.bare = true;
	if (ask.q.padding == 0 && ask.q.filler < s->filler)
		ask.q.filler = s->filler;
	if (!survey_late(s)) {
		i->tries++;
		s->sent++;
		/* never port 0: a daemon's may have an address of its own */
		i->first = s->known[0][0] && s->fresh_port[i->port] &&
			   addr_equal(&i->to, &s->place[0][0]);
		s->fresh_port[i->port] &= !i->first;
		if (asker_ask(s->asker, &ask) == 0)
			return;
	}
	i->outcome = ASKER_UNSENT;
	i->at = -1;
	i->over = true;
}

/* What an ALG has left of the plain address. */
static void
compare(struct survey *s, const struct answer *a)
{
	if (a->error != 0 || a->plain.family == ADDR_NONE ||
	    a->mapped.family == ADDR_NONE)
		return;
	if (addr_equal(&a->plain, &a->mapped))
		s->alg_same++;
	else
		s->alg_other++;
}

static void
settle(struct survey *s)
{
	survey_fn *then = s->then;

	if (s->open > 0)
		return;
	s->then = NULL;
	then(s);
}

static void
answered(void *arg, const struct asker_result *r)
{
	struct survey_item *i = arg;
	struct survey *s = i->survey;
	bool ok = r->outcome == ASKER_ANSWER || r->outcome == ASKER_SELF;

	i->outcome = r->outcome;
	i->at = r->port;
	i->from = r->from;
	i->error = r->error;
	if (r->answer != NULL) {
		i->answer = *r->answer;
		compare(s, r->answer);
	}
	if (i->first && survey_seen(i)->family != ADDR_NONE)
		axes_pool_add(&s->pool, survey_seen(i), s->apart);
	s->answered += ok;
	if (i->control)
		axes_rate_add(&s->rate, ok);
	if (i->must && !ok && i->tries < SURVEY_TRIES && !survey_late(s) &&
	    axes_heard(i->tries, 0, s->rate) != AXES_NO)
		put(i);
	else
		i->over = true;
	s->open -= i->over;
	settle(s);
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	struct survey *s = arg;
	survey_fn *fn = s->timer_fn;

	(void)fd;
	(void)events;
	s->timer_fn = NULL;
	fn(s);
}

void
survey_wait(struct survey *s, uint32_t ms, survey_fn *then)
{
	s->timer_fn = then;
	loop_at(s->timer, now_ms() + ms);
}

/* By way of the loop even when nothing could be asked: then may well begin
 * another round. */
void
survey_run(struct survey *s, survey_fn *then)
{
	size_t n = s->asked = s->items;

	s->then = then;
	s->open = 0;
	for (size_t i = 0; i < n; i++) {
		put(&s->item[i]);
		s->open += !s->item[i].over;
	}
	s->items = 0; /* the next survey_ask begins a new round */
	if (s->open > 0)
		return;
	s->then = NULL;
	survey_wait(s, 0, then);
}

void
survey_run_mixed(struct survey *s, survey_fn *then)
{
	for (size_t n = s->items; n > 1; n--) {
		size_t k = randombytes_uniform((uint32_t)n);
		struct survey_item i = s->item[k];

		s->item[k] = s->item[n - 1];
		s->item[n - 1] = i;
	}
	survey_run(s, then);
}

/* What is under way now shows nothing any more. */
void
survey_cut(struct survey *s)
{
	for (size_t n = 0; n < s->asked; n++) {
		struct survey_item *i = &s->item[n];

		if (i->over)
			continue;
		asker_forget(s->asker, i);
		i->outcome = ASKER_UNSENT;
		i->at = -1;
		i->over = true;
	}
	s->open = 0;
	if (s->timer_fn != NULL)
		survey_wait(s, 0, s->timer_fn);
	else if (s->then != NULL)
		settle(s);
}

int
survey_open(struct survey *s)
{
	int index = asker_open(s->asker);

	if (index < 0) {
		errno = -index;
		log_warn("no further UDP port");
		return -1;
	}
	s->fresh_port[index] = true;
	return index;
}

bool
survey_redirect(
    struct survey *s, struct survey_item *i, const struct addr *seen)
{
	if (s->response_port != AXES_YES ||
	    !addr_equal_ip(seen, &s->helper.seen))
		return false;
	i->q.response_port = seen->port;
	i->q.response_port_long = s->response_port_long;
	return true;
}

/* ---- the server, and the order of the axes */

static void
name_places(struct survey *s, const struct answer *a, const struct addr *server)
{
	struct addr other = a->other;
	char text[ADDR_STRLEN], name[ADDR_STRLEN];

	s->place[0][0] = *server;
	s->known[0][0] = true;
	if (other.family == ADDR_NONE) {
		s->no_other = "server";
		log_warnx("%s names no other address, so filtering and mapping "
			  "can't be known; ask a server of RFC 5780 (nat-stun "
			  "check tells which is one)",
		    addr_format(server, text));
	} else if (!answer_other_is_askable(&other, server)) {
		s->no_other = "server";
		log_warnx("%s names an OTHER-ADDRESS that is not asked: %s",
		    addr_format(server, text), addr_format(&other, name));
	} else if (addr_equal_ip(&other, server)) {
		s->no_other = "same-ip";
		log_warnx("%s names its own address as OTHER-ADDRESS: "
			  "it can't show mapping and filtering",
		    addr_format(server, text));
	} else if (other.port == server->port) {
		s->no_other = "server";
		log_warnx("%s names one port twice in OTHER-ADDRESS: "
			  "it can't show mapping and filtering",
		    addr_format(server, text));
	}
	if (s->no_other == NULL) {
		s->place[0][1] = s->place[1][0] = s->place[0][0];
		s->place[0][1].port = other.port;
		s->place[1][1] = s->place[1][0] = other;
		s->place[1][0].port = server->port;
		s->known[0][1] = s->known[1][0] = s->known[1][1] = true;
	}
	for (int i = 0; i < 4; i++)
		if (s->known[i / 2][i % 2])
			asker_believe(s->asker, &s->place[i / 2][i % 2]);
}

/* The route's, before anything was learned: the interface's. */
static unsigned
find_mtu(const struct addr *to)
{
	bool v6 = to->family == ADDR_V6;
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss), size = sizeof(int);
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int mtu = 0;

	if (fd == -1)
		return 0;
	if (connect(fd, (struct sockaddr *)&ss, len) != 0 ||
	    getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
		v6 ? IPV6_MTU : IP_MTU, &mtu, &size) != 0)
		mtu = 0;
	close(fd);
	return mtu > 0 ? (unsigned)mtu : 0;
}

/* Addresses of one name may be those of one server, and asking a second one
 * opens the filter that is measured next. So it is one after the other, of each
 * family: a round with one question, one with more, the next address. At last
 * all of them are asked longer questions. */
static unsigned
first_round(const struct survey *s, size_t candidate)
{
	unsigned before = 0;

	for (size_t i = 0; i < candidate; i++)
		before +=
		    s->candidate[i].family == s->candidate[candidate].family;
	return before * 2;
}

static unsigned
rounds_apart(const struct survey *s)
{
	unsigned rounds = 0;

	for (size_t i = 0; i < s->candidates; i++)
		if (first_round(s, i) + 2 > rounds)
			rounds = first_round(s, i) + 2;
	return rounds;
}

static void
find_opened(struct survey *s)
{
	for (size_t i = 0; i < s->candidates; i++)
		s->opened =
		    s->opened ||
		    (first_round(s, i) < s->rounds && s->known[1][0] &&
			addr_equal_ip(&s->candidate[i], &s->place[1][0]));
}

static void
begin(struct survey *s, const struct survey_item *i)
{
	name_places(s, &i->answer, &i->to);
	find_opened(s);
	s->answered_at_all = true;
	s->source = i->answer.local;
	s->source.port = 0;
	s->seen[0][0] = *survey_seen(i);
	s->fresh_port[s->control] = false;
	axes_pool_add(&s->pool, &s->seen[0][0], false);
	s->mtu = find_mtu(&i->to);
	s->axis = 0;
	order[0](s);
}

/* The first in order that has another address, else the first. */
static const struct survey_item *
best_answer(const struct survey *s)
{
	const struct survey_item *best = NULL;

	for (size_t n = 0; n < s->asked; n++) {
		const struct survey_item *i = &s->item[n];

		if (survey_seen(i)->family == ADDR_NONE ||
		    (best != NULL && (best->answer.other.family != ADDR_NONE ||
					 i->answer.other.family == ADDR_NONE)))
			continue;
		best = i;
	}
	return best;
}

static void hello(struct survey *s);

static void
hello_over(struct survey *s)
{
	const struct survey_item *best = best_answer(s);
	bool plain = best != NULL && best->answer.other.family == ADDR_NONE;
	unsigned apart = rounds_apart(s);

	if (plain && s->plain.tries == 0)
		s->plain = *best;
	s->rounds = plain ? (s->rounds | 1) + 1 : s->rounds + 1;
	if (best != NULL && !plain)
		begin(s, best);
	else if (s->plain.tries > 0 && (s->rounds >= apart || survey_late(s)))
		begin(s, &s->plain);
	else if (s->rounds < apart + LONG_ROUNDS && !survey_late(s))
		hello(s);
	else
		s->over(s);
}

static void
hello(struct survey *s)
{
	bool all = s->rounds >= rounds_apart(s);
	unsigned each = all || s->rounds % 2 != 0 ? AXES_SENDS : 1;

	for (unsigned n = 0; n < each; n++)
		for (size_t i = 0; i < s->candidates; i++)
			if ((all || first_round(s, i) / 2 == s->rounds / 2) &&
			    asker_has_family(
				s->asker, s->control, s->candidate[i].family))
				survey_ask(s, 0, s->control, &s->candidate[i]);
	s->filler = all ? FILLER : 0;
	survey_run(s, hello_over);
}

void
survey_next(struct survey *s)
{
	for (size_t i = 0; i < s->probes; i++)
		asker_close(s->asker, s->probe[i].index);
	s->probes = 0;
	s->sent = s->answered = 0;
	s->stage = s->rounds = s->runs = 0;
	memset(s->exact, 0, sizeof(s->exact));
	memset(s->exact_sent, 0, sizeof(s->exact_sent));
	s->chance = 0;
	memset(s->value, 0, sizeof(s->value));
	memset(s->run_sent, 0, sizeof(s->run_sent));
	memset(s->run_heard, 0, sizeof(s->run_heard));
	if (++s->axis == sizeof(order) / sizeof(order[0]) || s->broken)
		s->over(s);
	else
		order[s->axis](s);
}

void
survey_start(struct survey *s)
{
	s->timer = loop_event(s->loop, -1, 0, timer_cb, s);
	s->start_ms = now_ms();
	if ((s->control = survey_open(s)) < 0) {
		s->over(s);
		return;
	}
	hello(s);
}

void
survey_stop(struct survey *s)
{
	if (s->timer != NULL)
		event_free(s->timer);
}
