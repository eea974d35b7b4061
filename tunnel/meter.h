/* SPDX-License-Identifier: ISC */
/* The progress line of nat-pipe, as pv(1) has it: how much, how fast, by which
 * path. The text is pure; showing it needs a terminal on standard error. */
#ifndef NATKIT_METER_H
#define NATKIT_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METER_TEXT 160

struct meter {
	uint64_t bytes, ms; /* at the last look; ms 0: none yet */
	double rate;	    /* bytes per second, smoothed */
};

/* "12.3 MiB  45.6 MiB/s  direct 203.0.113.2:51820  11 ms". bytes: both
 * directions since the start; path: what stands there, or NULL; rtt_us 0: not
 * known. Meant to be called once a second. */
const char *meter_text(struct meter *m, uint64_t bytes, const char *path,
    uint64_t rtt_us, uint64_t now_ms, char out[METER_TEXT]);
/* "0 B", "1023 B", "1.0 KiB", "12.3 MiB", ... */
const char *meter_size(double bytes, char *out, size_t cap);

/* Does anybody see it? Then lines of log.h are kept apart from it. */
bool meter_begin(void);
void meter_show(const char *text);
void meter_clear(void);
/* It stays, and what comes next stands on a line of its own. */
void meter_leave(void);
/* The same before a signal ends the program: Ctrl-C, and so on. */
void meter_hold_signals(void);
/* A line of somebody else's for standard error. What a terminal could act on
 * becomes '?'. */
void meter_pass(const char *line);

#endif
