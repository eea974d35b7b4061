/* SPDX-License-Identifier: ISC */
/* One QUIC connection by libngtcp2 (RFC 9000, 9001, 9002, 9221). Nothing else
 * touches that library, so that its API's changes end here.
 *
 * What the library does not tell is found out here: that the peer reads a
 * stream no more, and that a client's first connection id is answered by a
 * stateless reset. */
#include "quic.h"

#include <errno.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "quicpacket.h"
#include "quictls.h"

#if NGTCP2_VERSION_NUM >= 0x010000
#define LEVEL ngtcp2_encryption_level
#define LEVEL_HANDSHAKE NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE
#define CLOSE_ERROR ngtcp2_ccerr
#define CLOSE_APPLICATION NGTCP2_CCERR_TYPE_APPLICATION
#define close_error_init ngtcp2_ccerr_default
#define close_error_set ngtcp2_ccerr_set_application_error
#define shutdown_write(conn, id, code)                                         \
	ngtcp2_conn_shutdown_stream_write(conn, 0, id, code)
#define shutdown_read(conn, id, code)                                          \
	ngtcp2_conn_shutdown_stream_read(conn, 0, id, code)
#define BBR NGTCP2_CC_ALGO_BBR
#define GAPS_MAX 5000
#define STAT ngtcp2_conn_info
#define get_stat ngtcp2_conn_get_conn_info
#else
#define LEVEL ngtcp2_crypto_level
#define LEVEL_HANDSHAKE NGTCP2_CRYPTO_LEVEL_HANDSHAKE
#define CLOSE_ERROR ngtcp2_connection_close_error
#define CLOSE_APPLICATION NGTCP2_CONNECTION_CLOSE_ERROR_CODE_TYPE_APPLICATION
#define close_error_init ngtcp2_connection_close_error_default
#define close_error_set ngtcp2_connection_close_error_set_application_error
#define shutdown_write ngtcp2_conn_shutdown_stream_write
#define shutdown_read ngtcp2_conn_shutdown_stream_read
#define BBR NGTCP2_CC_ALGO_BBR2
#define GAPS_MAX 1000
#define STAT ngtcp2_conn_stat
#define get_stat ngtcp2_conn_get_conn_stat
#endif

/* BBR version 2. Over a simulated link with a queue of 50 ms, Mbit/s:
 *                                     BBR2   BBR  CUBIC
 * 200 Mbit/s, 20 ms, 1 % random loss   173   182      4
 * 200 Mbit/s, 20 ms, 10 %              155   139      1
 * 1 Gbit/s, 20 ms, no loss but its own 519   574    696   (first 100 MB)
 * CUBIC takes every loss for a full queue; version 1 is gone from later
 * releases, whose "BBR" is version 2. */
#define CONGESTION BBR

#define DATAGRAM_MIN 1200 /* bytes: RFC 9000 section 14 */
#define DATAGRAM_MAX 1452 /* bytes: IPv6 and UDP in an Ethernet frame */
#define TRAIN_MAX 64	  /* datagrams: the kernel's UDP_MAX_SEGMENTS */
/* ms: a guess that is used until the first answer. The path has been proven by
 * nat-punch; a lost first packet is repeated after three of these. */
#define FIRST_RTT 100
#define POLL_NS (10 * NGTCP2_MILLISECONDS)
/* Bytes under way. The receiver's library keeps no more than GAPS_MAX gaps in a
 * stream; random loss makes at most one gap of four packets. */
#define IN_FLIGHT_MAX ((uint64_t)GAPS_MAX * 7 / 2 * DATAGRAM_MAX)
#define IDS_MAX 8	 /* connection ids of ours at a time */
#define HURRY_MAX 8	 /* timers passed over at once */
#define OFFERS_MAX 65536 /* chunks in vain, for one packet */
#define BUCKETS 64

struct stream {
	struct stream *next;
	int64_t id;
	uint64_t sent, acked; /* bytes */
	bool fin;	      /* ours was sent */
	bool reset;	      /* by us */
	bool stopping;	      /* we read no more */
	bool cut;	      /* the peer has reset it */
	bool stopped;	      /* the peer reads no more, and the caller knows */
};

struct quic {
	ngtcp2_conn *conn;
	ngtcp2_crypto_conn_ref ref;
	struct quictls tls;
	uint8_t psk[PSK_LEN], peer_psk[PSK_LEN];
	const struct quic_calls *calls;
	void *arg;
	bool server;
	bool proven;	  /* the PSK was used, and keys came of it */
	bool established; /* and the other side has shown that it has them */
	enum quic_end end;
	uint64_t code;

	ngtcp2_cid ids[IDS_MAX];
	size_t n_ids;
	ngtcp2_cid peer_id; /* and its stateless reset token */
	uint8_t peer_token[QUICPACKET_TOKEN];

