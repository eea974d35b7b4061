/* SPDX-License-Identifier: ISC */
/* Foreign bytes at both ends of the rendezvous protocol: nothing that was not
 * made with the keys is taken. With the first byte odd the rest is sealed
 * with the right keys first, so that what lies behind is reached too. */
#include <stdlib.h>

#include "../rv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rv server, client;
static struct session at_server;

static void
init(void)
{
	static const uint8_t id[WIRE_ID_LEN] = "fuzzfuzz";
	static const struct addr at = {.family = ADDR_V4, .port = 1};
	uint8_t buf[STUN_MAX];
	struct stun_msg m;
	struct noise n;
	uint64_t ts;
	int len;

	if (sodium_init() == -1)
		abort();
	rv_init(&server);
	rv_init(&client);
	len = rv_hello(&client, server.public, NULL, 0, buf);
	noise_init_responder(&n, server.secret, server.public, WIRE_PROLOGUE,
	    sizeof(WIRE_PROLOGUE) - 1);
	if (stun_parse(&m, buf, (size_t)len) != 0 ||
	    wire_hello_read(&n, &m, &ts) != 0)
		abort();
	len = wire_hello_response(
	    &n, client.tid, WIRE_OK, id, 25, &at, &at_server, buf, sizeof(buf));
	if (rv_finish(&client, buf, (size_t)len) != WIRE_OK)
		abort();
	/* as a client that waits for its answer */
	rv_hello(&client, server.public, NULL, 0, buf);
}

static void
foreign(const uint8_t *data, size_t size)
{
	uint8_t plain[WIRE_PLAIN_MAX], nonce[WIRE_NONCE_MAX], out[STUN_MAX];
	struct wire_welcome w;
	struct session s;
	struct stun_msg m;
	struct noise n;
	uint64_t ts;
	size_t len;

	if (stun_parse(&m, data, size) != 0)
		return;
	noise_init_responder(&n, server.secret, server.public, WIRE_PROLOGUE,
	    sizeof(WIRE_PROLOGUE) - 1);
	if (wire_hello_read(&n, &m, &ts) == 0 ||
	    wire_hello_finish(&client.noise, &m, &w, &s) == 0 ||
	    wire_open(&at_server, &m, plain, sizeof(plain)) >= 0 ||
	    wire_open(&client.session, &m, plain, sizeof(plain)) >= 0)
		abort();
	if (wire_challenge_read(&m, nonce, &len) == 0 &&
	    (len == 0 || len > WIRE_NONCE_MAX))
		abort();
	if (wire_session_id(&m) != NULL &&
	    wire_unknown_session(&m, out, sizeof(out)) > (int)size)
		abort();
}

static void
authentic(const uint8_t *data, size_t size)
{
	uint8_t buf[STUN_MAX], plain[WIRE_PLAIN_MAX];
	struct stun_attr a;
	struct stun_msg m;
	struct addr addr;
	struct cursor c;
	int len, rc;

	if (size > WIRE_PLAIN_MAX)
		size = WIRE_PLAIN_MAX;
	len = wire_seal(&client.session, STUN_REQUEST, client.tid, data, size,
	    buf, sizeof(buf));
	if (len < 0 || stun_parse(&m, buf, (size_t)len) != 0)
		abort();
	rc = wire_open(&at_server, &m, plain, sizeof(plain));
	if (wire_open(&at_server, &m, plain, sizeof(plain)) >= 0)
		abort(); /* twice */
	if (rc < 0)
		return;
	if ((size_t)rc != size)
		abort();
	cursor_init(&c, data, size);
	while (stun_attr_next(&c, &a) == 1)
		if (wire_get_addr(&a, &addr) == 0 && addr_ip_len(&addr) == 0)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int ready;

	if (!ready) {
		init();
		ready = 1;
	}
	if (size == 0)
		return 0;
	if (data[0] & 1)
		authentic(data + 1, size - 1);
	else
		foreign(data + 1, size - 1);
	return 0;
}
