/* SPDX-License-Identifier: ISC */
/* QUIC packets without a connection; quic.h has what others need of it. */
#ifndef NATKIT_QUICPACKET_H
#define NATKIT_QUICPACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "psk.h"

#define QUICPACKET_TOKEN 16 /* bytes: RFC 9000 section 10.3 */

/* The stateless reset token of a connection id: a keyed hash, so that a new
 * process makes the same one. psk: of connections begun by who gave the id out,
 * so that a packet with the other's id, sent back to him, makes nobody tell the
 * other's token (RFC 9000 section 21.11). */
void quicpacket_token(uint8_t out[QUICPACKET_TOKEN], const uint8_t psk[PSK_LEN],
    const uint8_t *cid, size_t len);
bool quicpacket_is_reset(
    const uint8_t *data, size_t len, const uint8_t token[QUICPACKET_TOKEN]);
/* The destination id of a first packet (see quic_is_marked); QUIC_CID_LEN. */
void quicpacket_mark(uint8_t *cid, const uint8_t psk[PSK_LEN]);
/* Something that a peer sends at all: version 1, and neither Version
 * Negotiation nor Retry nor 0-RTT, which are never sent. */
bool quicpacket_is_ours(const uint8_t *data, size_t len);

#endif