	struct stream *streams[BUCKETS];
	uint64_t poll_ns; /* UINT64_MAX: nothing was heard since the last */

	uint64_t now_ns; /* the library's clock, ahead by skew_ns */
	uint64_t skew_ns;
	uint64_t heard_ns;  /* when the last authentic packet came */
	unsigned hurry;	    /* see put_forward */
	uint64_t acked_ns;  /* when something was acknowledged, or all was */
	uint64_t under_way; /* bytes, roughly, while quic_write runs */
	size_t most;	    /* bytes of a datagram */
	/* The packet that is being filled; libngtcp2 bears no call that adds a
	 * frame before it is closed. */
	uint8_t *dest; /* NULL: none */
	size_t room;
	ngtcp2_ssize flushed;
};

/* QUIC sees one pair of addresses for ever (see quic.h): any will do. */
static struct sockaddr_in here = {.sin_family = AF_INET};
static struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = 1};
static const ngtcp2_path path = {
    .local = {(struct sockaddr *)&here, sizeof(here)},
    .remote = {(struct sockaddr *)&there, sizeof(there)},
};

const char *
quic_end_name(enum quic_end e)
{
	static const char *const names[] = {
	    [QUIC_ALIVE] = "alive",
	    [QUIC_CLOSED] = "closed",
	    [QUIC_GONE] = "gone",
	    [QUIC_RESTARTED] = "restarted",
	    [QUIC_UNPROVEN] = "unproven",
	    [QUIC_NO_ANSWER] = "no-answer",
	    [QUIC_BROKEN] = "broken",
	};

	return names[e];
}

/* Streams that both the caller and the library know. */

static struct stream **
bucket(struct quic *q, int64_t id)
{
	return &q->streams[(id >> 2) % BUCKETS];
}

static struct stream *
find(struct quic *q, int64_t id)
{
	struct stream *s = *bucket(q, id);

	while (s != NULL && s->id != id)
		s = s->next;
	return s;
}

static struct stream *
add(struct quic *q, int64_t id)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->id = id;
		s->next = *bucket(q, id);
		*bucket(q, id) = s;
	}
	return s;
}

static void
discard(struct quic *q, struct stream *s)
{
	struct stream **p = bucket(q, s->id);

	while (*p != s)
		p = &(*p)->next;
	*p = s->next;
	free(s);
}

static void
tell_stopped(struct quic *q, struct stream *s, uint64_t code)
{
	if (!s->stopped && !s->reset) {
		s->stopped = true;
		q->calls->stream_stopped(q->arg, s->id, code);
	}
}

/* After STOP_SENDING libngtcp2 resets the stream and tells nobody, so it is
 * asked: a write that is too long for any stream is refused as such only where
 * one could write at all. */
static bool
is_writable(struct quic *q, int64_t id)
{
	const ngtcp2_vec endless = {NULL, SIZE_MAX};
	ngtcp2_ssize n;

	return ngtcp2_conn_writev_stream(q->conn, NULL, NULL, NULL, 0, &n, 0,
		   id, &endless, 1, q->now_ns) == NGTCP2_ERR_INVALID_ARGUMENT;
}

/* A stream that we have reset and read no more, and of whose data nothing is
 * under way, is over for the caller. The library waits for the peer's end of
 * it, which does not come when the reset overtook the stream's first packet. */
static void
close_early(struct quic *q, struct stream *s)
{
	ngtcp2_conn_set_stream_user_data(q->conn, s->id, NULL);
	q->calls->stream_closed(q->arg, s->id);
	discard(q, s);
}

/* The caller may change anything in these calls but the list of streams. */
static void
poll_streams(struct quic *q)
{
	struct stream *s, *next;
	size_t i;

	for (i = 0; i < BUCKETS; i++)
		for (s = q->streams[i]; s != NULL; s = next) {
			next = s->next;
			if (s->reset && s->stopping && s->acked == s->sent)
				close_early(q, s);
			else if (!s->fin && !s->reset && !s->stopped &&
				 !is_writable(q, s->id))
				tell_stopped(q, s, 0);
		}
}

static void
poll_soon(struct quic *q)
{
	if (q->poll_ns == UINT64_MAX)
		q->poll_ns = q->now_ns + POLL_NS;
}

static void
poll_if_due(struct quic *q)
{
	if (q->poll_ns <= q->now_ns && q->end == QUIC_ALIVE) {
		q->poll_ns = UINT64_MAX;
		poll_streams(q);
	}
}

/* The library's clock never goes back: it asserts that. */
static void
set_now(struct quic *q, uint64_t now_ns)
{
	if (now_ns + q->skew_ns > q->now_ns)
		q->now_ns = now_ns + q->skew_ns;
}

/* What the library calls. */

