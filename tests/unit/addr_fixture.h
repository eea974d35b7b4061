/* SPDX-License-Identifier: ISC */
/* Addresses as tests write them. */
#ifndef NATKIT_ADDR_FIXTURE_H
#define NATKIT_ADDR_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "addr.h"

static inline struct addr
at(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, text), 0);
	return a;
}

#endif
