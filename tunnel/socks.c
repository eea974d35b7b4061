/* SPDX-License-Identifier: ISC */
/* SOCKS version 5 (RFC 1928), the server's side. Of the client's bytes only
 * those are taken that the message under way is known to have, so it makes no
 * difference in which pieces they come. */
#include "socks.h"

#include <arpa/inet.h>
#include <string.h>

#include "hostport.h"

#define VERSION 5
#define NO_AUTHENTICATION 0
#define NO_METHOD 0xff
#define CONNECT 1

enum address_type {
	TYPE_V4 = 1,
	TYPE_NAME = 3,
	TYPE_V6 = 4,
};

/* RFC 1928 section 6. */
enum reply {
	REPLY_OK = 0,
	REPLY_FAILURE = 1,
	REPLY_NOT_ALLOWED = 2,
	REPLY_HOST_UNREACHABLE = 4,
	REPLY_REFUSED = 5,
	REPLY_COMMAND = 7,
	REPLY_ADDRESS_TYPE = 8,
};

void
socks_init(struct socks *s)
{
	memset(s, 0, sizeof(*s));
}

/* VER REP RSV ATYP BND.ADDR BND.PORT: the address that the peer's side is bound
 * to means nothing here, so it is 0.0.0.0:0, as ssh -D has it. */
static size_t
put_reply(uint8_t *out, enum reply code)
{
	memset(out, 0, 10);
	out[0] = VERSION;
	out[1] = (uint8_t)code;
	out[3] = TYPE_V4;
	return 10;
}

/* How long the message under way is, as far as it tells by now. */
static size_t
wanted(const struct socks *s)
{
	if (s->len < 2)
		return s->len + 1;
	if (s->state == SOCKS_METHODS)
		return 2 + (size_t)s->in[1];
	if (s->len < 5)
		return s->len + 1;
	switch (s->in[3]) {
	case TYPE_V4:
		return 4 + 4 + 2;
	case TYPE_V6:
		return 4 + 16 + 2;
	case TYPE_NAME:
		return 4 + 1 + (size_t)s->in[4] + 2;
	default:
		return 5;
	}
}

/* VER NMETHODS METHODS */
static void
step_methods(struct socks *s, uint8_t *reply, size_t *reply_len)
{
	bool has_ours = memchr(s->in + 2, NO_AUTHENTICATION, s->in[1]) != NULL;

	reply[(*reply_len)++] = VERSION;
	reply[(*reply_len)++] = has_ours ? NO_AUTHENTICATION : NO_METHOD;
	s->state = has_ours ? SOCKS_REQUEST : SOCKS_REFUSED;
	s->len = 0;
}

static enum reply
read_host(struct socks *s, const uint8_t *p)
{
	char text[256] = "";

	if (s->in[3] == TYPE_NAME) {
		memcpy(text, p + 1, p[0]);
		if (strlen(text) != p[0])
			return REPLY_HOST_UNREACHABLE;
	} else if (inet_ntop(s->in[3] == TYPE_V4 ? AF_INET : AF_INET6, p, text,
		       sizeof(text)) == NULL) {
		return REPLY_FAILURE;
	}
	return hostport_host(s->want.host, text) == 0 ? REPLY_OK
						      : REPLY_HOST_UNREACHABLE;
}

/* VER CMD RSV ATYP DST.ADDR DST.PORT */
static enum reply
read_request(struct socks *s)
{
	const uint8_t *port = s->in + s->len - 2;

	if (s->in[1] != CONNECT)
		return REPLY_COMMAND;
	if (s->in[3] != TYPE_V4 && s->in[3] != TYPE_V6 && s->in[3] != TYPE_NAME)
		return REPLY_ADDRESS_TYPE;
	s->want.to = OPENING_TCP;
	s->want.port = (uint16_t)(port[0] << 8 | port[1]);
	if (s->want.port == 0)
		return REPLY_FAILURE;
	return read_host(s, s->in + 4);
}

static void
step_request(struct socks *s, uint8_t *reply, size_t *reply_len)
{
	enum reply code = read_request(s);

	if (code == REPLY_OK) {
		s->state = SOCKS_DONE;
		return;
	}
	memset(&s->want, 0, sizeof(s->want));
	*reply_len += put_reply(reply + *reply_len, code);
	s->state = SOCKS_REFUSED;
}

/* After each byte that may tell how the message goes on. */
static void
step(struct socks *s, uint8_t *reply, size_t *reply_len)
{
	if (s->in[0] != VERSION) {
		s->state = SOCKS_REFUSED;
		return;
	}
	if (s->len != wanted(s))
		return;
	if (s->state == SOCKS_METHODS)
		step_methods(s, reply, reply_len);
	else
		step_request(s, reply, reply_len);
}

enum socks_state
socks_feed(struct socks *s, const uint8_t *data, size_t len, size_t *used,
    uint8_t reply[SOCKS_REPLY_MAX], size_t *reply_len)
{
	size_t n;

	*used = 0;
	*reply_len = 0;
	while (*used < len &&
	       (s->state == SOCKS_METHODS || s->state == SOCKS_REQUEST)) {
		n = wanted(s) - s->len;
		if (n > len - *used)
			n = len - *used;
		memcpy(s->in + s->len, data + *used, n);
		s->len += n;
		*used += n;
		step(s, reply, reply_len);
	}
	return s->state;
}

size_t
socks_reply(enum opening_reason r, uint8_t reply[SOCKS_REPLY_MAX])
{
	switch (r) {
	case OPENING_OK:
		return put_reply(reply, REPLY_OK);
	case OPENING_PERMIT:
		return put_reply(reply, REPLY_NOT_ALLOWED);
	case OPENING_REFUSED:
		return put_reply(reply, REPLY_REFUSED);
	case OPENING_UNREACHABLE:
	case OPENING_NAME:
		return put_reply(reply, REPLY_HOST_UNREACHABLE);
	default:
		return put_reply(reply, REPLY_FAILURE);
	}
}
