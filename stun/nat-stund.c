/* SPDX-License-Identifier: ISC */
/* nat-stund: a STUN server (RFC 8489) that can be asked how a NAT behaves (RFC
 * 5780). Options, processes, set-up, tear-down; the work is done in
 * worker.c and responder.c. */
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "board.h"
#include "drop.h"
#include "exitcode.h"
#include "log.h"
#include "loop.h"
#include "option.h"
#include "ready.h"
#include "record.h"
#include "twinlink.h"
#include "worker.h"

#define PORT 3478 /* RFC 8489 section 18.6 */
#define PORT2 3479
#define PROCESSES_MAX 64

struct stund {
	struct loop loop;
	struct worker worker;	 /* of this process */
	struct sockets *sockets; /* of each process */
	struct tally *tallies;	 /* of each process, shared */
	unsigned int processes, me;
	pid_t child[PROCESSES_MAX]; /* [0] is unused */
	pid_t parent;

	/* the first process has these */
	struct board board;
	struct event *sigchld;

	struct responder_config config;
	uint16_t port, port2;
	const char *socket, *user;

	const char *twin, *keyfile; /* -O and -k */
	const char *peer;	    /* of -O without its key */
	struct twin_keys *keys;
	struct twinlink *link;
	int ready_fd;
	bool announce, json;
};

static const char usage[] =
    "nat-stund [-1Ahjqv] [-b addr] ... [-c control] [-k keyfile] [-N fd]\n"
    "           [-n processes] [-O KEY@host:port] [-P alternate_port]\n"
    "           [-p port] [-r answers_per_second] [-u user]";

/* With the defaults in it. */
static const char *
help(void)
{
	static char text[1600];

	snprintf(text, sizeof(text),
	    "  -b addr   listen on this address (all); two of a family make "
	    "an\n"
	    "            RFC 5780 server of it\n"
	    "  -p port   UDP and TCP port (%d)\n"
	    "  -P port   the alternate port, where there are two addresses "
	    "(%d)\n"
	    "  -O KEY@host:port  public key, host and -p of another nat-stund "
	    "that\n"
	    "            lends us its address, and is lent ours; wants -b and "
	    "-k\n"
	    "  -k file   our private key, for -O\n"
	    "  -A        no answer is longer than its request\n"
	    "  -r num    answers per second to one address (%d)\n"
	    "  -n num    processes, for as many processor cores (1)\n"
	    "  -c path   control socket: hello, stats, watch\n"
	    "  -u user   run as this user (nobody)\n"
	    "  -N fd     write a newline to fd when ready\n"
	    "  -1        print a listen record per UDP socket when ready\n"
	    "  -j        records as JSON Lines\n"
	    "  -q -v     say less, say more on standard error\n",
	    PORT, PORT2, RESPONDER_RATE);
	return text;
}

static void
add_bind(struct stund *d, const char *text)
{
	struct addr a;
	struct addr *place;

	if (addr_parse_ip(&a, text, 0) != 0)
		option_fail("-b wants an IPv4 or IPv6 address: %s", text);
	if (addr_is_any(&a) || addr_is_multicast(&a))
		option_fail("-b wants an address of this host: %s", text);
	if (a.family == ADDR_V6 && addr_is_link_local(&a))
		option_fail("-b %s: a link-local address is not the host's "
			    "alone; without -b it is listened on, too",
		    text);
	place = a.family == ADDR_V4 ? d->config.v4.place : d->config.v6.place;
	if (place[0].family == ADDR_NONE)
		place[0] = a;
	else if (addr_equal_ip(&a, &place[0]))
		option_fail("-b %s is given twice", text);
	else if (place[RESPONDER_OTHER].family == ADDR_NONE)
		place[RESPONDER_OTHER] = a;
	else
		option_fail(
		    "-b %s: two addresses of a family are enough", text);
}

static void
option(struct stund *d, int ch)
{
	switch (ch) {
	case '1':
		d->announce = true;
		break;
	case 'A':
		d->config.modest = true;
		break;
	case 'b':
		add_bind(d, optarg);
		break;
	case 'c':
		d->socket = optarg;
		break;
	case 'j':
		d->json = true;
		break;
	case 'k':
		d->keyfile = optarg;
		break;
	case 'N':
		if ((d->ready_fd = ready_parse(optarg)) < 0)
			option_fail(
			    "-N wants an open descriptor above 2: %s", optarg);
		break;
	case 'n':
		d->processes = option_number("-n", optarg, 1, PROCESSES_MAX);
		break;
	case 'O':
		d->twin = optarg;
		break;
	case 'P':
		d->port2 = (uint16_t)option_number("-P", optarg, 0, UINT16_MAX);
		break;
	case 'p':
		d->port = (uint16_t)option_number("-p", optarg, 0, UINT16_MAX);
		break;
	case 'r':
		d->config.rate =
		    option_number("-r", optarg, 1, RESPONDER_RATE_MAX);
		break;
	case 'u':
		d->user = optarg;
		break;
	}
}

