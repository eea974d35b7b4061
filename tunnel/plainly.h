/* SPDX-License-Identifier: ISC */
/* Why a path is not direct, or none, for people: the words of nat-punch's path
 * records, as nat-wg status has them, with what to do. Pure. */
#ifndef NATKIT_PLAINLY_H
#define NATKIT_PLAINLY_H

/* path: "waiting", "direct", "relayed" or "failed"; reason: a word, a sentence
 * (which comes back), "" or NULL. Returns a sentence, or "" when there is
 * nothing to say. */
const char *plainly(const char *path, const char *reason);

#endif
