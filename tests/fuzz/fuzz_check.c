/* SPDX-License-Identifier: ISC */
/* Any datagram as a check or an answer. None can be valid, since the password
 * is not in it; the second half signs the fuzzer's attributes, so that what
 * follows the integrity check is reached too. */
#include <stdlib.h>
#include <string.h>

#include "check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct check_credentials us = {"userAAAA",
    "aaaaaaaaaaaaaaaaaaaaaaaa", "userBBBB", "bbbbbbbbbbbbbbbbbbbbbbbb"};

static int
read_all(const uint8_t *data, size_t len)
{
	struct stun_msg m;
	struct check check;
	struct addr seen;

	if (stun_parse(&m, data, len) != 0)
		return -1;
	return check_read_request(&us, &m, &check) == 0 ||
		       check_read_response(&us, &m, &seen) == 0
		   ? 0
		   : -1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t out[STUN_MAX], tid[STUN_TID_LEN] = {7};
	struct stun_buf b;
	uint8_t flags;
	int n;

	if (read_all(data, len) == 0)
		abort();
	if (len < 2 || len > STUN_MAX - 100)
		return 0;
	flags = data[0];
	stun_begin(&b, out, sizeof(out), STUN_BINDING,
	    flags & 1 ? STUN_SUCCESS : STUN_REQUEST, tid);
	if (flags & 2)
		stun_put(&b, STUN_USERNAME, "userAAAA:userBBBB", 17);
	while (len > 2) {
		size_t l = data[1] % 32;

		data += 2;
		len -= 2;
		if (l > len)
			l = len;
		stun_put(&b,
		    (uint16_t)(data[-2] & 0x80 ? 0x8000 | data[-2] : data[-2]),
		    data, l);
		data += l;
		len -= l;
	}
	stun_put_integrity_sha256(
	    &b, flags & 4 ? us.peer_password : us.password, CHECK_PASSWORD_LEN);
	n = stun_end(&b, true);
	if (n > 0)
		read_all(out, (size_t)n);
	return 0;
}
