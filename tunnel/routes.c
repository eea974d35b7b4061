/* SPDX-License-Identifier: ISC */
/* The routes file of `nat-pipe routes`. */
#include "routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "textfile.h"

struct reading {
	struct routes routes;
	const struct peerbook *book;
};

static int
add(struct routes *r, const struct route *one, const char **why)
{
	struct route *more;

	*why = "this route stands twice";
	if (routes_has(r, one))
		return -EEXIST;
	*why = "too many routes";
	if (r->n == ROUTES_MAX)
		return -E2BIG;
	*why = "out of memory";
	more = realloc(r->route, (r->n + 1) * sizeof(*more));
	if (more == NULL)
		return -ENOMEM;
	r->route = more;
	r->route[r->n++] = *one;
	return 0;
}

/* "-L spec" or, as getopt(3) takes it, too, "-Lspec". */
static int
read_route(void *arg, char *word[], size_t n, const char **why)
{
	struct reading *r = arg;
	struct route one = {0};
	const char *spec = NULL;
	int rc;

	if (n == 3 && strlen(word[1]) == 2)
		spec = word[2];
	else if (n == 2 && strlen(word[1]) > 2)
		spec = word[1] + 2;
	*why = "give a peer and one forward, as pi -L 8080:127.0.0.1:80";
	if (spec == NULL || word[1][0] != '-')
		return -EBADMSG;
	rc = peerbook_find(r->book, word[0], one.key);
	if (rc != 0) {
		*why = peerbook_why_there(rc, word[0]);
		return rc;
	}
	rc = forward_parse(&one.forward, word[1][1], spec, why);
	if (rc != 0)
		*why = textfile_blame(spec, *why);
	return rc != 0 ? rc : add(&r->routes, &one, why);
}

int
routes_parse(struct routes *out, const char *text, size_t len,
    const struct peerbook *book, unsigned *line, const char **why)
{
	struct reading r = {.book = book};
	int rc;

	rc = textfile_parse(text, len, read_route, &r, line, why);
	if (rc == 0)
		*out = r.routes;
	else
		routes_clear(&r.routes);
	return rc;
}

int
routes_read(struct routes *out, const char *path, const struct peerbook *book,
    unsigned *line, const char **why)
{
	char *text;
	size_t len;
	int rc;

	*line = 0;
	rc = textfile_load(path, &text, &len, why);
	if (rc != 0)
		return rc;
	rc = routes_parse(out, text, len, book, line, why);
	free(text);
	return rc;
}

void
routes_clear(struct routes *r)
{
	free(r->route);
	*r = (struct routes){0};
}

bool
routes_has(const struct routes *r, const struct route *one)
{
	for (size_t i = 0; i < r->n; i++)
		if (memcmp(r->route[i].key, one->key, KEY_LEN) == 0 &&
		    forward_equal(&r->route[i].forward, &one->forward))
			return true;
	return false;
}
