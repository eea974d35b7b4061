/* SPDX-License-Identifier: ISC */
/* nat-stun pair: from what two hosts have measured, as records in two files,
 * which way connects them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cmdline.h"
#include "command.h"
#include "drop.h"
#include "exitcode.h"
#include "line.h"
#include "log.h"
#include "option.h"
#include "pair.h"
#include "record.h"

#define INPUT_MAX (1024 * 1024) /* bytes; a result has a few thousand */

static const char usage[] = "nat-stun pair [-hjqv] file file";
static const char help[] =
    "Each file holds what nat-stun behaviour printed on one host; - is\n"
    "standard input.\n"
    "  -j        the record as JSON\n"
    "  -q -v     say less, say more on standard error\n";

struct input {
	const char *name;
	int fd;
	uint64_t line;
	struct pair_side side;
};

static void
line_cb(void *arg, const char *text, size_t len)
{
	struct input *in = arg;
	struct pair_side before = in->side;

	in->line++;
	if (pair_line(&in->side, text, len) != 0)
		log_warnx("%s: line %llu skipped: no record that makes sense",
		    in->name, (unsigned long long)in->line);
	else if (pair_contradicts(&before, &in->side))
		log_warnx("%s: line %llu contradicts an earlier one, and "
			  "counts instead of it",
		    in->name, (unsigned long long)in->line);
}

static void
open_input(struct input *in, const char *path)
{
	bool standard = strcmp(path, "-") == 0;

	*in = (struct input){.name = standard ? "standard input" : path};
	in->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (in->fd == -1)
		fatal(EXIT_USAGE, "%s", path);
}

static void
read_input(struct input *in)
{
	struct line l;
	char buf[4096];
	size_t sum = 0;
	ssize_t n = 0;

	line_init(&l);
	while ((n = read(in->fd, buf, sizeof(buf))) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			fatal(EXIT_USAGE, "%s", in->name);
		line_feed(&l, buf, (size_t)n, line_cb, in);
		if ((sum += (size_t)n) > INPUT_MAX)
			fatalx(EXIT_USAGE,
			    "%s: too long for what nat-stun prints", in->name);
	}
	line_end(&l, line_cb, in);
	if (l.too_long > 0)
		log_warnx("%s: lines skipped that are too long: %llu", in->name,
		    (unsigned long long)l.too_long);
	if (in->side.records == 0)
		fatalx(EXIT_USAGE,
		    "%s: no nat or verdict record: give a file that nat-stun "
		    "behaviour wrote",
		    in->name);
}

static int
print(const struct pair_judgement *j, bool json)
{
	struct record r;
	int err = 0;

	record_begin(&r, "pair");
	record_put(&r, "direct", pair_direct_name(j->direct));
	record_put(&r, "method", j->method);
	if (j->direct != PAIR_DIRECT_UNKNOWN)
		record_put_u64(&r, "confidence", j->confidence);
	record_put(&r, "reason", j->reason);
	log_note("%s", j->reason);
	err = record_write(&r, STDOUT_FILENO, json);
	if (err != 0 && err != -EPIPE) {
		errno = -err;
		log_warn("standard output");
	}
	if (err != 0)
		return EXIT_TEMP;
	return j->direct == PAIR_DIRECT_YES ? EXIT_YES : EXIT_NO;
}

int
stun_command_pair(int argc, char *argv[])
{
	struct pair_judgement j;
	struct cmdline o;
	struct input in[2];

	cmdline_parse(&o, argc, argv, ":hjqv", usage, help);
	if (argc - optind != 2)
		option_fail("give two files, one of each host");
	if (strcmp(argv[optind], "-") == 0 &&
	    strcmp(argv[optind + 1], "-") == 0)
		option_fail("only one of the files can be standard input");
	for (int i = 0; i < 2; i++)
		open_input(&in[i], argv[optind + i]);
	drop_all();
	for (int i = 0; i < 2; i++)
		read_input(&in[i]);
	pair_judge(&j, &in[0].side, &in[1].side);
	return print(&j, o.json);
}
