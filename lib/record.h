/* SPDX-License-Identifier: ISC */
/* Records: "type key=value key=value ...", one a line, one write(2) of at
 * most RECORD_MAX bytes each. nat-records(5) lists them all. */
#ifndef NATKIT_RECORD_H
#define NATKIT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "key.h"

#define RECORD_MAX 512 /* least PIPE_BUF; the newline included */
#define RECORD_FIELDS 24

struct record {
	char text[RECORD_MAX + 1];
	size_t len;
	bool overflow;
};

void record_begin(struct record *r, const char *type);
/* Bytes outside A-Za-z0-9._:/@+=,[]- become %XX. NULL or "" adds nothing. */
void record_put(struct record *r, const char *key, const char *value);
void record_put_u64(struct record *r, const char *key, uint64_t value);
void record_put_i64(struct record *r, const char *key, int64_t value);
/* ADDR_NONE adds nothing. */
void record_put_addr(struct record *r, const char *key, const struct addr *a);
void record_put_key(
    struct record *r, const char *key, const uint8_t value[KEY_LEN]);

/* Writes the record and a newline, as text or (json) as a JSON object
 * {"record":"...","key":"value",...} ("type" is a key of some records): values
 * that are whole decimal numbers are JSON numbers. One write(2). Returns 0,
 * -EMSGSIZE when it did not fit (and nothing is written), -EBADMSG when it is
 * no record, or -errno of write: -EPIPE means nobody reads. */
int record_write(const struct record *r, int fd, bool json);

/* A parsed line. Strings point into the storage of this struct. */
struct record_view {
	char text[RECORD_MAX + 1];
	const char *type;
	size_t n;
	const char *key[RECORD_FIELDS];
	const char *value[RECORD_FIELDS];
};

/* line has no newline. Values are decoded. Returns 0, -EBADMSG for text that
 * is no record, -EMSGSIZE when too long or of too many fields. */
int record_parse(struct record_view *out, const char *line, size_t len);
/* NULL when absent. */
const char *record_get(const struct record_view *r, const char *key);
bool record_is(const struct record_view *r, const char *type);
/* These return 0, -ENOENT when absent, -EBADMSG when malformed. */
int record_get_u64(const struct record_view *r, const char *key, uint64_t *out);
int record_get_addr(
    const struct record_view *r, const char *key, struct addr *out);
int record_get_key(
    const struct record_view *r, const char *key, uint8_t out[KEY_LEN]);

#endif
