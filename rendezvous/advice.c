/* SPDX-License-Identifier: ISC */
/* What the agent tells the person who waits. */
#include "advice.h"

#include <string.h>

#include "log.h"

void
advice_session(const struct options_server *s, const struct client_event *ev)
{
	char key[KEY_STRLEN];

	if (ev->what == CLIENT_REFUSED)
		log_warnx("%s refuses this key: %s", s->name, ev->reason);
	if (ev->what != CLIENT_DOWN)
		return;
	if (strcmp(ev->reason, "wrong-key") == 0)
		log_warnx("%s: a server answers there, but not with the key "
			  "given with -S",
		    s->name);
	else
		log_warnx(
		    "%s: no answer; is nat-rendezvousd running there, "
		    "and UDP or TCP open? try: nat-rendezvous ping -S %s@%s",
		    s->name, key_format(s->key, key), s->name);
}

void
advice_unmet(const uint8_t peer[KEY_LEN], const uint8_t own[KEY_LEN])
{
	char key[KEY_STRLEN], ours[KEY_STRLEN];

	log_warnx("peer %s: not met yet: it must run with the same server, "
		  "and want our key %s",
	    key_format(peer, key), key_format(own, ours));
}
