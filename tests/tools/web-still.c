/* SPDX-License-Identifier: ISC */
/* A web server that keeps its connections open, by libevent's evhttp: answers
 * each request with its path.
 *   web-still ADDRESS PORT                    until it is ended */
#include <err.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>

static void
answer(struct evhttp_request *r, void *arg)
{
	struct evbuffer *b = evbuffer_new();

	(void)arg;
	if (b == NULL ||
	    evbuffer_add_printf(b, "%s\n", evhttp_request_get_uri(r)) == -1)
		errx(111, "out of memory");
	evhttp_send_reply(r, 200, "OK", b);
	evbuffer_free(b);
}

int
main(int argc, char *argv[])
{
	struct event_base *base = event_base_new();
	struct evhttp *web = base == NULL ? NULL : evhttp_new(base);

	if (argc != 3)
		errx(100, "usage: web-still ADDRESS PORT");
	if (web == NULL ||
	    evhttp_bind_socket(web, argv[1], (uint16_t)atoi(argv[2])) == -1)
		err(111, "%s port %s", argv[1], argv[2]);
	evhttp_set_gencb(web, answer, NULL);
	return event_base_dispatch(base) == 0 ? 0 : 111;
}