/* P1 and P2 of A and, when it is there, of B. */
static void
lay_out(struct stund *d, struct responder_family *f)
{
	struct addr *place = f->place;
	bool four = place[RESPONDER_OTHER].family != ADDR_NONE;

	f->twin = d->twin != NULL && place[0].family != ADDR_NONE;
	for (unsigned int i = 0; (four || f->twin) && i < 2; i++)
		place[2 * i + RESPONDER_PORT2] = place[2 * i];
	for (unsigned int i = 0; i < RESPONDER_PLACES; i++)
		place[i].port = i & RESPONDER_PORT2 ? d->port2 : d->port;
}

/* A twin has to know what it lends, and where it may be asked. */
static void
check_twin(const struct stund *d)
{
	const struct addr *v4 = d->config.v4.place, *v6 = d->config.v6.place;

	if (d->twin == NULL && d->keyfile != NULL)
		option_fail("-k is for -O, which names the twin");
	if (d->twin == NULL)
		return;
	if (d->keyfile == NULL)
		option_fail("-O wants -k, our private key; `wg genkey` makes "
			    "one");
	if (v4[0].family == ADDR_NONE && v6[0].family == ADDR_NONE)
		option_fail("-O wants -b, the address that we lend");
	if (v4[RESPONDER_OTHER].family != ADDR_NONE ||
	    v6[RESPONDER_OTHER].family != ADDR_NONE)
		option_fail("-O wants one -b of a family: the other address is "
			    "the twin's");
	if (d->port == 0 || d->port2 == 0)
		option_fail("-O wants ports that the twin has, too: -p and -P "
			    "can't be 0");
}

static void
options(struct stund *d, int argc, char **argv)
{
	int ch;

	d->config.rate = RESPONDER_RATE;
	d->port = PORT;
	d->port2 = PORT2;
	d->processes = 1;
	d->ready_fd = -1;
	option_begin(usage, help());
	while (
	    (ch = option_next(argc, argv, ":1Ab:c:hjk:N:n:O:P:p:qr:u:v")) != -1)
		option(d, ch);
	if (optind < argc)
		option_fail("no operands are taken: %s", argv[optind]);
	if (d->port == d->port2 && d->port != 0)
		option_fail("-p and -P want two ports, not %u twice", d->port);
	check_twin(d);
	if (d->config.v4.place[0].family == ADDR_NONE &&
	    d->config.v6.place[0].family == ADDR_NONE) {
		d->config.v4.place[0].family = ADDR_V4;
		/* a system without IPv6 is no reason not to serve IPv4 */
		if (access("/proc/net/if_inet6", F_OK) == 0)
			d->config.v6.place[0].family = ADDR_V6;
	}
	lay_out(d, &d->config.v4);
	lay_out(d, &d->config.v6);
	if (d->twin == NULL)
		return;
	d->keys = sodium_malloc(sizeof(*d->keys));
	if (d->keys == NULL)
		fatalx(EXIT_TEMP, "out of memory");
	twinlink_options(d->keys, &d->peer, d->twin, d->keyfile, d->port);
}

/* First alone: SO_REUSEPORT would let us in where another server of this user
 * listens. This also finds the numbers of ports that are 0. */
static void
open_sockets(struct stund *d)
{
	bool shared = d->processes > 1;
	struct addr failed;
	int rc;

	d->sockets = calloc(d->processes, sizeof(*d->sockets));
	d->tallies = tally_new(d->processes);
	if (d->sockets == NULL || d->tallies == NULL)
		fatalx(EXIT_TEMP, "out of memory");
	rc = sockets_open(&d->sockets[0], &d->config, false, &failed);
	if (rc == 0 && shared)
		sockets_close(&d->sockets[0]);
	for (unsigned int i = 0; rc == 0 && shared && i < d->processes; i++)
		rc = sockets_open(&d->sockets[i], &d->config, true, &failed);
	if (rc != 0)
		option_cannot_listen(rc, &failed, "STUN server", "-p and -P");
	if (!shared)
		return;
	rc = sockets_steer(&d->sockets[0], d->processes);
	if (rc != 0) {
		errno = -rc;
		fatal(EXIT_USAGE, "can't share the work of -n");
	}
}

/* Makes the other processes, each of which closes what is not its own: who
 * reads what -N writes shall see its end, too. */
static void
multiply(struct stund *d)
{
	d->parent = getpid();
	for (unsigned int i = 1; i < d->processes; i++) {
		d->child[i] = fork();
		if (d->child[i] == -1)
			fatal(
			    EXIT_TEMP, "can't make %u processes", d->processes);
		if (d->child[i] == 0) {
			d->me = i;
			if (d->ready_fd != -1)
				close(d->ready_fd);
			break;
		}
	}
	for (unsigned int i = 0; i < d->processes; i++)
		if (i != d->me)
			sockets_close(&d->sockets[i]);
}

