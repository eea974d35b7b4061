/* SPDX-License-Identifier: ISC */
/* nat-rendezvous key: the public half of a key file. */
#include <errno.h>
#include <sodium.h>
#include <unistd.h>

#include "exitcode.h"
#include "log.h"
#include "options.h"
#include "report.h"
#include "verb.h"

static const char usage[] = "nat-rendezvous key [-hj] -k keyfile";

int
verb_key(int argc, char *argv[])
{
	struct options_key key;
	struct report report;
	struct options o;
	int err;

	options_read(&o, argc, argv, ":hjk:", usage);
	if (o.key_path == NULL)
		options_fail(&o, "give a key file with -k");
	if (optind != argc)
		options_fail(&o, "%s: takes no operands", argv[optind]);
	options_load_key(&o, &key);
	report = (struct report){.fd = STDOUT_FILENO, .json = o.json};
	err = report_key(&report, key.pub);
	sodium_free(key.secret);
	if (err != 0) {
		errno = -err;
		fatal(EXIT_TEMP, "standard output");
	}
	return EXIT_YES;
}
