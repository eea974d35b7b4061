/* SPDX-License-Identifier: ISC */
/* A stage of a pipeline: every line of standard input goes out as it came, then
 * the record in it is looked at. Ends with 111 when nobody reads any more. */
#ifndef NATKIT_PASSAGE_H
#define NATKIT_PASSAGE_H

#include <stdbool.h>

#include "line.h"
#include "loop.h"
#include "reader.h"
#include "record.h"

/* One record that has gone out. It may hold credentials, and is wiped. */
typedef void passage_record_fn(void *arg, const struct record_view *v);
/* After some were handed out, or at the end of standard input. */
typedef void passage_then_fn(void *arg);

struct passage {
	/* the caller's, before passage_start */
	struct loop *loop;
	passage_record_fn *record;
	passage_then_fn *then;
	void *arg;
	bool json; /* the records that it adds */

	bool eof;    /* of standard input */
	bool ending; /* the exit code is decided */
	struct event *input;
	struct reader reader;
	struct line line;
};

/* Exits 100 when standard input can't be read. */
void passage_start(struct passage *p);
void passage_stop(struct passage *p);
/* A record of our own, between the lines that pass. Waits for standard output to
 * take it: check ->ending afterwards. */
void passage_print(struct passage *p, const struct record *r);
/* The first code counts. */
void passage_finish(struct passage *p, int code);

#endif
