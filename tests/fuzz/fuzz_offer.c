/* SPDX-License-Identifier: ISC */
/* Whatever an offer is decoded from, it is well-formed, and its own encoding
 * decodes to the same. */
#include <stdlib.h>
#include <string.h>

#include "offer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct offer o, back;
	uint8_t buf[OFFER_MAX], again[OFFER_MAX];
	int n;

	if (offer_decode(&o, data, len) != 0)
		return 0;
	if (o.generation == 0 || o.n > OFFER_CANDIDATES ||
	    strlen(o.user) != OFFER_USER_LEN ||
	    strlen(o.password) != OFFER_PASSWORD_LEN)
		abort();
	for (size_t i = 0; i < o.n; i++)
		if (!addr_is_sendable(&o.candidate[i].addr) ||
		    offer_type_name(o.candidate[i].type) == NULL)
			abort();
	n = offer_encode(&o, buf, sizeof(buf));
	if (n < 0 || offer_decode(&back, buf, (size_t)n) != 0 ||
	    offer_encode(&back, again, sizeof(again)) != n ||
	    memcmp(buf, again, (size_t)n) != 0)
		abort();
	return 0;
}
