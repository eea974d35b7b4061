/* SPDX-License-Identifier: ISC */
/* Command lines: what all programs do with getopt(3), in one way. A mistake
 * ends the program with one line that says what to do, the usage line, and
 * exit code 100. */
#ifndef NATKIT_OPTION_H
#define NATKIT_OPTION_H

#include <stdint.h>

#include "addr.h"
#include "key.h"
#include "port.h"

/* What follows "usage: ", without a newline at the end; help (or NULL) is
 * what -h prints after it. */
void option_begin(const char *usage, const char *help);
/* getopt(3) over letters, which begin with ':'. Does -h (exit 0), -q and -v
 * by itself and ends the program on an unknown option or a missing value.
 * Returns the next other letter, or -1; optarg and optind are set. */
int option_next(int argc, char *argv[], const char *letters);
/* What -h does. */
__attribute__((noreturn)) void option_help(void);
__attribute__((noreturn, format(printf, 1, 2))) void option_fail(
    const char *fmt, ...);
/* Ends a server that can't listen at that address (rc: -errno) with 100, or 111
 * when memory is short, and says what to do; others: who may have the port
 * ("nat-stund"), choose: the options that tell another one ("-p"). */
__attribute__((noreturn)) void option_cannot_listen(
    int rc, const struct addr *at, const char *others, const char *choose);
/* A whole decimal number; what names it in the message ("-p", "port"). */
uint32_t option_number(
    const char *what, const char *text, uint32_t min, uint32_t max);
/* The port that -s (path, unless NULL) or -p tells; ends the program with 100
 * or 111 when it can't be had. A socket that is not there yet is waited for,
 * one second at most. */
struct port *option_port(const char *path, uint16_t port);
/* The private key in the file that -k names ("-" is standard input), in memory
 * of sodium_malloc, and its public half; ends the program with 100 or 111 when
 * it can't be had, and warns when others may read the file. */
uint8_t *option_key(const char *path, uint8_t pub[KEY_LEN]);

#endif
