/* SPDX-License-Identifier: ISC */
/* nat-pipe status: what the engine of a key tells on its control socket, as a
 * table for people or as records. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "exitcode.h"
#include "line.h"
#include "log.h"
#include "meter.h"
#include "pipeboard.h"
#include "plainly.h"
#include "unixsocket.h"

#define ROWS 1200
#define COLUMNS 10
#define CELL 400 /* sentences */
#define ANSWER_S 5

struct table {
	size_t rows, columns;
	char cell[ROWS][COLUMNS][CELL];
};

struct reading {
	bool json, people;
	unsigned ends;
	int code;
	struct table *links, *routes;
	char engine[CELL]; /* which it is, for people */
};

static void
set(struct table *t, size_t column, const char *text)
{
	snprintf(t->cell[t->rows][column], CELL, "%s",
	    text != NULL && *text != '\0' ? text : "-");
	if (column >= t->columns)
		t->columns = column + 1;
}

static void
head(struct table *t, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		set(t, i, names[i]);
	t->rows = 1;
}

static void
print(const struct table *t)
{
	size_t width[COLUMNS] = {0};

	if (t->rows <= 1)
		return;
	for (size_t r = 0; r < t->rows; r++)
		for (size_t c = 0; c < t->columns; c++)
			if (strlen(t->cell[r][c]) > width[c])
				width[c] = strlen(t->cell[r][c]);
	for (size_t r = 0; r < t->rows; r++)
		for (size_t c = 0; c < t->columns; c++) {
			/* what a terminal could act on never gets there */
			for (const char *p = t->cell[r][c]; *p != '\0'; p++)
				putchar(*p >= 0x20 && *p < 0x7f ? *p : '?');
			if (c + 1 == t->columns)
				putchar('\n');
			else
				printf("%*s",
				    (int)(width[c] - strlen(t->cell[r][c]) + 2),
				    "");
		}
}

static uint64_t
number(const struct record_view *v, const char *key)
{
	uint64_t n = 0;

	record_get_u64(v, key, &n);
	return n;
}

static const char *
name_of(const struct record_view *v)
{
	const char *name = record_get(v, "name");

	return name != NULL ? name : record_get(v, "key");
}

static const char *
since(uint64_t s, char out[CELL])
{
	if (s < 120)
		snprintf(out, CELL, "%" PRIu64 " s", s);
	else if (s < 120 * 60)
		snprintf(out, CELL, "%" PRIu64 " min", s / 60);
	else if (s < 48 * 3600)
		snprintf(out, CELL, "%" PRIu64 " h", s / 3600);
	else
		snprintf(out, CELL, "%" PRIu64 " d", s / 86400);
	return out;
}

static void
add_link(struct table *t, const struct record_view *v)
{
	char text[CELL], a[24], b[24];
	const char *path;

	set(t, 0, name_of(v));
	set(t, 1, record_get(v, "path"));
	set(t, 2, record_get(v, "endpoint"));
	snprintf(
	    text, sizeof(text), "%.1f ms", (double)number(v, "rtt_us") / 1000);
	set(t, 3, record_get(v, "rtt_us") != NULL ? text : NULL);
	set(t, 4, since(number(v, "since_s"), text));
	snprintf(text, sizeof(text), "%" PRIu64, number(v, "streams"));
	set(t, 5, text);
	set(t, 6, meter_size((double)number(v, "bytes_in"), a, sizeof(a)));
	set(t, 7, meter_size((double)number(v, "bytes_out"), a, sizeof(a)));
	snprintf(text, sizeof(text), "%s of %s",
	    meter_size((double)number(v, "memory"), a, sizeof(a)),
	    meter_size((double)number(v, "budget"), b, sizeof(b)));
	set(t, 8, text);
	path = record_get(v, "path");
	set(t, 9, plainly(path != NULL ? path : "", record_get(v, "reason")));
	t->rows++;
}

