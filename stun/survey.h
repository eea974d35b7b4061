/* SPDX-License-Identifier: ISC */
/* nat-stun behaviour at work: what it knows so far, and rounds of questions
 * (asker.h) that each axis is measured with. One file per group of axes; what
 * the answers mean is axes.h's. */
#ifndef NATKIT_SURVEY_H
#define NATKIT_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "asker.h"
#include "axes.h"
#include "loop.h"
#include "question.h"
#include "strays.h"

#define SURVEY_ITEMS 96	  /* questions of a round */
#define SURVEY_TRIES 16	  /* for one that has to be answered */
#define SURVEY_SHOWN 16	  /* endpoints in a record, as far as it holds them */
#define SURVEY_SERVERS 16 /* addresses of the name */
#define SURVEY_AXES 11	  /* records, one each */

struct survey;
typedef void survey_fn(struct survey *s);

/* One question of a round and what became of it. The first five are the
 * axis's; control: its answer counts for the rate. */
struct survey_item {
	struct survey *survey;
	unsigned tag;
	bool control;
	bool hairpin; /* sent to a port of ours */
	int ttl;
	struct question q;
	int port; /* index of the asker */
	struct addr to;
	bool must; /* asked again until it is answered */
	unsigned tries;
	bool over;
	bool first; /* of a fresh port, to A:P1: what makes its mapping */
	/* ASKER_UNSENT: it has left no trace, and shows nothing */
	enum asker_outcome outcome;
	struct answer answer; /* of ASKER_ANSWER */
	int at;		      /* port index where something came in, or -1 */
	struct addr from;
	int error;
};

/* What an axis came to. value NULL: inconclusive, because of reason. */
struct survey_finding {
	const char *axis;
	const char *value;
	const char *reason;
	double chance; /* that it is wrong */
	unsigned runs;
	struct addr base;
	struct addr endpoint[SURVEY_SHOWN];
	size_t endpoints;
	struct addr server[SURVEY_SHOWN];
	size_t servers;
	int step;
};

/* A port of ours and how A:P1 sees it. */
struct survey_port {
	int index;
	struct addr seen, local;
	uint64_t asked_ms; /* the latest question from it */
	uint64_t heard_ms; /* the latest that came in */
};

struct survey_filter {
	int port;
	unsigned sent[2], heard[2], ignored; /* [0] both, [1] the port alone */
	bool refused;			     /* 420 */
};

struct survey {
	struct loop *loop;
	struct asker *asker;
	struct event *timer;
	survey_fn *timer_fn;
	survey_fn *over; /* all axes are done, or there is no answer */
	void *arg;	 /* the caller's */
	bool json;
	bool shared; /* port 0 is a running daemon's */
	bool broken; /* nobody reads the records */
	bool answered_at_all;
	bool response_port_long;
	/* one port, one place, but another endpoint; or two ports, but one */
	bool unsteady;
	bool apart; /* what is asked now comes after a random wait */
	uint64_t start_ms, end_ms;

	struct addr candidate[SURVEY_SERVERS]; /* addresses to begin with */
	size_t candidates;
	struct survey_item plain; /* answered, but has no other address */
	bool opened;		  /* the other one was asked, as one of those */
	struct addr place[2][2];  /* [address A, B][port P1, P2] */
	bool known[2][2];
	const char *no_other; /* why B is not there */
	/* All questions leave with one source address: routing could pick
	 * another one for B, which no NAT is to be blamed for. */
	struct addr source;
	unsigned mtu;  /* of our way out */
	size_t filler; /* a server answers no shorter question */

	struct survey_item item[SURVEY_ITEMS];
	size_t items, asked, open; /* of the coming, the last round */
	survey_fn *then;
	unsigned sent, answered;    /* of this axis */
	struct axes_rate rate;	    /* of control questions */
	struct axes_rate meanwhile; /* until filtering was over */

	size_t axis; /* the running one, in order */
	size_t told; /* axes that are known */
	/* ports that serve all axes */
	int control; /* has asked every place: every filter is open */
	struct addr seen[2][2];	   /* the control port, by each place */
	struct survey_port helper; /* asks for answers to other ports */
	enum axes_heard response_port;
	unsigned helpers; /* tried */

