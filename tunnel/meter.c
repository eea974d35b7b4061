/* SPDX-License-Identifier: ISC */
/* The progress line of nat-pipe. */
#include "meter.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define SMOOTH 0.5 /* what the newest second counts */

static volatile sig_atomic_t shown;

const char *
meter_size(double bytes, char *out, size_t cap)
{
	static const char *const units[] = {
	    "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	size_t i = 0;

	/* what would be rounded to 1024.0 is 1.0 of the next */
	while (bytes >= (i == 0 ? 1024 : 1023.95) && i < 6) {
		bytes /= 1024;
		i++;
	}
	snprintf(out, cap, i == 0 ? "%.0f %s" : "%.1f %s", bytes, units[i]);
	return out;
}

const char *
meter_text(struct meter *m, uint64_t bytes, const char *path, uint64_t rtt_us,
    uint64_t now_ms, char out[METER_TEXT])
{
	char size[24], rate[24], rtt[32] = "";
	double now;

	if (m->ms != 0 && now_ms > m->ms && bytes >= m->bytes) {
		now = (double)(bytes - m->bytes) * 1000 /
		      (double)(now_ms - m->ms);
		m->rate += (now - m->rate) * (m->rate > 0 ? SMOOTH : 1);
		if (now == 0 && m->rate < 1)
			m->rate = 0;
	}
	m->bytes = bytes;
	m->ms = now_ms;
	if (rtt_us >= 10000)
		snprintf(rtt, sizeof(rtt), "  %.0f ms", (double)rtt_us / 1000);
	else if (rtt_us > 0)
		snprintf(rtt, sizeof(rtt), "  %.1f ms", (double)rtt_us / 1000);
	snprintf(out, METER_TEXT, "%s  %s/s%s%.70s%s",
	    meter_size((double)bytes, size, sizeof(size)),
	    meter_size(m->rate, rate, sizeof(rate)), path != NULL ? "  " : "",
	    path != NULL ? path : "", rtt);
	return out;
}

static void
put(const char *text, size_t len)
{
	if (write(STDERR_FILENO, text, len) == -1)
		return; /* nowhere left to say so */
}

bool
meter_begin(void)
{
	if (!isatty(STDERR_FILENO) || log_is_quiet())
		return false;
	log_before(meter_clear);
	return true;
}

void
meter_clear(void)
{
	if (shown)
		put("\r\033[K", 4);
	shown = false;
}

void
meter_leave(void)
{
	if (shown)
		put("\n", 1);
	shown = false;
}

static void
signal_cb(int sig)
{
	meter_leave();
	signal(sig, SIG_DFL);
	raise(sig);
}

void
meter_hold_signals(void)
{
	static const int ours[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction act = {.sa_handler = signal_cb}, old;

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (sigaction(ours[i], NULL, &old) == 0 &&
		    old.sa_handler != SIG_IGN)
			sigaction(ours[i], &act, NULL);
}

void
meter_show(const char *text)
{
	char line[METER_TEXT + 8];

	snprintf(line, sizeof(line), "\r\033[K%s", text);
	put(line, strlen(line));
	shown = true;
}

void
meter_pass(const char *line)
{
	char text[1100];
	size_t len = 0;

	for (; *line != '\0' && len < sizeof(text) - 1; line++)
		text[len++] =
		    (char)(*line >= 0x20 && *line < 0x7f ? *line : '?');
	text[len++] = '\n';
	meter_clear();
	put(text, len);
}
