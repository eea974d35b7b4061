/* SPDX-License-Identifier: ISC */
/* The command line of nat-relay turn. */
#include "turnoptions.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "exitcode.h"
#include "log.h"
#include "option.h"
#include "ready.h"
#include "seating.h"

#define KEEPALIVE_S 25 /* below the 30 s of the shortest-lived NAT mappings */

static const char usage[] =
    "nat-relay turn [-146hjqv] [-C cafile] [-d port] [-N fd] [-p port]\n"
    "       [-r families] [-T udp|tcp|tls] [-t seconds]\n"
    "       -k secretfile | -u userfile  [peer ...] server";
static const char help[] =
    "  peer      ADDRESS or ADDRESS:PORT that may send to us; nobody else may\n"
    "  server    host[:port], or a URI: turn:host?transport=tcp, turns:host\n"
    "  -u file   user and password, a line each\n"
    "  -k file   the secret that the server has, too: names are made of it\n"
    "  -d port   the daemon's port on 127.0.0.1 (who sent to us last)\n"
    "  -p port   UDP port on 127.0.0.1 for the first peer, the next for the\n"
    "            second ... (any)\n"
    "  -r 4|6|46 relayed addresses of these families (those of the peers; 4)\n"
    "  -T how    udp, tcp or tls to the server (udp)\n"
    "  -C file   trust these certificates (the system's)\n"
    "  -t s      refresh so often (25)\n"
    "  -1        end when there is no allocation, or no more\n"
    "  -4 -6     use this family to the server only\n"
    "  -N fd     write a newline there when datagrams can flow\n"
    "  -j        records as JSON Lines\n"
    "  -q -v     say less, say more on standard error\n"
    "Standard input: permit PEER, forbid PEER\n";

static void
set_transport(struct turnoptions *o, const char *text)
{
	static const enum turnlink_transport all[] = {
	    TURNLINK_UDP, TURNLINK_TCP, TURNLINK_TLS};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(text, turnlink_name(all[i])) == 0) {
			o->transport = all[i];
			return;
		}
	}
	option_fail("-T %s: give udp, tcp or tls", text);
}

static void
set_families(struct turnoptions *o, const char *text)
{
	o->relay4 = strchr(text, '4') != NULL;
	o->relay6 = strchr(text, '6') != NULL;
	if (text[0] == '\0' || text[strspn(text, "46")] != '\0')
		option_fail("-r %s: give 4, 6 or 46", text);
}

static void
option(struct turnoptions *o, int letter, char *arg, const char **user_file,
    const char **secret_file)
{
	switch (letter) {
	case '1':
		o->one = true;
		break;
	case '4':
		o->v6 = false;
		break;
	case '6':
		o->v4 = false;
		break;
	case 'C':
		o->ca_file = arg;
		break;
	case 'd':
		o->daemon = (uint16_t)option_number("-d", arg, 1, 65535);
		break;
	case 'j':
		o->json = true;
		break;
	case 'k':
		*secret_file = arg;
		break;
	case 'N':
		o->ready_fd = ready_parse(arg);
		if (o->ready_fd < 0)
			option_fail(
			    "-N %s: give an open descriptor above 2", arg);
		break;
	case 'p':
		o->port = (uint16_t)option_number("-p", arg, 1, 65535);
		break;
	case 'r':
		set_families(o, arg);
		break;
	case 'T':
		set_transport(o, arg);
		break;
	case 't':
		o->keepalive_s = option_number("-t", arg, 1, 300);
		break;
	case 'u':
		*user_file = arg;
		break;
	}
}

/* turn:host[:port][?transport=udp|tcp] and turns:... (RFC 7065). */
static const char *
read_uri(struct turnoptions *o, char *text, bool transport_given)
{
	bool tls = strncasecmp(text, "turns:", 6) == 0;
	char *query = strchr(text, '?');
	enum turnlink_transport told = tls ? TURNLINK_TLS : TURNLINK_UDP;

	if (!tls && strncasecmp(text, "turn:", 5) != 0)
		return text;
	if (query != NULL) {
		if (strcasecmp(query, "?transport=tcp") == 0)
			told = tls ? TURNLINK_TLS : TURNLINK_TCP;
		else if (strcasecmp(query, "?transport=udp") != 0 || tls)
			option_fail("%s: of the URI, only ?transport=udp or "
				    "tcp is understood, and turns: is TLS",
			    text);
		*query = '\0';
	}
	if (transport_given && o->transport != told)
		option_fail("%s: -T says another transport", text);
	o->transport = told;
	return text + (tls ? 6 : 5);
}

