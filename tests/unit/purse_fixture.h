/* SPDX-License-Identifier: ISC */
/* The budget that purses draw on, and what they hold of it. */
#ifndef NATKIT_PURSE_FIXTURE_H
#define NATKIT_PURSE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "block.h"

static uint64_t budget, used;

static inline bool
charge(void *arg, uint64_t bytes)
{
	(void)arg;
	if (used + bytes > budget)
		return false;
	used += bytes;
	return true;
}

static inline void
refund(void *arg, uint64_t bytes)
{
	(void)arg;
	assert_true(used >= bytes);
	used -= bytes;
}

static inline struct purse
purse_with(uint32_t reserve)
{
	return (struct purse){
	    .reserve = reserve, .charge = charge, .refund = refund};
}

#endif
