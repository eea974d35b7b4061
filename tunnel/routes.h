/* SPDX-License-Identifier: ISC */
/* The routes file of `nat-pipe routes`: one forward a line, as on the command
 * line:
 *
 *   # peer  forward
 *   pi      -L 8080:127.0.0.1:80
 *   pi      -U 25565:127.0.0.1:25565
 */
#ifndef NATKIT_ROUTES_H
#define NATKIT_ROUTES_H

#include <stddef.h>

#include "forward.h"
#include "peerbook.h"

#define ROUTES_MAX 1024

struct route {
	uint8_t key[KEY_LEN];
	struct forward forward;
};

struct routes {
	struct route *route;
	size_t n;
};

/* Returns 0; as textfile_load; -EBADMSG, -EINVAL (a low-order key), -ENOENT (a
 * peer that is neither a key nor a name of book; the file when *line is 0),
 * -EEXIST (a line that stands twice), -E2BIG. On error *why says it and *line
 * where (0: the file), and *out is left alone. */
int routes_read(struct routes *out, const char *path,
    const struct peerbook *book, unsigned *line, const char **why);
/* The same of a text. */
int routes_parse(struct routes *out, const char *text, size_t len,
    const struct peerbook *book, unsigned *line, const char **why);
void routes_clear(struct routes *r);
bool routes_has(const struct routes *r, const struct route *one);

#endif
