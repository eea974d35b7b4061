/* SPDX-License-Identifier: ISC */
/* Command lines: what all programs do with getopt(3), in one way. */
#include "option.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exitcode.h"
#include "log.h"

static const char *usage = "", *help;

void
option_begin(const char *text, const char *more)
{
	usage = text;
	help = more;
	opterr = 0;
}

void
option_help(void)
{
	printf("usage: %s\n%s", usage, help != NULL ? help : "");
	exit(fflush(stdout) == 0 ? EXIT_YES : EXIT_TEMP);
}

int
option_next(int argc, char *argv[], const char *letters)
{
	int letter;

	while ((letter = getopt(argc, argv, letters)) != -1) {
		switch (letter) {
		case 'h':
			option_help();
		case 'q':
			log_quiet();
			break;
		case 'v':
			log_more();
			break;
		case ':':
			option_fail("-%c needs a value", optopt);
		case '?':
			if (optopt == '-' &&
			    strcmp(argv[optind], "--help") == 0)
				option_help();
			option_fail("-%c is no option here", optopt);
		default:
			return letter;
		}
	}
	return -1;
}

void
option_fail(const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_fatalx("%s", text);
	fprintf(stderr, "usage: %s\n", usage);
	exit(EXIT_USAGE);
}

void
option_cannot_listen(
    int rc, const struct addr *at, const char *others, const char *choose)
{
	char text[ADDR_STRLEN];

	errno = -rc;
	addr_format(at, text);
	if (rc == -EADDRINUSE)
		fatalx(EXIT_USAGE,
		    "can't listen on %s: %s; is another %s running? "
		    "ss -lntup; or choose %s",
		    text, strerror(errno), others, choose);
	if (rc == -EADDRNOTAVAIL)
		fatalx(EXIT_USAGE,
		    "can't listen on %s: no address of this host; ip addr "
		    "lists them",
		    text);
	fatal(
	    rc == -ENOMEM ? EXIT_TEMP : EXIT_USAGE, "can't listen on %s", text);
}

uint32_t
option_number(const char *what, const char *text, uint32_t min, uint32_t max)
{
	size_t len = strlen(text);
	unsigned long v = 0;

	if (len > 0 && len <= 9 && strspn(text, "0123456789") == len)
		v = strtoul(text, NULL, 10);
	else
		len = 0;
	if (len == 0 || v < min || v > max)
		option_fail(
		    "%s %s: give a number from %u to %u", what, text, min, max);
	return (uint32_t)v;
}

/* A nat-port that the same script has just started may need a moment. */
static int
connect_soon(struct port **out, const char *path)
{
	int err, tries = 20;

	while ((err = port_connect(out, path)) == -ENOENT ||
	       err == -ECONNREFUSED) {
		if (tries-- == 0)
			break;
		poll(NULL, 0, 50);
	}
	return err;
}

struct port *
option_port(const char *path, uint16_t port)
{
	struct port *p = NULL;
	int err = path != NULL ? connect_soon(&p, path) : port_bind(&p, port);
	int code = err == -EACCES || err == -EPERM || err == -EADDRINUSE
		       ? EXIT_USAGE
		       : EXIT_TEMP;

	if (err == 0)
		return p;
	errno = -err;
	if (path != NULL)
		fatal(code, "port socket %s (is nat-port running?)", path);
	if (err == -EADDRINUSE)
		fatal(code,
		    "port %u belongs to another program: lend it with nat-port "
		    "and give its socket with -s",
		    port);
	fatal(code, "UDP port %u", port);
}

uint8_t *
option_key(const char *path, uint8_t pub[KEY_LEN])
{
	uint8_t *secret = sodium_malloc(KEY_LEN);
	bool loose = false;
	int err = 0;

	if (secret == NULL)
		fatalx(EXIT_TEMP, "out of memory");
	err = key_load(secret, pub, path, &loose);
	if (err == -EBADMSG)
		fatalx(EXIT_USAGE,
		    "%s: not one private key; make one with: wg genkey > FILE",
		    path);
	if (err == -ENOENT)
		fatalx(EXIT_USAGE,
		    "%s: %s; make a key with: wg genkey > FILE, after umask "
		    "077",
		    path, strerror(-err));
	if (err != 0) {
		errno = -err;
		fatal(EXIT_USAGE, "%s", path);
	}
	if (loose)
		log_warnx("%s: others may read this key; chmod 600 it", path);
	return secret;
}
