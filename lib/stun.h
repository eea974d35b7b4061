/* SPDX-License-Identifier: ISC */
/* STUN messages (RFC 8489): one codec for everything on the wire.
 *
 *   0                   1                   2                   3
 *  |0 0|  message type (14)        |  length of what follows (16)  |
 *  |                  magic cookie 0x2112A442                      |
 *  |                  transaction id (96)                          |
 *  |  attributes: type (16), length (16), value, zero padding to 4 |
 */
#ifndef NATKIT_STUN_H
#define NATKIT_STUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "cursor.h"

#define STUN_HEADER_LEN 20
#define STUN_COOKIE 0x2112A442u
#define STUN_TID_LEN 12
/* Largest message that we make or take: no fragment on any path. */
#define STUN_MAX 1280

enum stun_class {
	STUN_REQUEST = 0,
	STUN_INDICATION = 1,
	STUN_SUCCESS = 2,
	STUN_ERROR = 3,
};

enum stun_method {
	STUN_BINDING = 0x001,  /* RFC 8489 section 18.2 */
	TURN_ALLOCATE = 0x003, /* RFC 8656 section 17, as those below */
	TURN_REFRESH = 0x004,
	TURN_SEND = 0x006, /* indication */
	TURN_DATA = 0x007, /* indication */
	TURN_CREATE_PERMISSION = 0x008,
	TURN_CHANNEL_BIND = 0x009,
	NATKIT_HELLO = 0x0e1,	   /* rendezvous: Noise handshake */
	NATKIT_SESSION = 0x0e2,	   /* rendezvous: Noise transport */
	NATKIT_TWIN_HELLO = 0x0e3, /* nat-stund's twin: Noise handshake */
	NATKIT_TWIN = 0x0e4,	   /* nat-stund's twin: Noise transport */
	NATKIT_BIND = 0x0e5,	   /* nat-relayd: one side of a plain pair */
};

