/* SPDX-License-Identifier: ISC */
/* port_decode: whatever it takes must encode to the very same bytes, and its
 * payload must lie inside the packet. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "port.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[PORT_HEADER_LEN];
	struct port_msg m;

	if (port_decode(&m, data, size) < 0)
		return 0;
	if (port_encode(&m, again) != PORT_HEADER_LEN ||
	    memcmp(again, data, PORT_HEADER_LEN) != 0)
		abort();
	if (m.payload != data + PORT_HEADER_LEN ||
	    m.len != size - PORT_HEADER_LEN || m.len > PORT_MAX_PAYLOAD)
		abort();
	return 0;
}
