/* SPDX-License-Identifier: ISC */
/* A port (lib/port.h) in a program's event loop. */
#include "portloop.h"

#include <string.h>

#include "exitcode.h"
#include "log.h"

#define BATCH 64 /* messages a call: timers and signals have their turn too */

static void
read_cb(evutil_socket_t fd, short events, void *arg)
{
	struct portloop *p = arg;
	uint8_t buf[PORT_MAX];
	struct port_msg m;
	int r = 1;

	(void)fd;
	(void)events;
	for (int n = 0; n < BATCH; n++) {
		if ((r = port_recv(p->port, &m, buf)) != 1)
			break;
		if (!p->each(p->arg, &m))
			return;
	}
	if (r < 0) {
		log_fatalx("the port socket is gone: has nat-port ended?");
		loop_end(p->loop, EXIT_TEMP);
		return;
	}
	if (p->then != NULL)
		p->then(p->arg);
}

void
portloop_start(struct portloop *p, struct loop *loop, struct port *port,
    portloop_each_fn *each, portloop_then_fn *then, void *arg)
{
	int fds[2], n = port_fds(port, fds);

	*p = (struct portloop){
	    .loop = loop, .port = port, .each = each, .then = then, .arg = arg};
	for (int i = 0; i < n; i++) {
		p->event[i] =
		    loop_event(loop, fds[i], EV_READ | EV_PERSIST, read_cb, p);
		event_add(p->event[i], NULL);
	}
}

void
portloop_stop(struct portloop *p)
{
	for (int i = 0; i < 2; i++)
		if (p->event[i] != NULL)
			event_free(p->event[i]);
	memset(p->event, 0, sizeof(p->event));
}
