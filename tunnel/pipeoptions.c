/* SPDX-License-Identifier: ISC */
/* nat-pipe's command line. */
#include "pipeoptions.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exitcode.h"
#include "hostport.h"
#include "log.h"
#include "option.h"
#include "ready.h"

#define BUDGET_MIB 64
#define BUDGET_MIB_MAX 65536
#define STREAMS 256
#define STREAMS_MAX 65536
#define OWN "Gcimnpsu" /* with forwards they make an engine of their own */
#define WAIT_S 30
#define WAIT_S_MAX 1000000

static const char usage[] =
    "nat-pipe [options] {peer | -L spec ... peer | -l [program] | routes file "
    "| status}; -h says more";
static const char help[] =
    "  nat-pipe [options] [-W host:port | -W /path] peer\n"
    "  nat-pipe [options] {-L | -R | -D | -U spec} ... peer\n"
    "  nat-pipe [options] -l [-a allowfile] [program [arg ...]]\n"
    "  nat-pipe [options] routes file\n"
    "  nat-pipe [-jk keyfile | -c path] status\n\n"
    "  -W where  join standard input and output to this port or Unix socket\n"
    "            of the peer's, in place of its program\n"
    "  -l        listen: a program for each stream, or our standard input and\n"
    "            output for one; with routes and forwards, too\n"
    "  -a file   who may reach what (~/.natkit/allow)\n"
    "  -L spec   [bind:]port:host:port, ...: as ssh has it\n"
    "  -R spec   the same; the peer listens\n"
    "  -D spec   [bind:]port: SOCKS5\n"
    "  -U spec   [bind:]port:host:port: UDP\n"
    "  -k file   our private key (~/.natkit/key)\n"
    "  -P file   names of peers (~/.natkit/peers)\n"
    "  -S server KEY@host[:port] of a rendezvous server; repeat for more\n"
    "            (NATKIT_SERVER)\n"
    "  -w s      seconds to wait for the peer (30)\n"
    "  -d        direct paths only\n"
    "  -r        relays only\n"
    "  -x if     do not use this interface; repeat for more\n"
    "  -p port   our UDP port (any)\n"
    "  -m MiB    memory for each peer's streams (64)\n"
    "  -n num    streams that a peer may have open (256)\n"
    "  -c path   control socket (KEYFILE.ctl)\n"
    "  -s path   serve the port socket there, and run no nat-connect\n"
    "  -i file   path records from this file or fifo, or - for standard "
    "input\n"
    "  -u user   run as this user\n"
    "  -G        neither UDP_GRO nor UDP_SEGMENT\n"
    "  -N fd     write a newline to fd when ready\n"
    "  -j        records as JSON Lines\n"
    "  --progress  bytes, rate and path on standard error, if a terminal\n"
    "  -q -v     say less, say more on standard error; -v with --progress\n";

/* ---- options ---- */

/* How the engine is to be, whoever has started it. */
static void
demand(struct pipeoptions *o, int ch, const char *value)
{
	int rc = demand_add(&o->demand, (char)ch, value);

	if (rc == -ENOSPC)
		option_fail("-%c: too many options", ch);
	if (rc != 0)
		option_fail("-%c: that is too long", ch);
}

/* An engine may have another folder than its clients. */
static void
demand_path(struct pipeoptions *o, int ch, const char *path)
{
	char cwd[DEMAND_TEXT], whole[2 * DEMAND_TEXT];

	if (path[0] == '/' || strcmp(path, "-") == 0 ||
	    getcwd(cwd, sizeof(cwd)) == NULL) {
		demand(o, ch, path);
		return;
	}
	snprintf(whole, sizeof(whole), "%s/%.255s", cwd, path);
	demand(o, ch, whole);
}

static void
demand_number(struct pipeoptions *o, int ch, uint32_t n)
{
	char text[12];

	snprintf(text, sizeof(text), "%" PRIu32, n);
	demand(o, ch, text);
}

static void
add_forward(struct pipeoptions *o, char kind, const char *text)
{
	const char *why = NULL;

	if (o->forwards == PIPEOPTIONS_FORWARDS)
		option_fail("-%c %s: %d are enough on a command line; put them "
			    "into a file: nat-pipe routes FILE",
		    kind, text, PIPEOPTIONS_FORWARDS);
	if (forward_parse(&o->forward[o->forwards], kind, text, &why) != 0)
		option_fail("-%c %s: %s", kind, text, why);
	o->forwards++;
}

static void
add_server(struct pipeoptions *o, const char *what, const char *text)
{
	struct wants check = {.servers = 0};

	if (wants_server(&check, text) < 0)
		option_fail("%s %s: give KEY@host:port, with the server's "
			    "public key",
		    what, text);
	if (o->servers == WANTS_SERVERS)
		option_fail("%s: %d servers are enough", what, WANTS_SERVERS);
	o->server[o->servers++] = text;
}

