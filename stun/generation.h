/* SPDX-License-Identifier: ISC */
/* One generation of candidates as records: candidate, nat, candidates. */
#ifndef NATKIT_GENERATION_H
#define NATKIT_GENERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "candset.h"
#include "servers.h"

/* Returns 0 or what record_write gives. */
int generation_write(const struct candset *set, const struct servers *s,
    uint64_t generation, int fd, bool json);

#endif
