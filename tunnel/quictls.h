/* SPDX-License-Identifier: ISC */
/* The TLS 1.3 session of a QUIC connection (RFC 9001), from GnuTLS: one
 * external PSK (RFC 8446 section 4.2.11) and X25519, nothing else. */
#ifndef NATKIT_QUICTLS_H
#define NATKIT_QUICTLS_H

#include <gnutls/gnutls.h>
#include <stdbool.h>

#include "psk.h"

struct quictls {
	gnutls_session_t session;
	gnutls_psk_client_credentials_t client;
	gnutls_psk_server_credentials_t server;
	const uint8_t *psk;
};

/* psk has to outlive it; ptr is gnutls_session_get_ptr's, whose QUIC callbacks
 * the caller sets. Returns 0 or -ENOMEM. */
int quictls_init(
    struct quictls *t, bool server, const uint8_t psk[PSK_LEN], void *ptr);
void quictls_free(struct quictls *t);
/* The key exchange is the PSK's, and ephemeral: once keys for Handshake packets
 * exist, the binder has been verified (server), the PSK selected (client). */
bool quictls_is_psk(gnutls_session_t session);
/* Once the handshake is done: it is about what we speak. */
bool quictls_is_natkit(gnutls_session_t session);

#endif
