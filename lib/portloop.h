/* SPDX-License-Identifier: ISC */
/* A port (lib/port.h) in a program's event loop. */
#ifndef NATKIT_PORTLOOP_H
#define NATKIT_PORTLOOP_H

#include "loop.h"
#include "port.h"

/* One message; false: no more, the program ends. */
typedef bool portloop_each_fn(void *arg, struct port_msg *m);
/* After some messages were handed out: time to act on them. */
typedef void portloop_then_fn(void *arg);

struct portloop {
	struct loop *loop;
	struct port *port;
	struct event *event[2];
	portloop_each_fn *each;
	portloop_then_fn *then; /* or NULL */
	void *arg;
};

/* When nat-port has gone, says so and ends the loop with code 111. */
void portloop_start(struct portloop *p, struct loop *loop, struct port *port,
    portloop_each_fn *each, portloop_then_fn *then, void *arg);
void portloop_stop(struct portloop *p);

#endif
