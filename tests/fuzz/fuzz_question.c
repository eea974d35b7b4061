/* SPDX-License-Identifier: ISC */
/* Responses to questions. What is taken for one must be a Binding response,
 * with the transaction id that is told and addresses that can be sent to. */
#include "question.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static bool
is_none_or_sendable(const struct addr *a)
{
	return a->family == ADDR_NONE || addr_is_sendable(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t tid[STUN_TID_LEN] = {0}, *copy = NULL;
	struct addr from, local;
	struct answer a = {.error = 7};

	addr_parse(&from, "192.0.2.1:3478");
	addr_parse(&local, "10.0.0.1:51820");
	if ((copy = malloc(size + 1)) == NULL)
		return 0;
	if (size > 0)
		memcpy(copy, data, size);
	if (answer_parse(&a, tid, copy, size, &from, &local) != 0) {
		require(a.error == 7);
		free(copy);
		return 0;
	}
	require(size >= STUN_HEADER_LEN);
	require(memcmp(tid, data + 8, STUN_TID_LEN) == 0);
	require(a.unknowns <= ANSWER_UNKNOWN_MAX && a.len == size);
	require(addr_equal(&a.from, &from) && addr_equal(&a.local, &local));
	require(is_none_or_sendable(&a.mapped));
	require(is_none_or_sendable(&a.plain));
	require(is_none_or_sendable(&a.origin));
	require(is_none_or_sendable(&a.other));
	require(a.padding <= size);
	if (a.error == 0)
		require(addr_is_sendable(answer_endpoint(&a)));
	else
		require(a.error >= 300 && a.error <= 699 &&
			answer_endpoint(&a)->family == ADDR_NONE);
	free(copy);
	return 0;
}
