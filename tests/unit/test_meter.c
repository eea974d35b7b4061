/* SPDX-License-Identifier: ISC */
/* The progress line of nat-pipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "meter.h"

static void
sizes(void **state)
{
	static const struct {
		double bytes;
		const char *text;
	} all[] = {
	    {0, "0 B"},
	    {1023, "1023 B"},
	    {1024, "1.0 KiB"},
	    {1024.0 * 1024 - 1, "1.0 MiB"},
	    {12.34 * 1024 * 1024, "12.3 MiB"},
	    {1.8446744073709552e19, "16.0 EiB"},
	};
	char buf[24];

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_string_equal(
		    meter_size(all[i].bytes, buf, sizeof(buf)), all[i].text);
}

static void
the_line(void **state)
{
	struct meter m = {.ms = 0};
	char out[METER_TEXT];

	(void)state;
	assert_string_equal(
	    meter_text(&m, 0, NULL, 0, 1000, out), "0 B  0 B/s");
	for (uint64_t s = 2; s < 20; s++)
		meter_text(&m, s << 20, "direct 203.0.113.2:51820", 11400,
		    s * 1000, out);
	assert_string_equal(
	    out, "19.0 MiB  1.0 MiB/s  direct 203.0.113.2:51820  11 ms");
	meter_text(&m, 19 << 20, "x", 950, 20000, out);
	assert_non_null(strstr(out, "  x  0.9 ms"));
}

/* A rate that has stopped comes to zero, and no clock makes it infinite. */
static void
stops(void **state)
{
	struct meter m = {.ms = 0};
	char out[METER_TEXT];

	(void)state;
	meter_text(&m, 0, NULL, 0, 1, out);
	meter_text(&m, 1 << 30, NULL, 0, 1, out);
	assert_string_equal(out, "1.0 GiB  0 B/s");
	meter_text(&m, 2u << 30, NULL, 0, 1001, out);
	for (uint64_t s = 2; s < 60; s++)
		meter_text(&m, 2u << 30, NULL, 0, s * 1000 + 1, out);
	assert_string_equal(out, "2.0 GiB  0 B/s");
}

/* What a long path says is cut, not overflown. */
static void
long_path(void **state)
{
	struct meter m = {.ms = 0};
	char out[METER_TEXT], path[400];

	(void)state;
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	meter_text(&m, UINT64_MAX, path, UINT64_MAX, 1, out);
	assert_true(strlen(out) < METER_TEXT);
	assert_non_null(strstr(out, "pp  "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sizes),
	    cmocka_unit_test(the_line),
	    cmocka_unit_test(stops),
	    cmocka_unit_test(long_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