static ngtcp2_conn *
conn_cb(ngtcp2_crypto_conn_ref *ref)
{
	struct quic *q = ref->user_data;

	return q->conn;
}

static void
rand_cb(uint8_t *out, size_t len, const ngtcp2_rand_ctx *ctx)
{
	(void)ctx;
	randombytes_buf(out, len);
}

/* Packets that were authentic, of all connections. The library throws others
 * away without a word; this call has no argument of ours. One that is played
 * again counts, too: of that the library says nothing at all. */
static uint64_t authentic;

static int
decrypt_cb(uint8_t *dest, const ngtcp2_crypto_aead *aead,
    const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *data, size_t len,
    const uint8_t *nonce, size_t nonce_len, const uint8_t *aad, size_t aad_len)
{
	int rv = ngtcp2_crypto_decrypt_cb(
	    dest, aead, ctx, data, len, nonce, nonce_len, aad, aad_len);

	if (rv == 0)
		authentic++;
	return rv;
}

/* Keys for Handshake packets exist: nothing may go out, or be believed, when
 * they don't come from the PSK. */
static int
key_cb(ngtcp2_conn *conn, LEVEL level, void *arg)
{
	struct quic *q = arg;

	(void)conn;
	if (level == LEVEL_HANDSHAKE) {
		if (!quictls_is_psk(q->tls.session))
			return NGTCP2_ERR_CALLBACK_FAILURE;
		q->proven = true;
	}
	return 0;
}

static int
completed_cb(ngtcp2_conn *conn, void *arg)
{
	struct quic *q = arg;

	(void)conn;
	if (!q->proven || !quictls_is_natkit(q->tls.session))
		return NGTCP2_ERR_CALLBACK_FAILURE;
	q->established = true;
	q->calls->established(q->arg);
	return 0;
}

static int
new_id_cb(
    ngtcp2_conn *conn, ngtcp2_cid *cid, uint8_t *token, size_t len, void *arg)
{
	struct quic *q = arg;

	(void)conn;
	if (q->n_ids == IDS_MAX)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	cid->datalen = len;
	randombytes_buf(cid->data, len);
	quicpacket_token(token, q->psk, cid->data, len);
	q->ids[q->n_ids++] = *cid;
	return 0;
}

static int
old_id_cb(ngtcp2_conn *conn, const ngtcp2_cid *cid, void *arg)
{
	struct quic *q = arg;
	size_t i;

	(void)conn;
	for (i = 0; i < q->n_ids; i++)
		if (ngtcp2_cid_eq(&q->ids[i], cid)) {
			q->ids[i] = q->ids[--q->n_ids];
			break;
		}
	return 0;
}

