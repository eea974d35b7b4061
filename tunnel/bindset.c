/* SPDX-License-Identifier: ISC */
/* What one listens at for a bind address. */
#include "bindset.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "numeric.h"

#define PORT_TRIES 32

/* The host has not that family, or no such address. */
static bool
is_absent(int rc)
{
	return rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL ||
	       rc == -EPROTONOSUPPORT;
}

/* All of them at one port. */
static int
open_all(const char *const host[BINDSET_MAX], uint16_t port, bindset_fn *fn,
    void *arg)
{
	struct sockaddr_storage ss;
	int first = -EINVAL, rc;
	socklen_t len;

	for (size_t i = 0; i < BINDSET_MAX && host[i] != NULL; i++) {
		len = numeric_sockaddr(&ss, host[i], port);
		rc = len == 0 ? -EINVAL : fn(arg, &ss, len);
		if (rc >= 0) {
			port = (uint16_t)rc;
			first = rc;
		} else if (!is_absent(rc)) {
			return rc;
		} else if (first < 0) {
			first = rc;
		}
	}
	return first;
}

int
bindset_open(const char *bind, uint16_t port, bindset_fn *fn,
    bindset_undo_fn *undo, void *arg)
{
	const char *host[BINDSET_MAX] = {bind, NULL};
	int rc = -EADDRINUSE;

	if (bind[0] == '\0' || strcmp(bind, "localhost") == 0) {
		host[0] = "127.0.0.1";
		host[1] = "::1";
	} else if (strcmp(bind, "*") == 0) {
		host[0] = "0.0.0.0";
		host[1] = "::";
	}
	/* what is free in one family may be in use in the other */
	for (int i = 0; i < PORT_TRIES && rc == -EADDRINUSE; i++) {
		rc = open_all(host, port, fn, arg);
		if (rc < 0)
			undo(arg);
		if (port != 0)
			break;
	}
	return rc;
}