static void
set_server(struct turnoptions *o, char *text, bool transport_given)
{
	const char *rest = NULL;
	uint16_t port;
	struct addr a;

	o->name = text;
	if (strncasecmp(text, "stun:", 5) == 0)
		option_fail("%s: a STUN server relays nothing; give a TURN "
			    "server",
		    text);
	rest = read_uri(o, text, transport_given);
	if (resolve_parse(rest,
		o->transport == TURNLINK_TLS ? TURNS_PORT : TURN_PORT, o->host,
		&port) != 0)
		option_fail(
		    "%s: the server comes last, as host or host:port", o->name);
	if (addr_parse_ip(&a, o->host, port) == 0)
		addr_format(&a, o->server);
	else
		snprintf(o->server, sizeof(o->server), "%s:%u", o->host, port);
}

static void
check_peers(struct turnoptions *o)
{
	bool need4 = false, need6 = false;
	int named = 0;

	for (int i = 0; i < o->n_peers; i++) {
		struct addr a;

		if (!seating_peer(&a, o->peers[i]))
			option_fail("%s: a peer is ADDRESS or ADDRESS:PORT, "
				    "and the server comes last",
			    o->peers[i]);
		need4 |= a.family == ADDR_V4;
		need6 |= a.family == ADDR_V6;
		named += a.port != 0;
		if (a.port == 0 && o->daemon == 0)
			option_fail("%s: without its port, say with -d which "
				    "port the daemon has",
			    o->peers[i]);
	}
	if (o->port != 0 && named == 0)
		option_fail("-p: name a peer with its port, ADDRESS:PORT");
	if (o->port + named > 65536)
		option_fail("-p %u: too high for %d peers", o->port, named);
	if (!o->relay4 && !o->relay6) {
		o->relay6 = need6;
		o->relay4 = need4 || !need6;
	}
	if ((need4 && !o->relay4) || (need6 && !o->relay6))
		option_fail("-r: a peer has an address of another family");
}

static void
check_file(int err, const char *path, bool loose, const char *what)
{
	if (err == -EINVAL)
		fatalx(EXIT_USAGE, "%s: %s", path, what);
	if (err != 0) {
		errno = -err;
		fatal(EXIT_USAGE, "%s", path);
	}
	if (loose)
		log_warnx("%s: others may read it; chmod 600 it", path);
}

static void
load(struct turnoptions *o, const char *user_file, const char *secret_file)
{
	bool loose = false;
	int err = 0;

	o->login = sodium_malloc(sizeof(*o->login));
	if (o->login == NULL)
		fatalx(EXIT_TEMP, "out of memory");
	memset(o->login, 0, sizeof(*o->login));
	if (user_file != NULL) {
		err = turnlogin_load(o->login, user_file, &loose);
		check_file(err, user_file, loose,
		    "write the user into the first line and the password "
		    "into the second");
		return;
	}
	o->secret = sodium_malloc(sizeof(*o->secret));
	if (o->secret == NULL)
		fatalx(EXIT_TEMP, "out of memory");
	err = turnlogin_load_secret(o->secret, secret_file, &loose);
	check_file(err, secret_file, loose,
	    "the first line has to be the server's secret, at most 256 bytes");
}

void
turnoptions_read(struct turnoptions *o, int argc, char *argv[])
{
	const char *user_file = NULL, *secret_file = NULL;
	bool transport_given = false;
	int letter;

	*o = (struct turnoptions){
	    .v4 = true, .v6 = true, .ready_fd = -1, .keepalive_s = KEEPALIVE_S};
	option_begin(usage, help);
	while ((letter = option_next(
		    argc, argv, ":146C:d:hjk:N:p:qr:T:t:u:v")) != -1) {
		transport_given |= letter == 'T';
		option(o, letter, optarg, &user_file, &secret_file);
	}
	if (!o->v4 && !o->v6)
		o->v4 = o->v6 = true;
	if (optind >= argc)
		option_fail("name a TURN server");
	if ((user_file == NULL) == (secret_file == NULL))
		option_fail("give either -u (a file with user and password) "
			    "or -k (a file with the server's secret)");
	set_server(o, argv[argc - 1], transport_given);
	if (o->ca_file != NULL && o->transport != TURNLINK_TLS)
		option_fail("-C: certificates are for -T tls");
	o->peers = argv + optind;
	o->n_peers = argc - 1 - optind;
	check_peers(o);
	load(o, user_file, secret_file);
}
