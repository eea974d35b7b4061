/* SPDX-License-Identifier: ISC */
/* The directory that nat-capture made, read into a time line. */
#ifndef NATKIT_EVIDENCE_H
#define NATKIT_EVIDENCE_H

#include "ladder.h"

/* Reads DIR/lab, DIR/watch (may be absent) and DIR/BOX.INTERFACE.pcap. Returns
 * 0, or -errno and what it is about in what (for a message). Lines and packets
 * that are malformed are counted, not fatal. */
int evidence_read(struct ladder *l, const char *path, char what[128]);

#endif
