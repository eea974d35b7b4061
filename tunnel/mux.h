/* SPDX-License-Identifier: ISC */
/* How several nat-pipe of one key file share one engine: a SOCK_SEQPACKET Unix
 * socket, KEYFILE.sock, mode 0600, peers' uid checked. A client sends one packet
 * of lines
 *
 *   ask key=PEER wait_s=N [progress=1]
 *   with option=-d                   what the engine has to have (demand.h)
 *   server name=KEY@host:port        as many as it knows
 *   open to=...                      tunnel/opening.h
 *
 * and with it, by SCM_RIGHTS, the descriptor to read from and the one to write
 * to, or a socket for both; or, in place of open and descriptors,
 *
 *   forward -L SPEC                  as on the command line, and more of them
 *   more                             in another packet, once this one is taken
 *
 * which last as long as its connection; or
 *
 *   quit                             end, if you have nothing to do (a foreground
 *                                    nat-pipe wants the key)
 *
 * and gets packets
 *
 *   taken                            the descriptors are the engine's now, or
 *                                    the forwards of this packet have begun
 *   route ...                        nat-records(5): a forward has changed
 *   progress in=N out=N path=WORD endpoint=... rtt_us=N     once a second
 *   say TEXT                         for standard error
 *   end end=WORD reason=WORD sent=N received=N, newline, TEXT     then the end
 *   busy pid=N streams=N forwards=N listens=N [lacks=-d]
 *                                    the answer to quit, or to an ask with an
 *                                    option that the engine lacks
 *   bye                              the same, when it had nothing to do: after
 *                                    its end another one may be started
 *
 * A client that closes its connection has given up. */
#ifndef NATKIT_MUX_H
#define NATKIT_MUX_H

#include <stdbool.h>

#include "ask.h"
#include "forwarding.h"
#include "joint.h"
#include "loop.h"
#include "muxdoor.h"
#include "record.h"
#include "resolve.h"
#include "tunnel.h"

#define MUX_CLIENTS 512
#define MUX_PACKET 8192		/* bytes */
#define MUX_CONFIG "config"	/* an end: wrong usage or configuration */
#define MUX_GIVEN_UP "given-up" /* an end, with its code= */

struct mux;

struct mux_config {
	struct loop *loop;
	struct tunnel *tunnel;
	struct resolver *resolver;
	struct peerbook *const *book; /* names, for warnings */
	const char *path;	      /* stays as long as the mux does */
	bool background; /* quit is obeyed when nobody asks for anything */
	bool listens;	 /* -l */
	const struct demand *demand;   /* its options; stays, too */
	size_t (*forwards)(void *arg); /* that it has itself */
	/* A client wants this peer: is it to be met by these servers (driver)?
	 * Returns 0, -ENOSPC: no more peers, -EDESTADDRREQ: no server. */
	int (*want)(void *arg, const uint8_t key[KEY_LEN],
	    const char *const *servers, size_t n);
	/* Why there is no path to the peer, in a sentence. */
	void (*why)(
	    void *arg, const uint8_t key[KEY_LEN], char *out, size_t cap);
	/* A forward of a client's has changed: the record that it gets. */
	void (*route)(void *arg, struct forwarding *f, struct record *out);
	/* quit was obeyed. */
	void (*quit)(void *arg);
	void *arg;
};

/* -EADDRINUSE: another engine has it. */
int mux_open(struct mux **out, const struct mux_config *c);
/* Ends the forwards of all clients: before tunnel_free. */
void mux_stop(struct mux *m);
/* Call it after tunnel_free: whoever waits for our end (mux_quit) may take
 * everything then. */
void mux_free(struct mux *m);
/* No path will be found until a person mends something: the streams that wait for
 * one end with this code (exitcode.h, or 126, 127) and sentence. */
void mux_give_up(struct mux *m, int code, const char *text);
/* To every client. */
void mux_say(struct mux *m, const char *text);
/* Those who have asked for something. */
size_t mux_clients(const struct mux *m);
/* The forwards of all clients, i from 0; NULL: no more. */
struct forwarding *mux_forwarding(const struct mux *m, size_t i);

/* ---- the client's side (blocking; nat-pipe's own process) ---- */

struct mux_request {
	const uint8_t *key;
	const struct opening *what; /* of a stream; unless there are forwards */
	const struct forward *forward;
	size_t forwards;
	int ready_fd; /* the forwards listen; or -1 */
	bool json;    /* their records, on standard output */
	uint32_t wait_s;
	const char *const *servers;
	size_t n_servers;
	const struct demand *demand;
	int in, out;   /* closed, that is /dev/null, once they are taken */
	bool progress; /* a line on standard error, as pv has it */
	const char *peer, *own; /* for messages: a name, our public key */
};

/* As the shell has it for what SIGPIPE ends. */
#define MUX_EXIT_PIPE 141
/* Is it a pipe or a socket? */
bool mux_has_reader(int fd);
/* Standard output could not be written to: says so. has_reader: what
 * mux_has_reader said of it. Returns an exit code. */
int mux_tell_write(bool has_reader);
/* Asks, and stays until it is over: forwards, until a signal ends them. Returns an
 * exit code of exitcode.h, or -EPIPE: the engine ended before it took anything;
 * ask another one. Closes fd. */
int mux_ask(int fd, const struct mux_request *r);
/* Returns 0: it has ended; or -EBUSY and a sentence on who it is, what it has to do,
 * and that this ends with it. Closes fd. */
#define MUX_BUSY_TEXT 500
int mux_quit(int fd, char busy[MUX_BUSY_TEXT]);

#endif
