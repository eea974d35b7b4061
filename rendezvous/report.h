/* SPDX-License-Identifier: ISC */
/* The records that nat-rendezvous prints. All return what record_write
 * does: 0 or -errno, -EPIPE when nobody reads. */
#ifndef NATKIT_REPORT_H
#define NATKIT_REPORT_H

#include "client.h"
#include "introduction.h"
#include "relaybook.h"

struct report {
	int fd;
	bool json;
};

/* ev is CLIENT_UP, CLIENT_DOWN or CLIENT_REFUSED. */
int report_session(const struct report *r, const uint8_t server[KEY_LEN],
    const struct client_event *ev);
/* Why it is waited for, or NULL: "absent", "no-server", "wrong-key", "refused",
 * "full". */
int report_waiting(
    const struct report *r, const uint8_t key[KEY_LEN], const char *reason);
/* The peer's candidates, closed by the credentials of both sides. */
int report_introduced(const struct report *r, const struct introduction *i);
int report_go(const struct report *r, const struct introduction *i,
    const struct introduction_event *ev);
int report_gone(const struct report *r, const uint8_t key[KEY_LEN]);
/* A token came from a server: the relays that it changes. */
int report_relays(const struct report *r, struct relaybook *b, int server,
    const struct token *token, uint64_t now_ms);
int report_server(const struct report *r, const uint8_t key[KEY_LEN],
    const struct addr *endpoint, uint64_t rtt_us, const struct addr *mapped);
int report_key(const struct report *r, const uint8_t pub[KEY_LEN]);

#endif
