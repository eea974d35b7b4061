/* SPDX-License-Identifier: ISC */
/* nat-rendezvous key: the public half of a key file. */
#include <errno.h>
#include <sodium.h>
#include <unistd.h>

#include "exitcode.h"
#include "log.h"
#include "option.h"
#include "options.h"
#include "report.h"
#include "verb.h"

static const char usage[] = "nat-rendezvous key [-hj] -k keyfile";
static const char help[] = "  -k file   a private key, as wg genkey makes it\n"
			   "  -j        the record as JSON\n";

int
verb_key(int argc, char *argv[])
{
	struct options_key key;
	struct report report;
	struct options o;
	int err;

	options_read(&o, argc, argv, ":hjk:", usage, help);
	if (o.key_path == NULL)
		option_fail("give a key file with -k");
	if (optind != argc)
		option_fail("%s: takes no operands", argv[optind]);
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
