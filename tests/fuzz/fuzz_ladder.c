/* SPDX-License-Identifier: ISC */
/* Any lines of the files "lab" and "watch", and any packets among them (a line
 * that begins with '!': box, flags, then bytes from the IP header on, as far as
 * no newline is in them): all pictures come out, and no byte of a line is
 * markup in them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ladder.h"
#include "page.h"
#include "plain.h"
#include "svg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint64_t now_ns;

static void
packet(struct ladder *l, const uint8_t *data, size_t len)
{
	struct describe d;
	struct packet p;
	struct sight s = {.packet = &p, .what = &d};

	if (len < 3 || l->places.n == 0 ||
	    packet_decode_ip(&p, data + 3, len - 3) != 0)
		return;
	describe_packet(&d, &p);
	s.ns = now_ns += 1000000u * (data[2] >> 4);
	s.box = (int)(data[1] % l->places.n);
	s.out = (data[2] & 1) != 0;
	s.at = data[2] >> 1 & 3;
	if (trails_add(&l->trails, &s) != 0)
		abort();
}

/* Between the tags that we write there is no other one. */
static void
check(const char *text)
{
	static const char *const ours[] = {"<!", "<svg", "</", "<style", "<g ",
	    "<title>", "<text", "<rect", "<line", "<path", "<circle", "<html",
	    "<head", "<meta", "<body", "<div", "<h1", "<button", "<input",
	    "<span", "<main", "<p ", "<table", "<thead", "<tr>", "<th>",
	    "<tbody", "<script>"};
	const char *end = strstr(text, "<script>");
	bool known;

	for (; (text = strchr(text, '<')) != NULL; text++) {
		known = false;
		for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
			known |= strncmp(text, ours[i], strlen(ours[i])) == 0;
		if (end != NULL && text > end)
			break;
		if (!known)
			abort();
	}
}

static void
write_all(struct ladder *l)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (plain_write(f, l) == 0 && memchr(text, '\033', len) != NULL)
		abort();
	fclose(f);
	free(text);
	f = open_memstream(&text, &len);
	if (page_write(f, l, "<x>") == 0)
		check(text);
	fclose(f);
	free(text);
	f = open_memstream(&text, &len);
	if (svg_write(f, l, "<x>") == 0)
		check(text);
	fclose(f);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct ladder l;
	struct ladder_window w = {.rows = 200};
	struct record_view r;
	const uint8_t *end;
	size_t n;

	if (ladder_init(&l) != 0)
		abort();
	now_ns = 0;
	for (; len > 0; data += n, len -= n) {
		end = memchr(data, '\n', len);
		n = end == NULL ? len : (size_t)(end - data);
		if (n > 0 && data[0] == '!')
			packet(&l, data, n);
		else if (record_parse(&r, (const char *)data, n) == 0)
			ladder_feed(&l, &r);
		n += end != NULL;
	}
	if (ladder_build(&l, &w) != 0)
		abort();
	write_all(&l);
	ladder_free(&l);
	return 0;
}