enum stun_attr_type {
	STUN_MAPPED_ADDRESS = 0x0001,
	STUN_CHANGE_REQUEST = 0x0003,  /* RFC 5780 section 7.2 */
	STUN_SOURCE_ADDRESS = 0x0004,  /* RFC 3489; now RESPONSE-ORIGIN */
	STUN_CHANGED_ADDRESS = 0x0005, /* RFC 3489; now OTHER-ADDRESS */
	STUN_USERNAME = 0x0006,
	STUN_MESSAGE_INTEGRITY = 0x0008,
	STUN_ERROR_CODE = 0x0009,
	STUN_UNKNOWN_ATTRIBUTES = 0x000a,
	TURN_CHANNEL_NUMBER = 0x000c, /* RFC 8656 section 18, as all TURN_ */
	TURN_LIFETIME = 0x000d,
	TURN_XOR_PEER_ADDRESS = 0x0012,
	TURN_DATA_ATTR = 0x0013,
	STUN_REALM = 0x0014,
	STUN_NONCE = 0x0015,
	TURN_XOR_RELAYED_ADDRESS = 0x0016,
	TURN_REQUESTED_ADDRESS_FAMILY = 0x0017,
	TURN_EVEN_PORT = 0x0018,
	TURN_REQUESTED_TRANSPORT = 0x0019,
	TURN_DONT_FRAGMENT = 0x001a,
	STUN_MESSAGE_INTEGRITY_SHA256 = 0x001c,
	STUN_PASSWORD_ALGORITHM = 0x001d,
	STUN_USERHASH = 0x001e,
	STUN_XOR_MAPPED_ADDRESS = 0x0020,
	TURN_RESERVATION_TOKEN = 0x0022,
	STUN_PRIORITY = 0x0024,	     /* RFC 8445 section 16.1 */
	STUN_USE_CANDIDATE = 0x0025, /* RFC 8445 section 16.1 */
	STUN_PADDING = 0x0026,	     /* RFC 5780 section 7.6 */
	STUN_RESPONSE_PORT = 0x0027, /* RFC 5780 section 7.5 */
	TURN_ADDITIONAL_ADDRESS_FAMILY = 0x8000,
	TURN_ADDITIONAL_ADDRESS_FAMILY_OLD = 0x8032, /* coturn's, of a draft */
	TURN_ADDRESS_ERROR_CODE = 0x8001,
	STUN_PASSWORD_ALGORITHMS = 0x8002,
	TURN_ICMP = 0x8004,
	STUN_ALTERNATE_SERVER = 0x8023,
	STUN_XOR_MAPPED_ADDRESS_OLD = 0x8020, /* drafts before RFC 5389 */
	STUN_SOFTWARE = 0x8022,
	STUN_FINGERPRINT = 0x8028,
	STUN_ICE_CONTROLLED = 0x8029,
	STUN_ICE_CONTROLLING = 0x802a,
	STUN_RESPONSE_ORIGIN = 0x802b, /* RFC 5780 section 7.3 */
	STUN_OTHER_ADDRESS = 0x802c,   /* RFC 5780 section 7.4 */
	/* ours, from the comprehension-required expert review range; what
	 * each holds stands in DESIGN.md, "The rendezvous protocol" */
	NATKIT_NOISE = 0x4e01,
	NATKIT_SESSION_ID = 0x4e02,
	NATKIT_SEALED = 0x4e03,
	NATKIT_PADDING = 0xce04, /* optional: ignored by who does not know */
	NATKIT_HINT = 0xce05,	 /* the same: punch/check.h */
	NATKIT_SEEN = 0xce06,	 /* the same, as XOR-MAPPED-ADDRESS */
	/* ours, inside encrypted payloads only */
	NATKIT_TIMESTAMP = 0x4e10,
	NATKIT_STATUS = 0x4e11,
	NATKIT_KEEPALIVE = 0x4e12,
	NATKIT_MAPPED = 0x4e13,
	NATKIT_WANT = 0x4e14,
	NATKIT_UNWANT = 0x4e15,
	NATKIT_SEND = 0x4e16,
	NATKIT_FROM = 0x4e17,
	NATKIT_READY = 0x4e18,
	NATKIT_PEER = 0x4e19,
	NATKIT_GO = 0x4e1a,
	NATKIT_GONE = 0x4e1b,
	NATKIT_BYE = 0x4e1c,
	NATKIT_TOKEN = 0x4e1d, /* credentials for relays, for one pair */
	NATKIT_RELAY = 0x4e1e, /* one relay that takes them */
	/* ours, inside sealed peer payloads only */
	NATKIT_TAGS = 0x4e20,
	NATKIT_GENERATION = 0x4e21,
	NATKIT_CREDENTIALS = 0x4e22,
	NATKIT_CANDIDATE = 0x4e23,
	/* ours, between two nat-stund that are each other's twin only */
	NATKIT_TWIN_ADDRESS = 0x4e30,
	NATKIT_TWIN_SEND = 0x4e31,
};

/* Flags of a CHANGE-REQUEST (RFC 5780 section 7.2). */
#define STUN_CHANGE_IP 0x4u
#define STUN_CHANGE_PORT 0x2u

struct stun_msg {
	uint16_t method; /* enum stun_method, or one unknown to us */
	enum stun_class class;
	const uint8_t *tid; /* STUN_TID_LEN bytes */
	const uint8_t *raw; /* the whole message, header included */
	size_t len;
	bool fingerprint; /* a FINGERPRINT was there, and right */
};

struct stun_attr {
	uint16_t type;
	uint16_t len; /* without padding */
	const uint8_t *value;
};

/* Could this datagram be STUN at all: first two bits zero, a length that
 * matches and is a multiple of 4, and the cookie (RFC 8489 section 5). */
bool stun_is_stun(const uint8_t *data, size_t len);
/* Checks the whole message: header, every attribute's bounds, FINGERPRINT
 * last and right when present. The message points into data.
 * Returns 0, or -EBADMSG. */
int stun_parse(struct stun_msg *out, const uint8_t *data, size_t len);

/* Walks attributes: of a message, or of an encrypted payload (which is an
 * attribute list without a header). */
