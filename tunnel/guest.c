/* SPDX-License-Identifier: ISC */
/* Who a stream comes from and what it wants, in the environment of a program. */
#include "guest.h"

#include "port.h"
#include "tunnel.h"

static void
put_peer(struct envset *e, struct link *l, const struct peerbook *book)
{
	const struct peerbook_entry *known = NULL;
	char text[KEY_STRLEN];

	envset_put(e, "NATKIT_PEER", key_format(link_key(l), text));
	if (book != NULL)
		known = peerbook_keyed(book, link_key(l));
	if (known != NULL)
		envset_put(e, "NATKIT_NAME", known->name);
}

void
guest_stream_env(struct envset *e, struct link *l, const struct peerbook *book)
{
	struct link_status status;
	char text[ADDR_STRLEN];
	struct addr local;

	envset_init(e);
	envset_put(e, "PROTO", "QUIC");
	put_peer(e, l, book);
	link_status(l, &status);
	if (link_path_stands(status.path))
		envset_put(e, "NATKIT_PATH", link_path_name(status.path));
	envset_put_number(e, "QUICLOCALPORT", tunnel_port(link_tunnel(l)));
	if (status.endpoint.family == ADDR_NONE)
		return;
	if (port_source(&local, &status.endpoint, 0) == 0)
		envset_put(e, "QUICLOCALIP", addr_format_ip(&local, text));
	envset_put(e, "QUICREMOTEIP", addr_format_ip(&status.endpoint, text));
	envset_put_number(e, "QUICREMOTEPORT", status.endpoint.port);
}

void
guest_wish_env(struct envset *e, struct link *l, const struct peerbook *book,
    const struct opening *what)
{
	envset_init(e);
	put_peer(e, l, book);
	envset_put(e, "NATKIT_WANT", opening_to_name(what->to));
	envset_put(e, "NATKIT_HOST", what->host);
	if (what->path[0] == '\0' && what->to != OPENING_PROGRAM)
		envset_put_number(e, "NATKIT_PORT", what->port);
	envset_put(e, "NATKIT_SOCKET", what->path);
}