/* "host:port" of a TCP port, or "/path" */
static void
set_want(struct pipeoptions *o, const char *text)
{
	struct hostport_field field[HOSTPORT_FIELDS];
	char copy[HOSTPORT_TEXT];

	if (text[0] == '/') {
		if (strlen(text) >= sizeof(o->want.path))
			option_fail("-W %s: the path of a Unix socket has at "
				    "most %zu bytes",
			    text, sizeof(o->want.path) - 1);
		o->want.to = OPENING_UNIX;
		snprintf(o->want.path, sizeof(o->want.path), "%s", text);
		return;
	}
	o->want.to = OPENING_TCP;
	if (strlen(text) >= sizeof(copy))
		option_fail("-W %s: too long", text);
	snprintf(copy, sizeof(copy), "%s", text);
	if (hostport_split(copy, field) != 2 ||
	    hostport_field_host(o->want.host, &field[0]) != 0 ||
	    hostport_port(&o->want.port, field[1].text) != 0 ||
	    o->want.port == 0)
		option_fail("-W %s: give host:port ([v6]:port), or the path of "
			    "a Unix socket, as the peer sees it",
		    text);
}

static void
add_without(struct pipeoptions *o, const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || name[0] == '-' ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789._-") != len)
		option_fail("-x %s is no name of an interface", name);
	if (o->withouts == DRIVER_WITHOUT)
		option_fail("-x: %d are enough", DRIVER_WITHOUT);
	o->without[o->withouts++] = name;
}

static void
long_option(struct pipeoptions *o, const char *name)
{
	if (strcmp(name, "help") == 0)
		option_help();
	if (strcmp(name, "progress") != 0)
		option_fail("--%s is no option here", name);
	o->progress = true;
}

static void
number_option(struct pipeoptions *o, int ch, const char *text)
{
	switch (ch) {
	case 'm':
		o->budget_mib = option_number("-m", text, 1, BUDGET_MIB_MAX);
		demand_number(o, ch, o->budget_mib);
		break;
	case 'N':
		if ((o->ready_fd = ready_parse(text)) < 0)
			option_fail(
			    "-N wants an open descriptor above 2: %s", text);
		break;
	case 'n':
		o->streams = option_number("-n", text, 1, STREAMS_MAX);
		demand_number(o, ch, o->streams);
		break;
	case 'p':
		o->port = (uint16_t)option_number("-p", text, 1, UINT16_MAX);
		demand_number(o, ch, o->port);
		break;
	case 'w':
		o->wait_s = option_number("-w", text, 1, WAIT_S_MAX);
		break;
	}
}

static void
text_option(struct pipeoptions *o, int ch, const char *text)
{
	switch (ch) {
	case '-':
		long_option(o, text);
		break;
	case 'a':
		o->allow = text;
		break;
	case 'c':
		o->control = text;
		demand_path(o, ch, text);
		break;
	case 'i':
		o->records = text;
		demand_path(o, ch, text);
		break;
	case 'k':
		o->key = text;
		break;
	case 'P':
		o->peers = text;
		break;
	case 'S':
		o->servers_given = true;
		add_server(o, "-S", text);
		break;
	case 's':
		o->lend = text;
		demand_path(o, ch, text);
		break;
	case 'u':
		o->user = text;
		break;
	case 'W':
		set_want(o, text);
		break;
	case 'x':
		add_without(o, text);
		demand(o, ch, text);
		break;
	default:
		number_option(o, ch, text);
	}
}

static void
option(struct pipeoptions *o, int ch)
{
	o->own = o->own || strchr(OWN, ch) != NULL;
	switch (ch) {
	case 'D':
	case 'L':
	case 'R':
	case 'U':
		add_forward(o, (char)ch, optarg);
		break;
	case 'd':
	case 'r':
		if (o->only != 0 && o->only != (char)ch)
			option_fail("give either -d or -r");
		o->only = (char)ch;
		demand(o, ch, NULL);
		break;
	case 'G':
		o->gso = false;
		demand(o, ch, NULL);
		break;
	case 'j':
		o->json = true;
		break;
	case 'l':
		o->listen = true;
		break;
	default:
		text_option(o, ch, optarg);
	}
}

/* ---- operands ---- */

static void
too_many(const char *extra)
{
	if (extra == NULL)
		return;
	if (extra[0] == '-')
		option_fail("%s: options come before the peer", extra);
	option_fail("%s: one operand too many", extra);
}

/* [routes FILE] [peer, with forwards] [program, with -l] */
static void
engine_operands(struct pipeoptions *o, char **argv)
{
	if (*argv != NULL && strcmp(*argv, "routes") == 0) {
		o->routes = *++argv;
		if (o->routes == NULL)
			option_fail("routes: give the file");
		argv++;
	}
	if (o->forwards > 0) {
		o->peer = *argv;
		if (o->peer == NULL)
			option_fail("-%c: give the peer, by its name or its "
				    "public key",
			    o->forward[0].kind);
		argv++;
	}
	if (o->listen && *argv != NULL)
		o->program = argv;
	else
		too_many(*argv);
}

/* Forwards alone are run by whatever engine the key has, unless an option says
 * how it is to be; or a port that only root may listen at: an engine gives its
 * privileges away when it has started. */
