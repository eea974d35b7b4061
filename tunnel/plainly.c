/* SPDX-License-Identifier: ISC */
/* Why a path is not direct, or none, for people. */
#include "plainly.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *reason, *failed, *relayed;
} all[] = {
    {"checking", NULL, "the direct ways are being tried"},
    {"lost", "the path has stopped answering; it is tried again",
	"the direct path has stopped answering; it is tried again"},
    {"relay-only", NULL, "nat-pipe was told so, with -r"},
    {"gone", "the peer has left the rendezvous server", NULL},
    {"no-candidates", "the peer offers no address: is UDP blocked there?",
	NULL},
    {"no-answer",
	"no direct way lets packets through (the NATs, or a firewall): a relay "
	"is needed, which nat-rendezvousd -R offers and -d forbids",
	"no direct way lets packets through: the NATs, or a firewall"},
    {"unreachable", "this host has no route to any address of the peer", NULL},
    {"denied", "a firewall on this host forbids it", NULL},
    {"absent",
	"it has not come to the rendezvous server, or does not want our key",
	NULL},
    {"no-server", "no rendezvous server answers this host", NULL},
    {"wrong-key",
	"the rendezvous server's key seems not to be the one given with -S",
	NULL},
    {"full", "the rendezvous server is full", NULL},
    {"refused", "the rendezvous server refuses this host's key", NULL},
    {"no-relay",
	"the rendezvous server names no relay that we reach: "
	"nat-rendezvousd -R names one",
	NULL},
};

const char *
plainly(const char *path, const char *reason)
{
	if (strcmp(path, "direct") == 0)
		return "";
	if (reason == NULL || *reason == '\0')
		return strcmp(path, "waiting") == 0
			   ? "the rendezvous server is being asked for it"
			   : "";
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const char *text = strcmp(path, "relayed") == 0 ? all[i].relayed
								: all[i].failed;

		if (strcmp(all[i].reason, reason) != 0)
			continue;
		if (text == NULL)
			text = all[i].failed != NULL ? all[i].failed
						     : all[i].relayed;
		return text;
	}
	return reason;
}
