/* SPDX-License-Identifier: ISC */
/* The command line of nat-relay turn. */
#ifndef NATKIT_TURNOPTIONS_H
#define NATKIT_TURNOPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "credential.h"
#include "resolve.h"
#include "turnlink.h"
#include "turnlogin.h"

#define TURN_PORT 3478 /* RFC 8656 section 4 */
#define TURNS_PORT 5349

struct turnoptions {
	bool one, json;
	bool v4, v6;	     /* families to reach the server by */
	bool relay4, relay6; /* families of relayed addresses */
	const char *ca_file; /* NULL: the system's */
	uint16_t daemon;     /* 0: who sent last */
	uint16_t port;	     /* of the first peer; 0: any */
	int ready_fd;
	uint32_t keepalive_s;
	enum turnlink_transport transport;
	const char *name;	 /* of the server, as given */
	char host[RESOLVE_HOST]; /* of its certificate */
	char server[RESOLVE_HOST + 8];
	struct turnlogin *login;	  /* sodium_malloc */
	struct credential_secret *secret; /* the same; NULL: none */
	char *const *peers;
	int n_peers;
};

/* Ends the program with 100 on a mistake, or when a file can't be read. */
void turnoptions_read(struct turnoptions *o, int argc, char *argv[]);
#endif