void stun_attrs(struct cursor *c, const struct stun_msg *m);
/* Returns 1 and fills *out, 0 at the end, -EBADMSG on a cut-off one. */
int stun_attr_next(struct cursor *c, struct stun_attr *out);
/* The same in an attribute list: is it well-formed; its first attribute of the
 * type (0, or -ENOENT). */
bool stun_list_valid(const uint8_t *list, size_t len);
int stun_list_find(
    const uint8_t *list, size_t len, uint16_t type, struct stun_attr *out);
/* First attribute of the type before any integrity attribute (RFC 8489
 * section 14.5: what follows those is not to be used, except FINGERPRINT).
 * Returns 0, or -ENOENT. */
int stun_find(const struct stun_msg *m, uint16_t type, struct stun_attr *out);
/* The first unknown comprehension-required (< 0x8000) attribute type that is
 * not in known[0..n), or 0. */
uint16_t stun_unknown(
    const struct stun_msg *m, const uint16_t *known, size_t n);

/* Address attributes (RFC 8489 section 14.1, 14.2); tid is needed for XOR of
 * IPv6. 4-in-6 is unmapped. Returns 0, -EBADMSG, -EPROTONOSUPPORT. */
int stun_get_addr(const struct stun_attr *a, struct addr *out);
int stun_get_xor_addr(
    const struct stun_attr *a, const uint8_t *tid, struct addr *out);
/* The reflexive address of a Binding success: XOR-MAPPED-ADDRESS, or the old
 * 0x8020, or MAPPED-ADDRESS. Returns 0, -ENOENT, -EBADMSG. */
int stun_get_mapped(const struct stun_msg *m, struct addr *out);
/* ERROR-CODE as a number 300..699 (section 14.8), or -EBADMSG. */
int stun_get_error(const struct stun_msg *m);

/* Integrity over all before the attribute (sections 14.5, 14.6), constant
 * time. SHA-256 may be truncated to 16..32 bytes in steps of 4. Returns 0,
 * -ENOENT when absent, -EACCES when wrong. */
int stun_check_integrity_sha256(
    const struct stun_msg *m, const void *key, size_t key_len);
int stun_check_integrity(
    const struct stun_msg *m, const void *key, size_t key_len);

/* Builder. All puts after an overflow do nothing; the end call reports it. */
struct stun_buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	bool overflow;
	bool list; /* no header: an attribute list for encryption */
};

void stun_begin(struct stun_buf *b, void *data, size_t cap, uint16_t method,
    enum stun_class class, const uint8_t tid[STUN_TID_LEN]);
void stun_begin_list(struct stun_buf *b, void *data, size_t cap);
void stun_put(struct stun_buf *b, uint16_t type, const void *value, size_t len);
/* Reserves len bytes of value (zeroed) to be filled in place; NULL on
 * overflow. */
uint8_t *stun_put_space(struct stun_buf *b, uint16_t type, size_t len);
void stun_put_u32(struct stun_buf *b, uint16_t type, uint32_t v);
void stun_put_u64(struct stun_buf *b, uint16_t type, uint64_t v);
void stun_put_addr(struct stun_buf *b, uint16_t type, const struct addr *a);
void stun_put_xor_addr(struct stun_buf *b, uint16_t type, const struct addr *a);
/* code 300..699; reason may be NULL */
void stun_put_error(struct stun_buf *b, int code, const char *reason);
void stun_put_integrity_sha256(
    struct stun_buf *b, const void *key, size_t key_len);
void stun_put_integrity(struct stun_buf *b, const void *key, size_t key_len);
/* Returns the total length, or -ENOBUFS. With fingerprint, appends it. */
int stun_end(struct stun_buf *b, bool fingerprint);

/* 96 random bits. */
void stun_new_tid(uint8_t tid[STUN_TID_LEN]);

/* A Binding indication, which nobody answers (RFC 8489 section 6.3.2). Returns its
 * length, or -ENOBUFS. */
int stun_binding_indication(uint8_t *out, size_t cap);

#endif