static int
opened_cb(ngtcp2_conn *conn, int64_t id, void *arg)
{
	struct quic *q = arg;
	struct stream *s = add(q, id);

	if (s == NULL || ngtcp2_conn_set_stream_user_data(conn, id, s) != 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	q->calls->stream_opened(q->arg, id);
	return 0;
}

static int
data_cb(ngtcp2_conn *conn, uint32_t flags, int64_t id, uint64_t offset,
    const uint8_t *data, size_t len, void *arg, void *stream)
{
	struct quic *q = arg;
	struct stream *s = stream;

	(void)offset;
	if (s == NULL || s->stopping)
		ngtcp2_conn_extend_max_offset(conn, len);
	else
		q->calls->stream_data(q->arg, id, data, len,
		    (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0);
	return 0;
}

static int
acked_cb(ngtcp2_conn *conn, int64_t id, uint64_t offset, uint64_t len,
    void *arg, void *stream)
{
	struct quic *q = arg;
	struct stream *s = stream;

	(void)conn;
	(void)offset;
	if (s != NULL && len > 0) {
		s->acked += len;
		q->calls->stream_acked(q->arg, id, len);
	}
	return 0;
}

/* A reset that overtook the stream's first packet is of a stream that nobody
 * has heard of, and never will. */
static int
reset_cb(ngtcp2_conn *conn, int64_t id, uint64_t size, uint64_t code, void *arg,
    void *stream)
{
	struct quic *q = arg;
	struct stream *s = stream;

	(void)conn;
	(void)size;
	if (s != NULL) {
		s->cut = true;
		q->calls->stream_reset(q->arg, id, code);
	}
	return 0;
}

static int
credit_cb(ngtcp2_conn *conn, int64_t id, uint64_t max, void *arg, void *stream)
{
	struct quic *q = arg;

	(void)conn;
	(void)max;
	if (stream != NULL)
		q->calls->stream_writable(q->arg, id);
	return 0;
}

static int
may_open_cb(ngtcp2_conn *conn, uint64_t max, void *arg)
{
	struct quic *q = arg;

	(void)conn;
	(void)max;
	if (q->established)
		q->calls->may_open(q->arg);
	return 0;
}

/* A stream with an error code was reset or stopped by either side. When that
 * was neither us nor the peer's reset, or when bytes are missing, then the peer
 * has stopped it, shorter ago than a poll. */
static int
closed_cb(ngtcp2_conn *conn, uint32_t flags, int64_t id, uint64_t code,
    void *arg, void *stream)
{
	struct quic *q = arg;
	struct stream *s = stream;

	if (!ngtcp2_conn_is_local_stream(conn, id))
		ngtcp2_conn_extend_max_streams_bidi(conn, 1);
	if (s == NULL)
		return 0;
	if ((flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET) &&
	    ((!s->cut && !s->stopping) || s->acked < s->sent || !s->fin))
		tell_stopped(q, s, s->cut || s->stopping ? 0 : code);
	q->calls->stream_closed(q->arg, id);
	discard(q, s);
	return 0;
}

static int
datagram_cb(ngtcp2_conn *conn, uint32_t flags, const uint8_t *data, size_t len,
    void *arg)
{
	struct quic *q = arg;

	(void)conn;
	(void)flags;
	q->calls->datagram(q->arg, data, len);
	return 0;
}

static const ngtcp2_callbacks callbacks = {
    .client_initial = ngtcp2_crypto_client_initial_cb,
    .recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
    .recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb,
    .recv_retry = ngtcp2_crypto_recv_retry_cb,
    .encrypt = ngtcp2_crypto_encrypt_cb,
    .decrypt = decrypt_cb,
    .hp_mask = ngtcp2_crypto_hp_mask_cb,
    .update_key = ngtcp2_crypto_update_key_cb,
    .delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
    .delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
    .get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb,
    .version_negotiation = ngtcp2_crypto_version_negotiation_cb,
    .rand = rand_cb,
    .recv_rx_key = key_cb,
    .recv_tx_key = key_cb,
    .handshake_completed = completed_cb,
    .get_new_connection_id = new_id_cb,
    .remove_connection_id = old_id_cb,
    .stream_open = opened_cb,
    .recv_stream_data = data_cb,
    .acked_stream_data_offset = acked_cb,
    .stream_reset = reset_cb,
    .extend_max_stream_data = credit_cb,
    .extend_max_local_streams_bidi = may_open_cb,
    .stream_close = closed_cb,
    .recv_datagram = datagram_cb,
};

static void
set_params(ngtcp2_transport_params *p, const struct quic_config *config)
{
	ngtcp2_transport_params_default(p);
	p->initial_max_stream_data_bidi_local = config->stream_window;
	p->initial_max_stream_data_bidi_remote = config->stream_window;
	p->initial_max_data = config->window;
	p->initial_max_streams_bidi = config->streams;
	p->initial_max_streams_uni = 0;
	p->max_idle_timeout = QUIC_IDLE_S * NGTCP2_SECONDS;
	p->max_datagram_frame_size = 65535;
	p->disable_active_migration = 1;
}

/* Everything of a connection but the library's part of it. */
static struct quic *
new_quic(const struct quic_config *config, bool server, uint64_t now_ns)
{
	struct quic *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	memcpy(q->psk, config->psk, PSK_LEN);
	memcpy(q->peer_psk, config->peer_psk, PSK_LEN);
	q->calls = config->calls;
	q->arg = config->arg;
	q->server = server;
	q->ref = (ngtcp2_crypto_conn_ref){conn_cb, q};
	q->now_ns = now_ns;
	q->poll_ns = UINT64_MAX;
	q->most = DATAGRAM_MIN;
	if (quictls_init(
		&q->tls, server, server ? q->peer_psk : q->psk, &q->ref) != 0 ||
	    (server ? ngtcp2_crypto_gnutls_configure_server_session
		    : ngtcp2_crypto_gnutls_configure_client_session)(
		q->tls.session) != 0) {
		quic_free(q);
		return NULL;
	}
	return q;
}

/* hd: what a client has sent, NULL for a client. */
static int
new_conn(
    struct quic *q, const struct quic_config *config, const ngtcp2_pkt_hd *hd)
{
	ngtcp2_transport_params params;
	ngtcp2_settings settings;
	ngtcp2_cid ours = {.datalen = QUIC_CID_LEN};
	ngtcp2_cid theirs = {.datalen = QUIC_CID_LEN};
	int rv;

	randombytes_buf(ours.data, ours.datalen);
	quicpacket_mark(theirs.data, q->psk);
	q->ids[q->n_ids++] = ours;
	ngtcp2_settings_default(&settings);
	settings.initial_ts = q->now_ns;
	settings.initial_rtt = FIRST_RTT * NGTCP2_MILLISECONDS;
	settings.max_tx_udp_payload_size = DATAGRAM_MAX;
	settings.handshake_timeout = QUIC_HANDSHAKE_S * NGTCP2_SECONDS;
	settings.cc_algo = CONGESTION;
	set_params(&params, config);
	if (hd != NULL) {
		q->ids[q->n_ids++] = hd->dcid;
		params.original_dcid = hd->dcid;
#if NGTCP2_VERSION_NUM >= 0x010000
		params.original_dcid_present = 1;
#endif
		params.stateless_reset_token_present = 1;
		quicpacket_token(params.stateless_reset_token, q->psk,
		    ours.data, ours.datalen);
		rv = ngtcp2_conn_server_new(&q->conn, &hd->scid, &ours, &path,
		    hd->version, &callbacks, &settings, &params, NULL, q);
	} else {
		rv = ngtcp2_conn_client_new(&q->conn, &theirs, &ours, &path,
		    NGTCP2_PROTO_VER_V1, &callbacks, &settings, &params, NULL,
		    q);
	}
	if (rv != 0)
		return -ENOMEM;
	ngtcp2_conn_set_tls_native_handle(q->conn, q->tls.session);
	ngtcp2_conn_set_keep_alive_timeout(
	    q->conn, QUIC_KEEPALIVE_S * NGTCP2_SECONDS);
	return 0;
}

int
quic_dial(struct quic **out, const struct quic_config *config, uint64_t now_ns)
{
	struct quic *q = new_quic(config, false, now_ns);

	if (q == NULL)
		return -ENOMEM;
	if (new_conn(q, config, NULL) != 0) {
		quic_free(q);
		return -ENOMEM;
	}
	*out = q;
	return 0;
}

int
quic_accept(struct quic **out, const struct quic_config *config,
    const uint8_t *data, size_t len, uint64_t now_ns)
{
	struct quic_head head;
	ngtcp2_pkt_hd hd;
	struct quic *q;

	if (quic_peek(&head, data, len) != 0 || !head.initial ||
	    ngtcp2_accept(&hd, data, len) != 0)
		return -EBADMSG;
	if ((q = new_quic(config, true, now_ns)) == NULL)
		return -ENOMEM;
	if (new_conn(q, config, &hd) != 0) {
		quic_free(q);
		return -ENOMEM;
	}
	if (quic_read(q, data, len, now_ns) != QUIC_ALIVE || !q->proven) {
		quic_free(q);
		return -EACCES;
	}
	*out = q;
	return 0;
}

void
quic_free(struct quic *q)
{
	struct stream *s;
	size_t i;

	if (q == NULL)
		return;
	ngtcp2_conn_del(q->conn);
	quictls_free(&q->tls);
	for (i = 0; i < BUCKETS; i++)
		while ((s = q->streams[i]) != NULL)
			discard(q, s);
	sodium_memzero(q, sizeof(*q));
	free(q);
}

/* Before the other side is proven, whatever is wrong means that it lacks the
 * key, or that somebody else has answered. */
static enum quic_end
end(struct quic *q, int rv)
{
	CLOSE_ERROR e;
#if NGTCP2_VERSION_NUM >= 0x010000
	const CLOSE_ERROR *got = ngtcp2_conn_get_ccerr(q->conn);

	e = *got;
#else
	ngtcp2_conn_get_connection_close_error(q->conn, &e);
#endif
	if (q->end != QUIC_ALIVE)
		return q->end;
	if (rv == NGTCP2_ERR_HANDSHAKE_TIMEOUT)
		q->end = QUIC_NO_ANSWER;
	else if (rv == NGTCP2_ERR_IDLE_CLOSE)
		q->end = q->established ? QUIC_GONE : QUIC_NO_ANSWER;
	else if (!q->established)
		q->end = QUIC_UNPROVEN;
	else if (rv == NGTCP2_ERR_DRAINING && e.type == CLOSE_APPLICATION)
		q->end = QUIC_CLOSED;
	else
		q->end = QUIC_BROKEN;
	q->code = e.error_code;
	return q->end;
}

/* The token of the id that we send to. */
static const uint8_t *
peer_token(struct quic *q)
{
	const ngtcp2_cid *cid = ngtcp2_conn_get_dcid(q->conn);

	if (!ngtcp2_cid_eq(cid, &q->peer_id)) {
		q->peer_id = *cid;
		quicpacket_token(
		    q->peer_token, q->peer_psk, cid->data, cid->datalen);
	}
	return q->peer_token;
}

static uint64_t
in_flight(const struct quic *q)
{
	STAT stat;

	get_stat(q->conn, &stat);
	return stat.bytes_in_flight;
}

enum quic_end
quic_read(struct quic *q, const uint8_t *data, size_t len, uint64_t now_ns)
{
	uint64_t before, heard = authentic;
	int rv;

	if (q->end != QUIC_ALIVE || !quicpacket_is_ours(data, len))
		return q->end;
	set_now(q, now_ns);
	if (q->established && quicpacket_is_reset(data, len, peer_token(q)))
		return q->end = QUIC_RESTARTED;
	before = in_flight(q);
	rv = ngtcp2_conn_read_pkt(q->conn, &path, NULL, data, len, q->now_ns);
	/* A stream with more gaps than the library keeps: a burst of loss, no
	 * reason to end. Nothing of the packet was noted as received, so it is
	 * sent again, the first missing bytes first. */
	if (rv != 0 && rv != NGTCP2_ERR_INTERNAL)
		return end(q, rv);
	if (authentic != heard)
		q->heard_ns = q->now_ns;
	if (in_flight(q) < before)
		q->acked_ns = q->now_ns;
	poll_soon(q);
	poll_if_due(q);
	return q->end;
}

/* The next event by the library's clock. */
static uint64_t
next_event(const struct quic *q)
{
	uint64_t t = ngtcp2_conn_get_expiry(q->conn);

	return t < q->poll_ns ? t : q->poll_ns;
}

uint64_t
quic_expiry(const struct quic *q)
{
	uint64_t t = q->end == QUIC_ALIVE ? next_event(q) : UINT64_MAX;

	if (t == UINT64_MAX)
		return t;
	return t > q->skew_ns ? t - q->skew_ns : 0;
}

/* quic_write does the rest. */
enum quic_end
quic_moved(struct quic *q, uint64_t now_ns)
{
	if (quic_is_established(q) && in_flight(q) > 0)
		q->hurry = HURRY_MAX;
	return quic_expire(q, now_ns);
}

enum quic_end
quic_expire(struct quic *q, uint64_t now_ns)
{
	int rv;

	if (q->end != QUIC_ALIVE)
		return q->end;
	set_now(q, now_ns);
	if ((rv = ngtcp2_conn_handle_expiry(q->conn, q->now_ns)) != 0)
		return end(q, rv);
	poll_if_due(q);
	return q->end;
}

enum quic_end
quic_ended(const struct quic *q, uint64_t *code)
{
	if (code != NULL)
		*code = q->code;
	return q->end;
}

/* Sending. Each of these returns what the library said: the bytes of a finished
 * packet, 0, or an error. */

static size_t
pack(ngtcp2_vec vec[QUIC_IOV_MAX], size_t *n, const struct quic_chunk *c)
{
	size_t i, total = 0;

	*n = 0;
	for (i = 0; i < c->n && i < QUIC_IOV_MAX; i++)
		if (c->iov[i].iov_len > 0) {
			vec[*n].base = c->iov[i].iov_base;
			vec[(*n)++].len = c->iov[i].iov_len;
			total += c->iov[i].iov_len;
		}
	return total;
}

static ngtcp2_ssize
finish(struct quic *q)
{
	return ngtcp2_conn_writev_stream(q->conn, NULL, NULL, q->dest, q->room,
	    NULL, 0, -1, NULL, 0, q->now_ns);
}

static ngtcp2_ssize
put_datagram(struct quic *q, const struct quic_chunk *c)
{
	ngtcp2_vec vec[QUIC_IOV_MAX];
	size_t n, total = pack(vec, &n, c);
	ngtcp2_ssize rv;
	int accepted = 0;

	if (total > quic_datagram_max(q)) {
		q->calls->blocked(q->arg, -1);
		return NGTCP2_ERR_WRITE_MORE;
	}
	rv = ngtcp2_conn_writev_datagram(q->conn, NULL, NULL, q->dest, q->room,
	    &accepted, NGTCP2_WRITE_DATAGRAM_FLAG_MORE, 0, vec, n, q->now_ns);
	if (rv >= 0 || !accepted)
		q->dest = NULL;
	if (accepted)
		q->calls->sent(q->arg, -1, total, false);
	return rv;
}

static ngtcp2_ssize
put_stream(struct quic *q, const struct quic_chunk *c)
{
	struct stream *s = find(q, c->id);
	ngtcp2_vec vec[QUIC_IOV_MAX];
	size_t n, total = pack(vec, &n, c);
	ngtcp2_ssize rv, went = -1;
	uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_MORE;

	if (s == NULL || s->fin || s->reset || s->stopped ||
	    (total == 0 && !c->fin)) {
		q->calls->blocked(q->arg, c->id);
		return NGTCP2_ERR_WRITE_MORE;
	}
	if (c->fin)
		flags |= NGTCP2_WRITE_STREAM_FLAG_FIN;
	rv = ngtcp2_conn_writev_stream(q->conn, NULL, NULL, q->dest, q->room,
	    &went, flags, c->id, vec, n, q->now_ns);
	if (rv >= 0)
		q->dest = NULL;
	if (went >= 0) {
		s->sent += (uint64_t)went;
		s->fin = c->fin && (size_t)went == total;
		q->calls->sent(q->arg, c->id, (size_t)went, s->fin);
	}
	switch (rv) {
	case NGTCP2_ERR_STREAM_SHUT_WR:
	case NGTCP2_ERR_STREAM_NOT_FOUND:
		tell_stopped(q, s, 0);
		/* FALLTHROUGH */
	case NGTCP2_ERR_STREAM_DATA_BLOCKED:
		q->calls->blocked(q->arg, c->id);
		return NGTCP2_ERR_WRITE_MORE;
	}
	return rv;
}

/* One datagram of at most room bytes. Data only goes to who is proven. */
static ngtcp2_ssize
write_one(struct quic *q, uint8_t *dest, size_t room)
{
	struct quic_chunk c;
	ngtcp2_ssize n = NGTCP2_ERR_WRITE_MORE;
	unsigned offers = 0;

	q->room = room;
	q->flushed = 0;
	while (n == NGTCP2_ERR_WRITE_MORE && q->flushed == 0) {
		q->dest = dest;
		if (q->established && q->under_way < IN_FLIGHT_MAX &&
		    offers++ < OFFERS_MAX && q->calls->next(q->arg, &c))
			n = c.id == -1 ? put_datagram(q, &c)
				       : put_stream(q, &c);
		else if (q->flushed == 0)
			n = finish(q);
	}
	q->dest = NULL;
	return q->flushed != 0 ? q->flushed : n;
}

/* Datagrams of one length, the last perhaps shorter. */
static size_t
write_train(struct quic *q, uint8_t *buf, size_t cap, size_t *seg)
{
	size_t full = ngtcp2_conn_get_path_max_tx_udp_payload_size(q->conn);
	size_t room, len = 0, count = 0;
	ngtcp2_ssize n;

	do {
		room = len == 0 ? q->most : *seg;
		if (room > cap - len) {
			if (len > 0)
				return len;
			room = cap;
		}
		if ((n = write_one(q, buf + len, room)) <= 0)
			break;
		if (len == 0)
			*seg = (size_t)n;
		len += (size_t)n;
		q->under_way += (size_t)n;
		/* A probe of the path's MTU goes alone: it is longer. */
	} while ((size_t)n == *seg && *seg <= full && ++count < TRAIN_MAX);
	if (n < 0)
		end(q, (int)n);
	return len;
}

/* The library has no call for "try again now". So the time until its next timer
 * passes at once, its clock is put forward, until it has something to send; but
 * never to where it would take the peer for gone. */
static bool
put_forward(struct quic *q)
{
	uint64_t t = ngtcp2_conn_get_expiry(q->conn);
	int rv;

	if (t >= q->heard_ns + QUIC_IDLE_S * NGTCP2_SECONDS) {
		q->hurry = 0;
		return false;
	}
	if (t <= q->now_ns + ngtcp2_conn_get_pto(q->conn))
		return false;
	q->hurry--;
	/* nobody was silent in that time */
	q->acked_ns += t - q->now_ns;
	q->skew_ns += t - q->now_ns;
	q->now_ns = t;
	if ((rv = ngtcp2_conn_handle_expiry(q->conn, t)) != 0)
		end(q, rv);
	return rv == 0;
}

size_t
quic_write(struct quic *q, uint8_t *buf, size_t cap, size_t most, size_t *seg,
    uint64_t now_ns)
{
	size_t quantum, len;
	uint64_t before;

	*seg = 0;
	if (q->end != QUIC_ALIVE || cap < DATAGRAM_MIN || q->dest != NULL)
		return 0;
	set_now(q, now_ns);
	q->most = most < DATAGRAM_MIN ? DATAGRAM_MIN : most;
	if ((q->under_way = in_flight(q)) == 0)
		q->acked_ns = q->now_ns;
	quantum = ngtcp2_conn_get_send_quantum(q->conn);
	if (quantum < DATAGRAM_MAX)
		quantum = DATAGRAM_MAX;
	cap = cap < quantum ? cap : quantum;
	cap = cap < QUIC_WRITE_MAX ? cap : QUIC_WRITE_MAX;
	do {
		before = in_flight(q);
		len = write_train(q, buf, cap, seg);
	} while (len == 0 && q->hurry > 0 && put_forward(q));
	if (len > 0) {
		/* acknowledgements alone ask for no answer */
		if (in_flight(q) > before)
			q->hurry = 0;
		ngtcp2_conn_update_pkt_tx_time(q->conn, q->now_ns);
	}
	return len;
}

/* The packet that is being filled is closed first. */
static void
flush(struct quic *q)
{
	if (q->dest != NULL && q->flushed == 0) {
		q->flushed = finish(q);
		q->dest = NULL;
	}
}

bool
quic_is_established(const struct quic *q)
{
	return q->established && q->end == QUIC_ALIVE;
}

bool
quic_owns(const struct quic *q, const uint8_t *cid, size_t len)
{
	size_t i;

	for (i = 0; i < q->n_ids; i++)
		if (q->ids[i].datalen == len &&
		    memcmp(q->ids[i].data, cid, len) == 0)
			return true;
	return false;
}

int64_t
quic_open(struct quic *q)
{
	struct stream *s;
	int64_t id;

	if (!quic_is_established(q))
		return -ENOTCONN;
	if (ngtcp2_conn_get_streams_bidi_left(q->conn) == 0)
		return -EAGAIN;
	if (ngtcp2_conn_open_bidi_stream(q->conn, &id, NULL) != 0)
		return -ENOMEM;
	if ((s = add(q, id)) == NULL) {
		shutdown_write(q->conn, id, 0);
		shutdown_read(q->conn, id, 0);
		return -ENOMEM;
	}
	ngtcp2_conn_set_stream_user_data(q->conn, id, s);
	return id;
}

void
quic_credit_stream(struct quic *q, int64_t id, uint64_t credit)
{
	if (q->end == QUIC_ALIVE && find(q, id) != NULL)
		ngtcp2_conn_extend_max_stream_offset(q->conn, id, credit);
}

void
quic_credit(struct quic *q, uint64_t credit)
{
	if (q->end == QUIC_ALIVE)
		ngtcp2_conn_extend_max_offset(q->conn, credit);
}

void
quic_reset(struct quic *q, int64_t id, uint64_t code)
{
	struct stream *s = find(q, id);

	if (q->end != QUIC_ALIVE || s == NULL || s->reset)
		return;
	flush(q);
	s->reset = true;
	shutdown_write(q->conn, id, code);
	poll_soon(q);
}

void
quic_stop(struct quic *q, int64_t id, uint64_t code)
{
	struct stream *s = find(q, id);

	if (q->end != QUIC_ALIVE || s == NULL || s->stopping)
		return;
	flush(q);
	s->stopping = true;
	shutdown_read(q->conn, id, code);
	poll_soon(q);
}

size_t
quic_close(
    struct quic *q, uint64_t code, uint8_t *buf, size_t cap, uint64_t now_ns)
{
	CLOSE_ERROR e;
	ngtcp2_ssize n;

	if (!quic_is_established(q) || q->dest != NULL)
		return 0;
	set_now(q, now_ns);
	close_error_init(&e);
	close_error_set(&e, code, NULL, 0);
	n = ngtcp2_conn_write_connection_close(
	    q->conn, NULL, NULL, buf, cap, &e, q->now_ns);
	q->end = QUIC_CLOSED;
	q->code = code;
	return n > 0 ? (size_t)n : 0;
}

/* A datagram alone in a packet: short header with a packet number of four
 * bytes, frame type, length of two bytes, AEAD tag. */
size_t
quic_datagram_max(const struct quic *q)
{
	const ngtcp2_transport_params *peer;
	size_t most, over = 1 + QUIC_CID_LEN + 4 + 1 + 2 + 16;

	if (!quic_is_established(q))
		return 0;
	peer = ngtcp2_conn_get_remote_transport_params(q->conn);
	most = ngtcp2_conn_get_path_max_tx_udp_payload_size(q->conn);
	if (most > q->most)
		most = q->most;
	most -= over;
	if (peer == NULL || peer->max_datagram_frame_size <= 3)
		return 0;
	if (most > peer->max_datagram_frame_size - 3)
		most = peer->max_datagram_frame_size - 3;
	return most;
}

/* Time-outs in a row, each twice as long as the one before (RFC 9002 section
 * 6.2.1); later releases keep their own count to themselves. */
static uint32_t
timeouts(const struct quic *q)
{
	uint64_t quiet = q->now_ns - q->acked_ns;
	uint64_t pto = ngtcp2_conn_get_pto(q->conn);
	uint32_t n = 0;

	while (quiet >= pto && n < 20) {
		quiet -= pto;
		pto *= 2;
		n++;
	}
	return n;
}

void
quic_stats(const struct quic *q, struct quic_stats *out)
{
	STAT stat;

	get_stat(q->conn, &stat);
	out->pto_count = stat.bytes_in_flight > 0 ? timeouts(q) : 0;
	out->quiet_us =
	    stat.bytes_in_flight > 0 ? (q->now_ns - q->acked_ns) / 1000 : 0;
	out->rtt_us = stat.smoothed_rtt / 1000;
	out->min_rtt_us = stat.min_rtt / 1000;
	out->cwnd = stat.cwnd;
	out->in_flight = stat.bytes_in_flight;
	out->datagram_len =
	    (uint32_t)ngtcp2_conn_get_path_max_tx_udp_payload_size(q->conn);
}