	/* what was found */
	enum axes_heard translated;
	enum axes_dependence mapping, filtering;
	unsigned alg_same, alg_other;
	struct axes_pool pool;
	bool fresh_port[ASKER_PORTS]; /* has not asked A:P1 */

	/* of the running axis */
	unsigned stage, rounds, runs;
	int value[AXES_RUNS_MAX];
	unsigned run_sent[4], run_heard[4];
	struct addr run_seen[AXES_RUNS_MAX][2][2];
	struct survey_filter filter[3]; /* two fresh ports, the daemon's */
	size_t filters;
	unsigned exact[2], exact_sent[2]; /* control questions, of two kinds */
	struct axes_port fresh[3][10];
	size_t fresh_n[3];
	struct survey_port probe[48];
	size_t probes;
	unsigned internal, external, elsewhere; /* hairpins, by source */
	struct strays stray;
	bool stray_known;
	uint64_t stray_sent, stray_on, stray_off; /* in rounds with, without */
	int hop; /* TTL that a router outside answers */
	struct addr base;
	size_t large, small; /* bytes that take two packets, and just one */
	double chance;
};

/* ---- survey.c: rounds, records, the order of the axes */

/* The caller has set loop, asker, over, json, shared, candidates and end_ms,
 * the rest is zero. Port 0 is open. */
void survey_start(struct survey *s);
void survey_stop(struct survey *s);
/* The time is up: what is not known now is inconclusive. */
void survey_cut(struct survey *s);
void survey_verdict(struct survey *s, const struct axes_verdict *v);
/* The next axis. Call it last. */
void survey_next(struct survey *s);
bool survey_late(const struct survey *s);
/* A question of the coming round; NULL when it is full. The caller may fill q,
 * ttl, control and must in. */
struct survey_item *survey_ask(
    struct survey *s, unsigned tag, int port, const struct addr *to);
/* Asks them all; then is called once all are over. */
void survey_run(struct survey *s, survey_fn *then);
/* The same in a random order: a server that answers one question in so many
 * (by a limit, say) must not always leave out the same kind. */
void survey_run_mixed(struct survey *s, survey_fn *then);
void survey_wait(struct survey *s, uint32_t ms, survey_fn *then);
void survey_tell(struct survey *s, const struct survey_finding *f);
/* The answer is a success that came from there to that port. */
bool survey_heard(const struct survey_item *i, const struct addr *from, int at);
/* A fresh port, or -1: then the axis can't be measured here. */
int survey_open(struct survey *s);
/* Of a question that makes the server answer to another port (RFC 5780
 * section 7.5). False: it can't be asked for. */
bool survey_redirect(
    struct survey *s, struct survey_item *i, const struct addr *seen);
const struct addr *survey_seen(const struct survey_item *i); /* the endpoint */
/* Control questions that only some servers answer: they count for the rate
 * (item.control) once one was heard; and when none is, though others are,
 * there is no use in going on. */
void survey_prove(
    struct survey *s, struct survey_item *i, int kind, bool heard);
bool survey_deaf(const struct survey *s, int kind);
const char *survey_why_open(const struct survey *s); /* reason: time, loss */

/* ---- the axes */
survey_fn survey_translation; /* survey_mapping.c */
survey_fn survey_mapping;
survey_fn survey_filtering; /* survey_filtering.c */
/* The ports that serve all axes: between two parts of filtering. */
survey_fn survey_control; /* survey_mapping.c */
survey_fn survey_filtering_proof;
survey_fn survey_allocation;	/* survey_ports.c; and pooling */
survey_fn survey_hairpin;	/* survey_hairpin.c */
survey_fn survey_fragments_out; /* survey_payload.c */
survey_fn survey_fragments_in;
survey_fn survey_alg;
survey_fn survey_icmp;	  /* survey_icmp.c */
survey_fn survey_refresh; /* survey_refresh.c */

#endif
