/* SPDX-License-Identifier: ISC */
/* What the server's control socket tells: hello, peers, stats. */
#ifndef NATKIT_STATUS_H
#define NATKIT_STATUS_H

#include "connections.h"
#include "control.h"
#include "listener.h"
#include "record.h"
#include "server.h"

/* What is told about. */
struct status {
	const struct server *server;
	struct listener *const *listeners;
	const uint8_t *n_listeners;
	const struct connections *connections;
};

/* A control_fn's work; control_fn's arg must point to a struct status. */
void status_answer(void *status, struct control_conn *c, const char *command,
    const char *args);
/* listen endpoint= */
void status_listen(struct record *r, const struct listener *l);
/* listen endpoint= transport=tcp */
void status_listen_tcp(struct record *r, const struct addr *at);

#endif
