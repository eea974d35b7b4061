/* SPDX-License-Identifier: ISC */
/* Inside of checklist.c, incoming.c and outgoing.c: the phases of a check list
 * and the choice of its path. */
#ifndef NATKIT_SEARCH_H
#define NATKIT_SEARCH_H

#include "checklist.h"

#define NEVER UINT64_MAX

/* Candidates are being checked (though a path may stand already). */
bool search_checking(const struct checklist *x);
/* A fresh list out of the peer's candidates and the path that we have. */
void search_start(struct checklist *x, enum checklist_phase phase,
    uint64_t now_us, uint64_t lasts_us);
void search_enter(struct checklist *x, enum checklist_phase phase,
    uint64_t now_us, uint64_t lasts_us);
void search_rounds(struct checklist *x, uint64_t lasts_us, uint64_t now_us);
void search_fail(struct checklist *x, const char *reason, uint64_t now_us);
/* The path has ended. */
void search_lose(struct checklist *x, const char *reason, uint64_t now_us);
/* When the phase is over. */
uint64_t search_end(const struct checklist *x);
/* What is due by the clock alone. */
void search_step(struct checklist *x, uint64_t now_us);
/* The reason why no candidate can be sent to; NULL when one can. */
const char *search_send_error(const struct checklist *x);

/* Is that the path that we have? */
bool search_is_path(const struct checklist *x, const struct candidate *c);
/* Both sides have proven it: it becomes the path. */
void search_choose(
    struct checklist *x, const struct candidate *c, uint64_t now_us);

/* Nomination (RFC 8445 section 8.1.1), by the controlling side. */
void search_nominate(struct checklist *x, struct candidate *c, uint64_t now_us);
void nomination_step(struct checklist *x, uint64_t now_us);
/* When nomination_step has to look again, without an event. */
uint64_t nomination_next(const struct checklist *x, uint64_t now_us);

#endif
