/* SPDX-License-Identifier: ISC */
/* TLS 1.2 or newer (RFC 8446, RFC 5246) by GnuTLS. */
#include "secure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSIONS "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define SILLY_MAX 32 /* warnings and other records that hold nothing */

struct conn_tls {
	gnutls_certificate_credentials_t trust;
	gnutls_priority_t versions;
	bool server;
};

struct secure {
	gnutls_session_t session;
	unsigned int silly;
};

static int
fail(struct conn_tls *t, const char **why, const char *text)
{
	*why = text;
	conn_tls_free(t);
	return -EINVAL;
}

static int
new_tls(struct conn_tls **out, bool server, const char **why)
{
	struct conn_tls *t = calloc(1, sizeof(*t));

	if (t == NULL ||
	    gnutls_certificate_allocate_credentials(&t->trust) < 0 ||
	    gnutls_priority_init(&t->versions, VERSIONS, NULL) < 0)
		return fail(t, why, "TLS can't start here");
	t->server = server;
	*out = t;
	return 0;
}

int
conn_tls_server(struct conn_tls **out, const char *cert_file,
    const char *key_file, const char **why)
{
	struct conn_tls *t;
	int rc = new_tls(&t, true, why);

	if (rc != 0)
		return rc;
	rc = gnutls_certificate_set_x509_key_file(
	    t->trust, cert_file, key_file, GNUTLS_X509_FMT_PEM);
	if (rc < 0)
		return fail(t, why, gnutls_strerror(rc));
	*out = t;
	return 0;
}

int
conn_tls_client(struct conn_tls **out, const char *ca_file, const char **why)
{
	struct conn_tls *t;
	int n, rc = new_tls(&t, false, why);

	if (rc != 0)
		return rc;
	n = ca_file == NULL ? gnutls_certificate_set_x509_system_trust(t->trust)
			    : gnutls_certificate_set_x509_trust_file(
				  t->trust, ca_file, GNUTLS_X509_FMT_PEM);
	if (n < 0)
		return fail(t, why, gnutls_strerror(n));
	if (n == 0)
		return fail(t, why,
		    ca_file == NULL
			? "this system has no CA certificates: install "
			  "ca-certificates, or name a file"
			: "there is no certificate in it");
	*out = t;
	return 0;
}

void
conn_tls_free(struct conn_tls *t)
{
	if (t == NULL)
		return;
	if (t->trust != NULL)
		gnutls_certificate_free_credentials(t->trust);
	if (t->versions != NULL)
		gnutls_priority_deinit(t->versions);
	free(t);
}

/* A name is told to the server, an address is not (RFC 6066 section 3). */
static int
expect(gnutls_session_t session, const char *name)
{
	uint8_t ip[16];

	gnutls_session_set_verify_cert(session, name, 0);
	if (inet_pton(AF_INET, name, ip) == 1 ||
	    inet_pton(AF_INET6, name, ip) == 1)
		return 0;
	return gnutls_server_name_set(
	    session, GNUTLS_NAME_DNS, name, strlen(name));
}

int
secure_new(struct secure **out, struct conn_tls *t, int fd, const char *name)
{
	unsigned int side = t->server ? GNUTLS_SERVER : GNUTLS_CLIENT;
	struct secure *s;

	if (!t->server && (name == NULL || name[0] == '\0'))
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	if (gnutls_init(&s->session, side | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |
					 GNUTLS_NO_TICKETS) < 0) {
		free(s);
		return -ENOMEM;
	}
	if (gnutls_priority_set(s->session, t->versions) < 0 ||
	    gnutls_credentials_set(
		s->session, GNUTLS_CRD_CERTIFICATE, t->trust) < 0 ||
	    (!t->server && expect(s->session, name) < 0)) {
		gnutls_deinit(s->session);
		free(s);
		return -ENOMEM;
	}
	gnutls_transport_set_int(s->session, fd);
	/* the owner has a timer of its own */
	gnutls_handshake_set_timeout(s->session, GNUTLS_INDEFINITE_TIMEOUT);
	*out = s;
	return 0;
}

void
secure_free(struct secure *s)
{
	if (s == NULL)
		return;
	gnutls_bye(s->session, GNUTLS_SHUT_WR);
	gnutls_deinit(s->session);
	free(s);
}

static const char *
certificate_why(gnutls_session_t session)
{
	unsigned int status = gnutls_session_get_verify_cert_status(session);

	if (status & GNUTLS_CERT_UNEXPECTED_OWNER)
		return "TLS: the certificate is for another name";
	if (status &
	    (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNATURE_FAILURE))
		return "TLS: the certificate is of no CA that we trust";
	if (status & GNUTLS_CERT_EXPIRED)
		return "TLS: the certificate has expired";
	if (status & GNUTLS_CERT_NOT_ACTIVATED)
		return "TLS: the certificate is not valid yet (is our clock "
		       "right?)";
	return "TLS: the certificate is not right";
}

/* What a return code of GnuTLS means for us. */
static int
settle(struct secure *s, ssize_t rc, const char **why)
{
	if (rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED)
		return -EAGAIN;
	if (rc == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
		*why = certificate_why(s->session);
	else if (rc == GNUTLS_E_FATAL_ALERT_RECEIVED)
		*why = "TLS: refused by the other side";
	else if (rc == GNUTLS_E_PREMATURE_TERMINATION)
		*why = "cut off";
	else
		*why = gnutls_strerror((int)rc);
	return -EPROTO;
}

/* Is there nothing wrong yet, so that the call is to be made again? */
static bool
is_harmless(struct secure *s, ssize_t rc)
{
	return rc < 0 && rc != GNUTLS_E_AGAIN && rc != GNUTLS_E_INTERRUPTED &&
	       gnutls_error_is_fatal((int)rc) == 0 &&
	       rc != GNUTLS_E_REHANDSHAKE && s->silly++ < SILLY_MAX;
}

int
secure_handshake(struct secure *s, const char **why)
{
	int rc, err;

	do {
		rc = gnutls_handshake(s->session);
	} while (is_harmless(s, rc));
	if (rc >= 0)
		return 0;
	err = settle(s, rc, why);
	if (err == -EPROTO) /* the other side wants to know, too */
		gnutls_alert_send_appropriate(s->session, rc);
	return err;
}

ssize_t
secure_read(struct secure *s, void *out, size_t cap, const char **why)
{
	ssize_t n;

	do {
		n = gnutls_record_recv(s->session, out, cap);
	} while (is_harmless(s, n));
	if (n > 0)
		s->silly = 0;
	return n < 0 ? settle(s, n, why) : n;
}

ssize_t
secure_write(struct secure *s, const void *data, size_t len, const char **why)
{
	ssize_t n = gnutls_record_send(s->session, data, len);

	return n < 0 ? settle(s, n, why) : n;
}

/* GnuTLS has the bytes already. */
ssize_t
secure_go_on(struct secure *s, const char **why)
{
	return secure_write(s, NULL, 0, why);
}

bool
secure_wants_write(const struct secure *s)
{
	return gnutls_record_get_direction(s->session) == 1;
}

bool
secure_has_more(const struct secure *s)
{
	return gnutls_record_check_pending(s->session) > 0;
}
