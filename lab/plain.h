/* SPDX-License-Identifier: ISC */
/* A time line for a terminal of 100 columns, and as records. */
#ifndef NATKIT_PLAIN_H
#define NATKIT_PLAIN_H

#include <stdio.h>

#include "ladder.h"

#define PLAIN_WIDTH 100
#define PLAIN_LANES 22 /* more don't fit */

/* Returns 0, -ENOSPC (too many lanes), or -EIO. */
int plain_write(FILE *f, const struct ladder *l);
/* One record per row: packet, mapping, drop. */
int plain_records(int fd, const struct ladder *l, bool json);

/* An endpoint; without a port (an ICMP error) the address alone. */
const char *plain_endpoint(const struct addr *a, char buf[ADDR_STRLEN]);
/* In words, for all outputs; returns buf. */
const char *plain_mapping(
    const struct ladder *l, const struct row *r, char *buf, size_t size);
/* How a packet ended; "" when it arrived. */
const char *plain_end(
    const struct ladder *l, const struct trail *t, char *buf, size_t size);
/* One line on what isn't shown; "" when nothing. */
const char *plain_left_out(const struct ladder *l, char *buf, size_t size);

#endif
