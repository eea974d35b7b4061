/* SPDX-License-Identifier: ISC */
/* TLS 1.3 with one external PSK, psk_dhe_ke only (RFC 8446 section 4.2.9). */
#include "quictls.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <sodium.h>
#include <string.h>

#define IDENTITY "natkit"
#define ALPN "natkit"

/* An external PSK belongs to one hash, here SHA-256 (RFC 8446 section 4.2.11):
 * AES-256-GCM has another one, so it is left out. No groups but X25519: the
 * ClientHello has one key share and fits one datagram. The signature is never
 * made, but GnuTLS refuses to go without one. ChaCha20 is the faster
 * one where the CPU has no AES. */
#define PRIORITY(CIPHERS)                                                      \
	"NONE:+VERS-TLS1.3:+ECDHE-PSK:+GROUP-X25519:+AEAD:" CIPHERS            \
	":+COMP-NULL:+SIGN-EdDSA-Ed25519:%DISABLE_TLS13_COMPAT_MODE"
#define AES_FIRST PRIORITY("+AES-128-GCM:+CHACHA20-POLY1305")
#define CHACHA_FIRST PRIORITY("+CHACHA20-POLY1305:+AES-128-GCM")

static const gnutls_datum_t identity = {
    .data = (unsigned char *)(uintptr_t)IDENTITY,
    .size = sizeof(IDENTITY) - 1,
};

/* Any other identity gets no key: the handshake fails. */
static int
psk_cb(
    gnutls_session_t session, const gnutls_datum_t *name, gnutls_datum_t *key)
{
	const struct quictls *t = gnutls_db_get_ptr(session);

	if (name->size != identity.size ||
	    memcmp(name->data, identity.data, identity.size) != 0)
		return -1;
	if ((key->data = gnutls_malloc(PSK_LEN)) == NULL)
		return -1;
	memcpy(key->data, t->psk, PSK_LEN);
	key->size = PSK_LEN;
	return 0;
}

static int
set_server(struct quictls *t)
{
	if (gnutls_psk_allocate_server_credentials(&t->server) != 0)
		return -ENOMEM;
	gnutls_psk_set_server_credentials_function2(t->server, psk_cb);
	gnutls_db_set_ptr(
	    t->session, t); /* else unused: there are no tickets */
	return gnutls_credentials_set(t->session, GNUTLS_CRD_PSK, t->server) ==
		       0
		   ? 0
		   : -ENOMEM;
}

static int
set_client(struct quictls *t)
{
	gnutls_datum_t key = {
	    .data = (unsigned char *)(uintptr_t)t->psk,
	    .size = PSK_LEN,
	};

	if (gnutls_psk_allocate_client_credentials(&t->client) != 0 ||
	    gnutls_psk_set_client_credentials2(
		t->client, &identity, &key, GNUTLS_PSK_KEY_RAW) != 0 ||
	    gnutls_credentials_set(t->session, GNUTLS_CRD_PSK, t->client) != 0)
		return -ENOMEM;
	return 0;
}

int
quictls_init(
    struct quictls *t, bool server, const uint8_t psk[PSK_LEN], void *ptr)
{
	const gnutls_datum_t alpn = {
	    .data = (unsigned char *)(uintptr_t)ALPN,
	    .size = sizeof(ALPN) - 1,
	};
	const char *ciphers =
	    crypto_aead_aes256gcm_is_available() ? AES_FIRST : CHACHA_FIRST;

	*t = (struct quictls){.psk = psk};
	if (gnutls_init(&t->session, (server ? GNUTLS_SERVER : GNUTLS_CLIENT) |
					 GNUTLS_NO_TICKETS |
					 GNUTLS_NO_AUTO_REKEY) != 0)
		return -ENOMEM;
	gnutls_session_set_ptr(t->session, ptr);
	if (gnutls_priority_set_direct(t->session, ciphers, NULL) != 0 ||
	    gnutls_alpn_set_protocols(
		t->session, &alpn, 1, GNUTLS_ALPN_MANDATORY) != 0 ||
	    (server ? set_server(t) : set_client(t)) != 0) {
		quictls_free(t);
		return -ENOMEM;
	}
	return 0;
}

void
quictls_free(struct quictls *t)
{
	if (t->session != NULL)
		gnutls_deinit(t->session);
	if (t->client != NULL)
		gnutls_psk_free_client_credentials(t->client);
	if (t->server != NULL)
		gnutls_psk_free_server_credentials(t->server);
	*t = (struct quictls){0};
}

bool
quictls_is_psk(gnutls_session_t session)
{
	return gnutls_kx_get(session) == GNUTLS_KX_ECDHE_PSK;
}

bool
quictls_is_natkit(gnutls_session_t session)
{
	gnutls_datum_t got;

	return quictls_is_psk(session) &&
	       gnutls_alpn_get_selected_protocol(session, &got) == 0 &&
	       got.size == sizeof(ALPN) - 1 &&
	       memcmp(got.data, ALPN, got.size) == 0;
}