static void
twin_cb(void *arg)
{
	struct stund *d = arg;

	if (d->me != 0)
		return;
	if (twinlink_place(d->link, ADDR_V4) == NULL &&
	    twinlink_place(d->link, ADDR_V6) == NULL)
		log_warnx("the twin at %s does not answer: we serve as one "
			  "address",
		    d->peer);
	else
		log_info("the twin at %s lends us its address", d->peer);
	board_tell_twin(&d->board);
}

/* A server that is one process short would leave a part of the world without
 * answers: whoever started it should know. */
static void
sigchld_cb(evutil_socket_t sig, short events, void *arg)
{
	struct stund *d = arg;
	int status;

	(void)sig;
	(void)events;
	for (unsigned int i = 1; i < d->processes; i++) {
		if (d->child[i] == 0 ||
		    waitpid(d->child[i], &status, WNOHANG) != d->child[i])
			continue;
		d->child[i] = 0;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
			loop_end(&d->loop, EXIT_YES); /* it was told to */
			continue;
		}
		log_warnx("one of the processes has died, so all end");
		loop_end(&d->loop,
		    WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_TEMP);
	}
}

static void
open_board(struct stund *d)
{
	int rc;

	d->board = (struct board){.sockets = &d->sockets[0],
	    .config = &d->config,
	    .tallies = d->tallies,
	    .processes = d->processes,
	    .link = &d->link};
	if (d->socket == NULL)
		return;
	rc = board_open(&d->board, &d->loop, d->socket);
	if (rc != 0) {
		errno = -rc;
		fatal(EXIT_USAGE, "%s", d->socket);
	}
}

static void
start_twin(struct stund *d)
{
	struct twinlink_config config = {
	    .peer = d->peer,
	    .keys = d->keys,
	    .lends = d->me == 0,
	    .changed = twin_cb,
	    .arg = d,
	};
	int rc = twinlink_start(&d->link, &d->worker, &config);

	if (rc != 0) {
		errno = -rc;
		fatal(EXIT_TEMP, "can't start");
	}
}

static void
start(struct stund *d)
{
	int rc;

	loop_init(&d->loop, false);
	if (d->me == 0)
		open_board(d);
	drop_to(d->user);
	if (d->me != 0 &&
	    (prctl(PR_SET_PDEATHSIG, SIGTERM) == -1 || getppid() != d->parent))
		exit(EXIT_TEMP);
	rc = worker_start(&d->worker, &d->loop, &d->sockets[d->me], &d->config,
	    &d->tallies[d->me]);
	if (rc != 0) {
		errno = -rc;
		fatal(EXIT_TEMP, "can't start");
	}
	if (d->twin != NULL)
		start_twin(d);
	if (d->me != 0 || d->processes == 1)
		return;
	d->sigchld = loop_event(
	    &d->loop, SIGCHLD, EV_SIGNAL | EV_PERSIST, sigchld_cb, d);
	event_add(d->sigchld, NULL);
	sigchld_cb(SIGCHLD, 0, d); /* one may be dead already */
}

static void
announce(struct stund *d)
{
	char text[ADDR_STRLEN];
	struct record r;

	for (int i = 0; i < SOCKETS; i++) {
		const struct listener *l = d->sockets[0].udp[i];

		if (l == NULL)
			continue;
		log_info(
		    "listening on %s", addr_format(listener_addr(l), text));
		if (!d->announce)
			continue;
		board_listen(&r, l);
		record_write(&r, STDOUT_FILENO, d->json);
	}
	ready_tell(d->ready_fd);
}

static void
stop(struct stund *d)
{
	for (unsigned int i = 1; d->me == 0 && i < d->processes; i++)
		if (d->child[i] != 0 && kill(d->child[i], SIGTERM) == 0)
			waitpid(d->child[i], NULL, 0);
	board_close(&d->board);
	if (d->sigchld != NULL)
		event_free(d->sigchld);
	worker_stop(&d->worker);
	sockets_close(&d->sockets[d->me]);
	free(d->sockets);
	tally_free(d->tallies, d->processes);
	twinlink_stop(d->link);
	sodium_free(d->keys);
	loop_free(&d->loop);
}

int
main(int argc, char **argv)
{
	static struct stund d;
	int code;

	log_init("nat-stund", 0);
	if (sodium_init() == -1)
		fatalx(EXIT_INTERNAL, "libsodium can't start");
	options(&d, argc, argv);
	open_sockets(&d);
	multiply(&d);
	start(&d);
	if (d.me == 0)
		announce(&d);
	code = loop_run(&d.loop);
	stop(&d);
	return code;
}
