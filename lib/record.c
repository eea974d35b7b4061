/* SPDX-License-Identifier: ISC */
/* Records, written and parsed; nat-records(5). */
#include "record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char hex[] = "0123456789ABCDEF";

/* No locale: isalnum(3) may take more. */
static bool
is_plain(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("._:/@+=,[]-", c) != NULL);
}

/* Types and keys: also good as the name of a shell variable. */
static bool
is_name(const char *s, size_t len)
{
	size_t i;

	if (len == 0 || s[0] < 'a' || s[0] > 'z')
		return false;
	for (i = 1; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') ||
			(s[i] >= '0' && s[i] <= '9') || s[i] == '_'))
			return false;
	return true;
}

/* A text under construction that is all there or marked as overflown. */
struct out {
	char *text;
	size_t len;
	size_t cap;
	bool overflow;
};

static void
out_bytes(struct out *o, const char *s, size_t len)
{
	if (o->overflow || len > o->cap - o->len) {
		o->overflow = true;
		return;
	}
	memcpy(o->text + o->len, s, len);
	o->len += len;
}

static void
out_str(struct out *o, const char *s)
{
	out_bytes(o, s, strlen(s));
}

static void
out_escaped(struct out *o, const char *s)
{
	char esc[3] = {'%'};

	for (; *s != '\0'; s++) {
		if (is_plain((unsigned char)*s)) {
			out_bytes(o, s, 1);
			continue;
		}
		esc[1] = hex[(unsigned char)*s >> 4];
		esc[2] = hex[(unsigned char)*s & 0x0f];
		out_bytes(o, esc, 3);
	}
}

void
record_begin(struct record *r, const char *type)
{
	struct out o = {.text = r->text, .cap = RECORD_MAX - 1};

	out_str(&o, type);
	r->len = o.len;
	r->overflow = o.overflow;
	r->text[r->len] = '\0';
}

void
record_put(struct record *r, const char *key, const char *value)
{
	struct out o = {.text = r->text,
	    .len = r->len,
	    .cap = RECORD_MAX - 1,
	    .overflow = r->overflow};

	if (value == NULL || value[0] == '\0')
		return;
	out_str(&o, " ");
	out_str(&o, key);
	out_str(&o, "=");
	out_escaped(&o, value);
	r->len = o.len;
	r->overflow = o.overflow;
	r->text[r->len] = '\0';
}

void
record_put_u64(struct record *r, const char *key, uint64_t value)
{
	char buf[24];

	snprintf(buf, sizeof(buf), "%" PRIu64, value);
	record_put(r, key, buf);
}

void
record_put_i64(struct record *r, const char *key, int64_t value)
{
	char buf[24];

	snprintf(buf, sizeof(buf), "%" PRId64, value);
	record_put(r, key, buf);
}

void
record_put_addr(struct record *r, const char *key, const struct addr *a)
{
	char buf[ADDR_STRLEN];

	if (a != NULL && a->family != ADDR_NONE)
		record_put(r, key, addr_format(a, buf));
}

