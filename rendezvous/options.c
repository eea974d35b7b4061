/* SPDX-License-Identifier: ISC */
/* The command line of nat-rendezvous and its commands (getopt(3)). */
#include "options.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exitcode.h"
#include "log.h"
#include "option.h"

/* The text is argv's own, and stays; what resolve_start takes needs a v6
 * address to keep its brackets, which key_parse_server cuts off. */
static void
add_server(struct options *o, char *text)
{
	struct options_server *s = &o->server[o->n_servers];
	char copy[KEY_STRLEN + 300], *host, *port;
	int err = -EBADMSG;

	if (o->n_servers == OPTIONS_SERVERS)
		option_fail("too many servers: give -S at most %d times",
		    OPTIONS_SERVERS);
	if (strlen(text) < sizeof(copy)) {
		memcpy(copy, text, strlen(text) + 1);
		err = key_parse_server(copy, s->key, &host, &port);
	}
	if (err == -EINVAL)
		option_fail(
		    "-S %s: this key is weak; give the server's own", text);
	if (err != 0)
		option_fail(
		    "-S %s: give KEY@host:port, with the server's public key "
		    "in base64",
		    text);
	for (size_t i = 0; i < o->n_servers; i++)
		if (key_equal(o->server[i].key, s->key))
			option_fail(
			    "-S %s: this key is given twice; one server takes "
			    "one session of yours",
			    text);
	s->name = text + KEY_STRLEN; /* 44 characters and the @ */
	o->n_servers++;
}

static void
read_option(struct options *o, int letter, char *arg)
{
	switch (letter) {
	case '4':
		o->v4 = true;
		break;
	case '6':
		o->v6 = true;
		break;
	case 'j':
		o->json = true;
		break;
	case 'k':
		o->key_path = arg;
		break;
	case 'p':
		o->port = (uint16_t)option_number("-p", arg, 0, 65535);
		break;
	case 'r':
		o->relay_only = true;
		break;
	case 's':
		o->path = arg;
		break;
	case 'S':
		add_server(o, arg);
		break;
	case 't':
		o->keepalive_s = option_number("-t", arg, 1, 300);
		break;
	case 'w':
		o->wait_ms = option_number("-w", arg, 1, 3600) * 1000;
		break;
	default:
		break;
	}
}

void
options_read(struct options *o, int argc, char *argv[], const char *letters,
    const char *usage, const char *help)
{
	bool port = false;
	int letter;

	*o = (struct options){0};
	option_begin(usage, help);
	while ((letter = option_next(argc, argv, letters)) != -1) {
		port = port || letter == 'p';
		read_option(o, letter, optarg);
	}
	if (port && o->path != NULL)
		option_fail("-s and -p exclude each other: give one");
}

void
options_load_key(const struct options *o, struct options_key *out)
{
	out->secret = option_key(o->key_path, out->pub);
}

void
options_agent(const struct options *o, int peers, int max)
{
	if (o->key_path == NULL)
		option_fail("give your private key's file with -k");
	if (strcmp(o->key_path, "-") == 0)
		option_fail(
		    "-k -: standard input holds the candidates; give a file, "
		    "or /dev/fd/3 with 3<keyfile");
	if (o->n_servers == 0)
		option_fail("give a server with -S KEY@host:port");
	if (peers == 0)
		option_fail("give the public key of a peer");
	if (peers > max)
		option_fail("too many peers: give at most %d", max);
}

void
options_peer(const char *text, const uint8_t own[KEY_LEN], uint8_t key[KEY_LEN])
{
	int err = key_parse_public(key, text);

	if (err == -EINVAL)
		option_fail("peer %s: this key is weak; give the peer's", text);
	if (err != 0)
		option_fail(
		    "peer %s: give a public key in base64, 44 characters",
		    text);
	if (key_equal(key, own))
		option_fail(
		    "peer %s: this is the key of -k; give the other side's",
		    text);
}

bool
options_usable(
    const struct options *o, const struct port *p, const struct addr *a)
{
	if (o->v4 != o->v6 && a->family != (o->v4 ? ADDR_V4 : ADDR_V6))
		return false;
	return port_has_family(p, a->family);
}
