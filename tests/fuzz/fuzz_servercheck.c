/* SPDX-License-Identifier: ISC */
/* stun/servercheck: a server that answers with whatever: for each question
 * two bytes (length, flags), then the answer. */
#include "servercheck.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct addr server = {
	    .family = ADDR_V4, .ip = {192, 0, 2, 1}, .port = 3478};
	struct addr local = {
	    .family = ADDR_V4, .ip = {192, 0, 2, 9}, .port = 9};
	char faults[SERVERCHECK_FAULTS_LEN];
	struct servercheck_ask q;
	struct servercheck c;
	size_t asked = 0;

	servercheck_init(&c, &server);
	while (servercheck_next(&c, &q)) {
		uint8_t tid[STUN_TID_LEN], flags = 0;
		struct addr from = q.to;
		struct answer a;
		bool is = false;
		size_t len = 0;

		if (++asked > SERVERCHECK_STEPS + 1 ||
		    !addr_is_sendable(&q.to) || addr_is_loopback(&q.to))
			abort();
		if (size >= 2) {
			len = data[0];
			flags = data[1];
			data += 2;
			size -= 2;
			len = len < size ? len : size;
			from.port ^= flags & 1;
			is = answer_parse(&a, tid, data, len, &from, &local) ==
			     0;
			data += len;
			size -= len;
		}
		servercheck_tell(&c, is ? &a : NULL, (flags & 2) != 0);
	}
	servercheck_faults(&c, faults);
	if (strlen(faults) >= sizeof(faults) - 1 ||
	    (servercheck_good(&c) && faults[0] != '\0'))
		abort();
	servercheck_reply(&c);
	servercheck_padding(&c);
	servercheck_unknown(&c);
	servercheck_response_port(&c);
	return 0;
}
