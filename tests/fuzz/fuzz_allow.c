/* SPDX-License-Identifier: ISC */
/* The allow file: a list that parses holds only keys that somebody can own,
 * sorted; one that does not leaves the old one. */
#include <stdlib.h>
#include <string.h>

#include "allow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char old[] =
	    "3f7MFj7m/ETUXVir4Gb2wselsI0L6u6OclSkLWfGJh4=";
	struct allow a = {0};
	const char *why;
	size_t line;

	if (allow_parse(&a, old, sizeof(old) - 1, &line, &why) != 0)
		abort();
	if (allow_parse(&a, (const char *)data, size, &line, &why) != 0) {
		if (a.n != 1 || line == 0 || why == NULL)
			abort();
	} else {
		for (size_t i = 0; i < a.n; i++) {
			if (key_is_low_order(a.keys[i]) ||
			    !allow_has(&a, a.keys[i]) ||
			    (i > 0 &&
				memcmp(a.keys[i - 1], a.keys[i], KEY_LEN) > 0))
				abort();
		}
	}
	allow_free(&a);
	return 0;
}
