/* SPDX-License-Identifier: ISC */
/* nat-pipe: a stream, a port or an ssh session to a key, over a punched path.
 * Options and roles; the work is done in pipework.c. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "background.h"
#include "exitcode.h"
#include "log.h"
#include "mux.h"
#include "peerbook.h"
#include "pipeboard.h"
#include "pipeoptions.h"
#include "pipework.h"

#define TRIES 5 /* engines that end as we come */

struct nat_pipe {
	struct pipeoptions o;
	struct doors doors;
	uint8_t *priv, pub[KEY_LEN];
};

static void
find_doors(struct nat_pipe *p)
{
	char folder[DOORS_PATH];
	int rc = doors_find(
	    &p->doors, p->o.key, p->pub, getenv("XDG_RUNTIME_DIR"), folder);

	if (rc == -EPERM)
		fatalx(EXIT_USAGE,
		    "%s is not ours alone: remove it, or make the key file's "
		    "folder writable",
		    folder);
	errno = -rc;
	if (rc != 0)
		fatal(EXIT_USAGE, "%s", folder);
}

/* ---- a stream, or forwards, by the engine of the key ---- */

/* -S or NATKIT_SERVER, and the peer's own. Returns how many. */
static size_t
servers_of(const struct pipeoptions *o, const struct peerbook_entry *e,
    const char *out[WANTS_SERVERS])
{
	size_t n = 0;

	for (; n < o->servers; n++)
		out[n] = o->server[n];
	for (size_t i = 0; e != NULL && i < e->servers && n < WANTS_SERVERS;
	     i++)
		out[n++] = e->server[i];
	return n;
}

static int
run_client(struct nat_pipe *p)
{
	struct peerbook *book = pipefiles_book(p->o.peers);
	const char *servers[WANTS_SERVERS];
	char own[KEY_STRLEN];
	uint8_t key[KEY_LEN];
	struct mux_request q = {.key = key,
	    .what = &p->o.want,
	    .forward = p->o.forward,
	    .forwards = p->o.forwards,
	    .ready_fd = p->o.ready_fd,
	    .json = p->o.json,
	    .wait_s = p->o.wait_s,
	    .servers = servers,
	    .demand = &p->o.demand,
	    .in = STDIN_FILENO,
	    .out = STDOUT_FILENO,
	    .progress = p->o.progress,
	    .peer = p->o.peer,
	    .own = key_format(p->pub, own)};
	int fd, code = -EPIPE;

	pipefiles_peer(key, &p->o, book, p->pub);
	q.n_servers = servers_of(&p->o, peerbook_keyed(book, key), servers);
	for (int i = 0; i < TRIES && code == -EPIPE; i++) {
		fd = background_reach(&p->o, &p->doors, p->priv, p->pub);
		code = fd >= 0 ? mux_ask(fd, &q) : -fd;
	}
	peerbook_free(book);
	if (code == -EPIPE)
		fatalx(EXIT_TEMP, "%s: whoever listens there ends at once",
		    p->doors.mux);
	return code;
}

/* ---- an engine ---- */

/* One in the background has nothing to do, perhaps: then it ends. */
static void
take_over(const struct nat_pipe *p)
{
	char busy[MUX_BUSY_TEXT];
	int fd = mux_connect(p->doors.mux);

	if (fd >= 0 && mux_quit(fd, busy) == -EBUSY)
		fatalx(EXIT_TEMP, "%s", busy);
}

static int
run_engine(struct nat_pipe *p)
{
	static struct pipework w;
	int code, lock = doors_lock(&p->doors);

	if (lock < 0) {
		errno = -lock;
		fatal(EXIT_USAGE, "%s", p->doors.lock);
	}
	take_over(p);
	w.o = &p->o;
	w.doors = &p->doors;
	w.priv = p->priv;
	memcpy(w.pub, p->pub, KEY_LEN);
	pipework_open(&w);
	close(lock);
	code = pipework_run(&w);
	pipework_close(&w);
	return code;
}

static int
run_status(struct nat_pipe *p)
{
	if (p->o.control != NULL)
		return pipestatus(p->o.control, p->o.key, p->o.json);
	p->priv = pipeoptions_key(&p->o, p->pub);
	find_doors(p);
	return pipestatus(p->doors.control, p->o.key, p->o.json);
}

/* Descriptors 0 to 2 that are closed would become something else's. */
static void
fill_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

int
main(int argc, char **argv)
{
	static struct nat_pipe p;
	int code;

	fill_stdio();
	log_init("nat-pipe", 0);
	if (sodium_init() == -1)
		fatalx(EXIT_INTERNAL, "libsodium can't start");
	pipeoptions_read(&p.o, argc, argv);
	if (p.o.role == PIPE_STATUS) {
		code = run_status(&p);
	} else {
		p.priv = pipeoptions_key(&p.o, p.pub);
		find_doors(&p);
		code =
		    p.o.role == PIPE_CLIENT ? run_client(&p) : run_engine(&p);
	}
	sodium_free(p.priv);
	return code;
}
