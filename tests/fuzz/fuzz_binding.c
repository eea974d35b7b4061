/* SPDX-License-Identifier: ISC */
/* Replies to a Binding request. The first byte says what the fuzzer may know
 * of the request (its transaction id, FINGERPRINT mended) and whether the
 * source is right; what is believed must be well-formed and from there. */
#include "binding.h"

#include <stdlib.h>
#include <string.h>

#include "stun.h"

#define RIGHT_TID 1
#define RIGHT_SOURCE 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t request[BINDING_REQUEST_MAX];
	struct addr server, other, local;
	struct binding b, before;
	uint8_t *reply = NULL;
	uint8_t how = 0;
	bool taken = false;

	if (size == 0)
		return 0;
	how = *data++;
	size--;
	addr_parse(&server, "192.0.2.1:3478");
	addr_parse(&other, "192.0.2.1:3479");
	addr_parse(&local, "10.0.0.1:51820");
	binding_start(&b, &server, 0, 1000000);
	require(binding_step(&b, 1000000, request) >= STUN_HEADER_LEN);
	if ((reply = malloc(size + 1)) == NULL)
		return 0;
	if (size > 0)
		memcpy(reply, data, size);
	if ((how & RIGHT_TID) != 0 && size >= STUN_HEADER_LEN)
		memcpy(reply + 8, b.t.tid, STUN_TID_LEN);
	before = b;
	taken = binding_reply(&b, reply, size,
	    (how & RIGHT_SOURCE) != 0 ? &server : &other, &local, 1000500);
	require(taken ||
		(b.state == BINDING_OPEN && b.error == 0 && b.rtt_us == 0 &&
		    addr_equal(&b.mapped, &before.mapped) &&
		    addr_equal(&b.local, &before.local) &&
		    memcmp(b.t.tid, before.t.tid, STUN_TID_LEN) == 0));
	if (taken) {
		require((how & RIGHT_SOURCE) != 0);
		require(memcmp(reply + 8, b.t.tid, STUN_TID_LEN) == 0);
		if (b.state == BINDING_MAPPED)
			require(addr_is_sendable(&b.mapped));
		else
			require(b.state == BINDING_REFUSED && b.error >= 300 &&
				b.error <= 699);
	}
	free(reply);
	return 0;
}
