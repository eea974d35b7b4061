/* SPDX-License-Identifier: ISC */
/* The command line of nat-rendezvous and its commands (getopt(3)): whatever
 * is wrong with it ends the program with one line that says what to do. */
#ifndef NATKIT_OPTIONS_H
#define NATKIT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "key.h"
#include "port.h"

#define OPTIONS_SERVERS 8

struct options_server {
	uint8_t key[KEY_LEN];
	const char *name; /* host:port, to be looked up and for messages */
};

struct options {
	bool v4, v6; /* families of servers to use; neither is both */
	bool json;
	bool relay_only; /* nothing is sent to a peer */
	const char *key_path;
	const char *path; /* port socket, or NULL */
	uint16_t port;
	uint32_t keepalive_s, wait_ms;
	struct options_server server[OPTIONS_SERVERS];
	size_t n_servers;
};

/* letters is getopt's option string of the command. -h prints usage and help. The
 * operands are argv + optind. */
void options_read(struct options *o, int argc, char *argv[],
    const char *letters, const char *usage, const char *help);
/* A key pair out of -k. secret is sodium_malloc'ed: sodium_free it. */
struct options_key {
	uint8_t *secret;
	uint8_t pub[KEY_LEN];
};
/* Exits when the file does not hold a key. */
void options_load_key(const struct options *o, struct options_key *out);
/* What an agent needs: a key, a server, and 1 to max peers. */
void options_agent(const struct options *o, int peers, int max);
/* A peer's public key, which is not our own. */
void options_peer(
    const char *text, const uint8_t own[KEY_LEN], uint8_t key[KEY_LEN]);
/* The server's address may be used: by -4 and -6, and by the port. */
bool options_usable(
    const struct options *o, const struct port *p, const struct addr *a);

#endif