/* "nat-pipe 4711, with -l, of the key KEY" */
static void
name_engine(struct reading *r, const struct record_view *v)
{
	static const struct {
		const char *kind, *text;
	} kinds[] = {
	    {"background", "in the background, where it ends by itself"},
	    {"listen", "with -l"},
	    {"routes", "with routes"},
	    {"forwards", "with forwards"},
	};
	const char *kind = record_get(v, "kind"), *key = record_get(v, "key");
	const char *text = NULL;

	for (size_t i = 0; kind != NULL && i < 4; i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			text = kinds[i].text;
	if (text == NULL || key == NULL) /* an older one */
		return;
	snprintf(r->engine, sizeof(r->engine),
	    "nat-pipe %" PRIu64 ", %s; our key is %.50s", number(v, "pid"),
	    text, key);
}

static void
add_route(struct table *t, const struct record_view *v)
{
	char text[CELL];
	uint64_t port = number(v, "port");

	set(t, 0, name_of(v));
	set(t, 1, record_get(v, "forward"));
	snprintf(text, sizeof(text), "%.20s%s%.0" PRIu64,
	    record_get(v, "state") != NULL ? record_get(v, "state") : "",
	    port != 0 ? " " : "", port);
	set(t, 2, text);
	snprintf(text, sizeof(text), "%" PRIu64, number(v, "open"));
	set(t, 3, text);
	snprintf(text, sizeof(text), "%" PRIu64, number(v, "total"));
	set(t, 4, text);
	set(t, 5, record_get(v, "reason"));
	t->rows++;
}

static void
print_record(struct reading *r, const char *line, size_t len)
{
	struct record rec = {.len = len};

	memcpy(rec.text, line, len);
	if (r->code == EXIT_YES &&
	    record_write(&rec, STDOUT_FILENO, r->json) != 0)
		r->code = EXIT_TEMP;
}

static void
line_cb(void *arg, const char *line, size_t len)
{
	struct reading *r = arg;
	struct record_view v;
	bool link, route;

	if (record_parse(&v, line, len) != 0)
		return;
	if (record_is(&v, "end")) {
		r->ends++;
		return;
	}
	if (record_is(&v, "hello"))
		name_engine(r, &v);
	link = record_is(&v, "tunnel");
	route = record_is(&v, "route");
	if (!link && !route)
		return;
	if (!r->people)
		print_record(r, line, len);
	else if (link && r->links->rows < ROWS)
		add_link(r->links, &v);
	else if (route && r->routes->rows < ROWS)
		add_route(r->routes, &v);
}

/* Returns a descriptor or -errno. */
static int
ask(const char *path)
{
	static const char commands[] = "hello\nstatus\nroutes\n";
	struct timeval patience = {.tv_sec = ANSWER_S};
	struct sockaddr_un name;
	int fd, rc = unixsocket_name(&name, path);

	if (rc != 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&name, sizeof(name)) == 0 &&
	    send(fd, commands, sizeof(commands) - 1, MSG_NOSIGNAL) ==
		(ssize_t)sizeof(commands) - 1)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

/* Returns false when no whole answer came. */
static bool
take_answer(int fd, struct reading *r)
{
	char buf[4096];
	struct line line;
	ssize_t n;

	line_init(&line);
	while (r->ends < 3 && r->code == EXIT_YES) {
		n = recv(fd, buf, sizeof(buf), 0);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		line_feed(&line, buf, (size_t)n, line_cb, r);
	}
	return true;
}

static void
print_tables(const struct reading *r)
{
	if (r->engine[0] != '\0')
		puts(r->engine);
	print(r->links);
	if (r->links->rows > 1 && r->routes->rows > 1)
		putchar('\n');
	print(r->routes);
	if (r->links->rows <= 1 && r->routes->rows <= 1)
		puts("there are no peers");
}

int
pipestatus(const char *path, const char *key_path, bool json)
{
	static const char *const link_names[] = {"peer", "path", "endpoint",
	    "round trip", "since", "streams", "in", "out", "memory", " "};
	static const char *const route_names[] = {
	    "peer", "forward", "state", "open", "total", " "};
	struct reading r = {.json = json,
	    .people = !json && isatty(STDOUT_FILENO),
	    .links = calloc(2, sizeof(*r.links))};
	int fd = ask(path);

	if (r.links == NULL)
		fatalx(EXIT_TEMP, "out of memory");
	r.routes = r.links + 1;
	head(r.links, link_names, COLUMNS);
	head(r.routes, route_names, 6);
	if (fd == -ENOENT || fd == -ECONNREFUSED) {
		log_fatalx("no nat-pipe runs with the key %s (nobody is at %s)",
		    key_path, path);
		r.code = EXIT_NO;
	} else if (fd < 0) {
		log_fatalx("%s: %s", path, strerror(-fd));
		r.code = EXIT_TEMP;
	} else {
		if (!take_answer(fd, &r)) {
			log_fatalx("%s: it did not answer", path);
			r.code = EXIT_TEMP;
		}
		close(fd);
	}
	if (r.code == EXIT_YES && r.people)
		print_tables(&r);
	free(r.links);
	return r.code;
}