void
record_put_key(struct record *r, const char *key, const uint8_t value[KEY_LEN])
{
	char buf[KEY_STRLEN];

	record_put(r, key, key_format(value, buf));
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Decodes %XX in place of a NUL-terminated value. A %00 would cut the value
 * short for its reader, so it is no value. */
static int
unescape(char *s)
{
	char *to = s;
	int hi, lo;

	for (; *s != '\0'; s++) {
		if (*s != '%') {
			if (!is_plain((unsigned char)*s))
				return -EBADMSG;
			*to++ = *s;
			continue;
		}
		hi = hex_value(s[1]);
		lo = hi < 0 ? -1 : hex_value(s[2]);
		if (lo < 0 || (hi == 0 && lo == 0))
			return -EBADMSG;
		*to++ = (char)(hi << 4 | lo);
		s += 2;
	}
	*to = '\0';
	return 0;
}

/* Adds the field that stands NUL-terminated at s. */
static int
parse_field(struct record_view *v, char *s)
{
	char *eq = strchr(s, '=');

	if (eq == NULL || !is_name(s, (size_t)(eq - s)))
		return -EBADMSG;
	*eq = '\0';
	if (eq[1] == '\0')
		return 0; /* an absent value is an absent key */
	if (record_get(v, s) != NULL || unescape(eq + 1) != 0)
		return -EBADMSG;
	if (v->n == RECORD_FIELDS)
		return -EMSGSIZE;
	v->key[v->n] = s;
	v->value[v->n++] = eq + 1;
	return 0;
}

static int
parse(struct record_view *v, size_t len)
{
	char *s, *next;
	int rc;

	if (memchr(v->text, '\0', len) != NULL)
		return -EBADMSG;
	next = strchr(v->text, ' ');
	if (next != NULL)
		*next++ = '\0';
	if (!is_name(v->text, strlen(v->text)))
		return -EBADMSG;
	while (next != NULL) {
		s = next;
		next = strchr(s, ' ');
		if (next != NULL)
			*next++ = '\0';
		rc = parse_field(v, s);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
record_parse(struct record_view *out, const char *line, size_t len)
{
	int rc = -EMSGSIZE;

	out->type = out->text;
	out->n = 0;
	if (len < RECORD_MAX) {
		memcpy(out->text, line, len);
		out->text[len] = '\0';
		rc = parse(out, len);
	}
	if (rc != 0) {
		out->text[0] = '\0';
		out->n = 0;
	}
	return rc;
}

const char *
record_get(const struct record_view *r, const char *key)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (strcmp(r->key[i], key) == 0)
			return r->value[i];
	return NULL;
}

bool
record_is(const struct record_view *r, const char *type)
{
	return strcmp(r->type, type) == 0;
}

int
record_get_u64(const struct record_view *r, const char *key, uint64_t *out)
{
	const char *s = record_get(r, key);
	uint64_t v = 0;
	unsigned digit;

	if (s == NULL)
		return -ENOENT;
	for (; *s != '\0'; s++) {
		digit = (unsigned)*s - '0';
		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return -EBADMSG;
		v = v * 10 + digit;
	}
	*out = v;
	return 0;
}

int
record_get_addr(const struct record_view *r, const char *key, struct addr *out)
{
	const char *s = record_get(r, key);

	if (s == NULL)
		return -ENOENT;
	return addr_parse(out, s) == 0 ? 0 : -EBADMSG;
}

int
record_get_key(
    const struct record_view *r, const char *key, uint8_t out[KEY_LEN])
{
	const char *s = record_get(r, key);

	if (s == NULL)
		return -ENOENT;
	return key_parse_public(out, s) == 0 ? 0 : -EBADMSG;
}

/* JSON's own form of a whole number (RFC 8259 section 6), so "007", which
 * means something else, stays a string. */
static bool
is_number(const char *s)
{
	if (*s == '-' && s[1] != '0')
		s++;
	if (*s == '0')
		return s[1] == '\0';
	return *s != '\0' && s[strspn(s, "0123456789")] == '\0';
}

/* The code point at *s, stepping over it; U+FFFD for a byte that is no part
 * of well-formed UTF-8 (RFC 3629). */
static uint32_t
utf8_next(const unsigned char **s)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	const unsigned char *p = *s;
	uint32_t c = *p++;
	int more, i;

	*s = p;
	if (c < 0x80)
		return c;
	more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
	if (c < 0xc2 || c > 0xf4)
		return 0xfffd;
	c &= 0x3fu >> more;
	for (i = 0; i < more; i++) {
		if ((*p & 0xc0) != 0x80)
			return 0xfffd;
		c = c << 6 | (*p++ & 0x3f);
	}
	if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0xfffd;
	*s = p;
	return c;
}

/* Only printing ASCII goes out as it is (RFC 8259 section 7): the line is
 * safe on a terminal, whatever the value came from. */
static void
json_string(struct out *o, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	char buf[16];
	uint32_t c;

	out_str(o, "\"");
	while (*s != '\0') {
		c = utf8_next(&s);
		if (c == '"' || c == '\\')
			snprintf(buf, sizeof(buf), "\\%c", (char)c);
		else if (c >= ' ' && c <= '~')
			snprintf(buf, sizeof(buf), "%c", (char)c);
		else if (c <= 0xffff)
			snprintf(buf, sizeof(buf), "\\u%04" PRIx32, c);
		else
			snprintf(buf, sizeof(buf), "\\u%04x\\u%04x",
			    (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
			    (unsigned)(0xdc00 + ((c - 0x10000) & 0x3ff)));
		out_str(o, buf);
	}
	out_str(o, "\"");
}

static int
json(struct out *o, const struct record *r)
{
	struct record_view v;
	size_t i;
	int rc;

	rc = record_parse(&v, r->text, r->len);
	if (rc != 0)
		return rc;
	out_str(o, "{\"record\":");
	json_string(o, v.type);
	for (i = 0; i < v.n; i++) {
		out_str(o, ",");
		json_string(o, v.key[i]);
		out_str(o, ":");
		if (is_number(v.value[i]))
			out_str(o, v.value[i]);
		else
			json_string(o, v.value[i]);
	}
	out_str(o, "}");
	return 0;
}

int
record_write(const struct record *r, int fd, bool as_json)
{
	char buf[RECORD_MAX];
	struct out o = {.text = buf, .cap = sizeof(buf)};
	ssize_t n;
	int rc;

	if (r->overflow)
		return -EMSGSIZE;
	if (as_json) {
		rc = json(&o, r);
		if (rc != 0)
			return rc;
	} else {
		out_bytes(&o, r->text, r->len);
	}
	out_str(&o, "\n");
	if (o.overflow)
		return -EMSGSIZE;
	do
		n = write(fd, buf, o.len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == o.len ? 0 : -EIO;
}
