/* SPDX-License-Identifier: ISC */
/* The relay records that nat-rendezvous agent prints, read strictly; they come
 * from a pipe. nat-records(5). */
#ifndef NATKIT_RELAYRECORD_H
#define NATKIT_RELAYRECORD_H

#include "addr.h"
#include "credential.h"
#include "key.h"
#include "record.h"

#define RELAYRECORD_LIFETIME_MAX_S 86400

/* Holds a password. */
struct relayrecord {
	uint8_t key[KEY_LEN]; /* the peer's */
	size_t n;	      /* endpoints; 0: there is no relay for it */
	struct addr at[2];
	char user[CREDENTIAL_NAME_MAX];
	char password[CREDENTIAL_PASSWORD_LEN + 1];
	uint32_t priority;
	uint32_t lifetime_s;
};

/* Returns 0, or -EBADMSG and in *wrong the name of the key that is missing or
 * malformed. The user has to be one for this peer. */
int relayrecord_read(
    struct relayrecord *out, const struct record_view *r, const char **wrong);

#endif
