/* SPDX-License-Identifier: ISC */
/* nat-ladder: a capture of a lab as one time line, a lane for each host and
 * NAT: text for a terminal, SVG for paper, a page with a slider for a class. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "evidence.h"
#include "exitcode.h"
#include "ladder.h"
#include "log.h"
#include "option.h"
#include "page.h"
#include "plain.h"
#include "svg.h"

static const char usage[] =
    "nat-ladder [-ahjqv] [-B ms] [-E ms] [-n rows] [-o file.svg|file.html]\n"
    "       directory";
static const char help[] =
    "  directory is what nat-capture has made\n"
    "  -o file   a picture for one page (.svg), or a page with a slider\n"
    "            (.html); without it, text for a terminal\n"
    "  -B ms     from this moment on (0 is the first packet)\n"
    "  -E ms     up to this moment\n"
    "  -n rows   so many rows at most\n"
    "  -a        repeats each in a row of its own\n"
    "  -j        records as JSON Lines\n"
    "  -q -v     say less, say more on standard error\n";

static void
read_all(struct ladder *l, const char *path)
{
	char what[128] = "";
	int err = evidence_read(l, path, what);

	if (err == -ENOENT && strcmp(what, "lab") == 0)
		fatalx(EXIT_USAGE,
		    "%s holds no capture; make one: nat-lab capture %s -- "
		    "prog",
		    path, path);
	if (err == -ENOMEM)
		fatalx(EXIT_TEMP, "out of memory");
	if (err != 0)
		fatalx(EXIT_USAGE, "%s/%s: %s", path, what, strerror(-err));
}

static bool
ends_with(const char *s, const char *end)
{
	size_t len = strlen(s), n = strlen(end);

	return len > n && strcmp(s + len - n, end) == 0;
}

static void
write_file(struct ladder *l, const char *path, const char *title)
{
	FILE *f = fopen(path, "we");
	int err;

	if (f == NULL)
		fatal(EXIT_USAGE, "%s", path);
	if (ends_with(path, ".svg"))
		err = svg_write(f, l, title);
	else
		err = page_write(f, l, title);
	if (fclose(f) != 0 || err == -EIO)
		fatal(EXIT_TEMP, "%s", path);
	if (err != 0)
		fatalx(EXIT_USAGE, "%zu lanes are too many for a picture",
		    l->nlane);
}

static const char *
title_of(char *path)
{
	size_t len = strlen(path);
	char *slash;

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	slash = strrchr(path, '/');
	return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

int
main(int argc, char *argv[])
{
	static struct ladder l;
	struct ladder_window w = {0};
	const char *out = NULL;
	bool json = false;
	char text[256];
	int letter, err = 0;

	log_init("nat-ladder", 0);
	option_begin(usage, help);
	while ((letter = option_next(argc, argv, ":B:E:ahjn:o:qv")) != -1) {
		if (letter == 'B')
			w.begin_ms = option_number("-B", optarg, 0, 999999999);
		else if (letter == 'E')
			w.end_ms = option_number("-E", optarg, 1, 999999999);
		else if (letter == 'a')
			w.repeats = true;
		else if (letter == 'j')
			json = true;
		else if (letter == 'n')
			w.rows = option_number("-n", optarg, 1, 1000000);
		else if (letter == 'o')
			out = optarg;
	}
	if (argc - optind != 1)
		option_fail("name one directory that nat-capture has made");
	if (out != NULL && !ends_with(out, ".svg") && !ends_with(out, ".html"))
		option_fail("-o %s: must end in .svg or .html", out);
	if (ladder_init(&l) != 0)
		fatalx(EXIT_TEMP, "out of memory");
	read_all(&l, argv[optind]);
	if (ladder_build(&l, &w) != 0)
		fatalx(EXIT_TEMP, "out of memory");
	if (l.nrow == 0)
		fatalx(
		    EXIT_NO, "%s holds no packet in that window", argv[optind]);
	if (out != NULL)
		write_file(&l, out, title_of(argv[optind]));
	else if (json)
		err = plain_records(STDOUT_FILENO, &l, true);
	else
		err = plain_write(stdout, &l);
	if (err == -ENOSPC)
		fatalx(EXIT_USAGE, "%zu lanes are too many for a terminal",
		    l.nlane);
	if (out != NULL && plain_left_out(&l, text, sizeof(text))[0] != '\0')
		log_warnx("not shown: %s", text);
	ladder_free(&l);
	return err == 0 ? EXIT_YES : EXIT_TEMP;
}