static bool
needs_own(const struct pipeoptions *o)
{
	bool low = false;

	for (size_t i = 0; i < o->forwards; i++)
		low = low ||
		      (o->forward[i].kind != 'R' && o->forward[i].port > 0 &&
			  o->forward[i].port < IPPORT_RESERVED);
	return o->own || (low && geteuid() == 0);
}

static void
operands(struct pipeoptions *o, char **argv)
{
	if (*argv == NULL && !o->listen)
		option_fail("give the peer, by its name or its public key; or "
			    "-l, routes FILE, or status");
	if (!o->listen && o->forwards == 0 && strcmp(*argv, "status") == 0) {
		o->role = PIPE_STATUS;
		too_many(argv[1]);
	} else if (o->listen || o->forwards > 0 ||
		   strcmp(*argv, "routes") == 0) {
		engine_operands(o, argv);
		o->role = o->listen || o->routes != NULL || needs_own(o)
			      ? PIPE_ENGINE
			      : PIPE_CLIENT;
	} else {
		o->role = PIPE_CLIENT;
		o->peer = argv[0];
		too_many(argv[1]);
	}
}

/* ---- defaults ---- */

static const char *
format(const char *folder, const char *name)
{
	char *text = NULL;

	if (asprintf(&text, "%s/%s", folder, name) == -1)
		fatalx(EXIT_TEMP, "out of memory");
	return text;
}

static const char *
default_folder(struct pipeoptions *o)
{
	const char *folder = getenv("NATKIT_DIR"), *home = getenv("HOME");
	const struct passwd *pw;

	if (folder != NULL && *folder != '\0')
		return folder;
	if (home == NULL || *home == '\0') {
		pw = getpwuid(getuid());
		home = pw != NULL ? pw->pw_dir : "/";
	}
	return o->folder = format(home, ".natkit");
}

static void
default_servers(struct pipeoptions *o)
{
	const char *list = getenv("NATKIT_SERVER");
	char *save = NULL;

	if (list == NULL || o->servers_given)
		return;
	o->environment = strdup(list);
	if (o->environment == NULL)
		fatalx(EXIT_TEMP, "out of memory");
	for (char *one = strtok_r(o->environment, " \t\n", &save); one != NULL;
	     one = strtok_r(NULL, " \t\n", &save))
		add_server(o, "NATKIT_SERVER", one);
}

static void
defaults(struct pipeoptions *o)
{
	const char *folder = default_folder(o);

	if (o->key == NULL)
		o->key = format(folder, "key");
	if (o->peers == NULL)
		o->peers = format(folder, "peers");
	if (o->allow == NULL && o->listen)
		o->allow = format(folder, "allow");
	default_servers(o);
	o->progress = o->progress || log_verbosity() > 0;
}

static void
check(const struct pipeoptions *o)
{
	bool stdio = o->role == PIPE_CLIENT && o->forwards == 0;

	if (o->allow != NULL && !o->listen)
		option_fail("-a goes with -l");
	if (o->want.to != OPENING_PROGRAM && !stdio)
		option_fail("-W goes with a peer alone");
	if (o->records != NULL && strcmp(o->records, "-") == 0 && stdio)
		option_fail("-i -: standard input is for the peer; give a "
			    "fifo");
	if (o->user != NULL && o->role != PIPE_ENGINE)
		option_fail("-u goes with -l, routes or forwards");
	if (o->ready_fd >= 0 && (stdio || o->role == PIPE_STATUS))
		option_fail("-N goes with -l, routes or forwards");
}

void
pipeoptions_read(struct pipeoptions *o, int argc, char **argv)
{
	int ch;

	*o = (struct pipeoptions){.gso = true,
	    .budget_mib = BUDGET_MIB,
	    .streams = STREAMS,
	    .wait_s = WAIT_S,
	    .ready_fd = -1};
	option_begin(usage, help);
	/* + : what follows the first operand is the program's own. "-:" takes
	 * --progress for an option "-" with a value. */
	while (
	    (ch = option_next(argc, argv,
		 "+:-:a:c:D:dGhi:jk:L:lm:N:n:P:p:qR:rS:s:U:u:vW:w:x:")) != -1)
		option(o, ch);
	operands(o, argv + optind);
	check(o);
	defaults(o);
}

uint8_t *
pipeoptions_key(const struct pipeoptions *o, uint8_t pub[KEY_LEN])
{
	struct stat st;

	if (stat(o->key, &st) == -1 && errno == ENOENT)
		fatalx(EXIT_USAGE,
		    "%s: there is no key yet; make one with: (umask 077; mkdir "
		    "-p \"$(dirname '%s')\"; wg genkey > '%s')",
		    o->key, o->key, o->key);
	if (stat(o->key, &st) == 0 && !S_ISREG(st.st_mode))
		fatalx(EXIT_USAGE,
		    "%s: the key has to be in a plain file, which is read "
		    "more than once",
		    o->key);
	return option_key(o->key, pub);
}
