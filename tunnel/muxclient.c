/* SPDX-License-Identifier: ISC */
/* A nat-pipe that lets the engine of its key do the work: it hands over its
 * descriptors, or its forwards, and says on standard error and by its exit code
 * what came of it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blame.h"
#include "descriptor.h"
#include "exitcode.h"
#include "log.h"
#include "meter.h"
#include "mux.h"
#include "ready.h"

bool
mux_has_reader(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 &&
	       (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

/* Returns 0 or -errno. */
static int
send_fds(int fd, const char *text, const int *fds, size_t n)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(2 * sizeof(int))];
	} control = {.buf = {0}};
	struct iovec iov = {.iov_base = (char *)text, .iov_len = strlen(text)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *h;
	ssize_t sent;

	if (n > 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(h), fds, n * sizeof(int));
	}
	do
		sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (sent == -1 && errno == EINTR);
	return sent == -1 ? -errno : 0;
}

/* Adds a record as a line of the packet. Returns 0 or -EMSGSIZE. */
static int
add(char *packet, const struct record *r)
{
	size_t len = strlen(packet);

	if (r->overflow || len + r->len + 2 > MUX_PACKET)
		return -EMSGSIZE;
	snprintf(packet + len, MUX_PACKET - len, "%s%s", len > 0 ? "\n" : "",
	    r->text);
	return 0;
}

#define MORE "\nmore"

/* Those from *sent on, as many as have room. */
static int
add_forwards(char *packet, const struct mux_request *q, size_t *sent)
{
	char text[FORWARD_TEXT];
	size_t len, first = *sent;

	for (; *sent < q->forwards; ++*sent) {
		len = strlen(packet);
		forward_format(&q->forward[*sent], text);
		if (len + strlen("\nforward ") + strlen(text) + sizeof(MORE) >
		    MUX_PACKET)
			break;
		snprintf(packet + len, MUX_PACKET - len, "\nforward %s", text);
	}
	if (*sent == first)
		return -EMSGSIZE;
	len = strlen(packet);
	if (*sent < q->forwards)
		snprintf(packet + len, MUX_PACKET - len, "%s", MORE);
	return 0;
}

/* sent: how many forwards have been; more of them when the engine has taken
 * those. */
static int
request(int fd, const struct mux_request *q, size_t *sent)
{
	char packet[MUX_PACKET] = "";
	int rc, fds[2] = {q->in, q->out};
	struct record r;

	record_begin(&r, "ask");
	record_put_key(&r, "key", q->key);
	record_put_u64(&r, "wait_s", q->wait_s);
	if (q->progress)
		record_put_u64(&r, "progress", 1);
	rc = add(packet, &r);
	for (size_t i = 0; i < q->demand->n && *sent == 0 && rc == 0; i++) {
		record_begin(&r, "with");
		record_put(&r, "option", q->demand->text[i]);
		rc = add(packet, &r);
	}
	for (size_t i = 0; i < q->n_servers && *sent == 0 && rc == 0; i++) {
		record_begin(&r, "server");
		record_put(&r, "name", q->servers[i]);
		rc = add(packet, &r);
	}
	if (rc == 0 && q->forwards > 0) {
		rc = add_forwards(packet, q, sent);
		return rc != 0 ? rc : send_fds(fd, packet, NULL, 0);
	}
	if (rc == 0)
		rc = opening_write(q->what, &r);
	if (rc == 0)
		rc = add(packet, &r);
	if (rc != 0)
		return rc;
	return send_fds(
	    fd, packet, fds, descriptor_one_socket(q->in, q->out) ? 1 : 2);
}

/* Their end is now up to the engine: with a copy of ours open, nobody would
 * see it. */
static void
let_go(const struct mux_request *q)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null == -1)
		return;
	dup2(null, q->in);
	dup2(null, q->out);
	close(null);
}

/* What a person can do about a refusal. */
static void
tell_refused(const struct mux_request *q, const char *reason, const char *text)
{
	char out[BLAME_TEXT];

	if (reason != NULL &&
	    strcmp(reason, opening_reason_name(OPENING_PERMIT)) == 0)
		log_fatalx("%s", blame_refusal(out, OPENING_PERMIT, q->what,
				     q->peer, q->own));
	else
		log_fatalx("%s: %s", q->peer, text);
}

int
mux_tell_write(bool has_reader)
{
	log_fatalx("standard output %s",
	    has_reader ? "was closed by its reader" : "can't be written to");
	return has_reader ? MUX_EXIT_PIPE : EXIT_TEMP;
}

/* What an engine has to do, and who it is. */
static const char *
busy_text(const struct record_view *v, char out[MUX_BUSY_TEXT])
{
	static const char *const names[] = {"stream", "forward"};
	static const char *const keys[] = {"streams", "forwards"};
	const char *lacks = record_get(v, "lacks");
	uint64_t pid = 0, n = 0;
	size_t len;

	record_get_u64(v, "pid", &pid);
	snprintf(out, MUX_BUSY_TEXT,
	    "nat-pipe %" PRIu64 ", which has this key, %s%.100s: end it first "
	    "(kill %" PRIu64 ")%s",
	    pid, lacks != NULL ? "was started without " : "is busy",
	    lacks != NULL ? lacks : "", pid,
	    lacks != NULL ? "" : ", or use another key (-k)");
	len = strlen(out);
	for (size_t i = 0; i < 2; i++) {
		if (record_get_u64(v, keys[i], &n) != 0 || n == 0)
			continue;
		snprintf(out + strlen(out), MUX_BUSY_TEXT - strlen(out),
		    "%s%" PRIu64 " %s%s",
		    out[len] == '\0' ? "; what ends with it: " : ", ", n,
		    names[i], n == 1 ? "" : "s");
	}
	if (record_get_u64(v, "listens", &n) == 0 && n != 0)
		snprintf(out + strlen(out), MUX_BUSY_TEXT - strlen(out),
		    "%swhat it serves (-l)",
		    out[len] == '\0' ? "; what ends with it: " : ", ");
	return out;
}

/* text: the packet's second line, or "". */
static int
tell_end(const struct mux_request *q, const struct record_view *v,
    const char *text, bool has_reader)
{
	const char *end = record_get(v, "end");
	uint64_t code = 0;

	if (end == NULL)
		end = "";
	if (q->forwards > 0) {
		log_fatalx("%s", text);
		return strcmp(end, MUX_CONFIG) == 0 ? EXIT_USAGE : EXIT_TEMP;
	}
	if (strcmp(end, joint_end_name(JOINT_DONE)) == 0)
		return EXIT_YES;
	if (strcmp(end, joint_end_name(JOINT_REFUSED)) == 0) {
		tell_refused(q, record_get(v, "reason"), text);
		return EXIT_NO;
	}
	if (strcmp(end, joint_end_name(JOINT_WRITE)) == 0)
		return mux_tell_write(has_reader);
	if (strcmp(end, MUX_GIVEN_UP) == 0 &&
	    record_get_u64(v, "code", &code) == 0 && code > 0 && code < 128) {
		log_fatalx("no way to %s: %s", q->peer, text);
		return (int)code;
	}
	if (strcmp(end, joint_end_name(JOINT_NO_PATH)) == 0)
		log_fatalx(
		    "no way to %s within %u s: %s", q->peer, q->wait_s, text);
	else
		log_fatalx("%s: %s", q->peer, text);
	return strcmp(end, MUX_CONFIG) == 0 ? EXIT_USAGE : EXIT_TEMP;
}

/* A conversation with an engine. */
struct talk {
	int fd;
	struct mux_request q;
	struct meter meter;
	char path[100]; /* as it was last; "": nothing was shown */
	uint64_t rtt_us;
	size_t sent; /* forwards */
	bool taken, has_reader;
};

/* Returns -EAGAIN: go on; or another -errno. */
static int
taken(struct talk *t)
{
	int rc;

	if (t->q.forwards == 0)
		let_go(&t->q);
	t->taken = true;
	if (t->sent < t->q.forwards) {
		rc = request(t->fd, &t->q, &t->sent);
		return rc != 0 ? rc : -EAGAIN;
	}
	ready_tell(t->q.ready_fd);
	t->q.ready_fd = -1;
	return -EAGAIN;
}

static void
route(const struct talk *t, const char *packet)
{
	struct record r = {.len = strlen(packet)};

	if (r.len >= RECORD_MAX)
		return;
	memcpy(r.text, packet, r.len);
	record_write(&r, STDOUT_FILENO, t->q.json);
}

static void
progress(struct talk *t, const struct record_view *v)
{
	char text[METER_TEXT];
	const char *word = record_get(v, "path");
	const char *endpoint = record_get(v, "endpoint");
	uint64_t in = 0, out = 0;

	record_get_u64(v, "in", &in);
	record_get_u64(v, "out", &out);
	t->rtt_us = 0;
	record_get_u64(v, "rtt_us", &t->rtt_us);
	snprintf(t->path, sizeof(t->path), "%.20s %.70s",
	    word != NULL ? word : "no path yet",
	    word != NULL && endpoint != NULL ? endpoint : "");
	meter_show(meter_text(
	    &t->meter, in + out, t->path, t->rtt_us, now_ms(), text));
}

/* The line stays when all went well, with all that was carried. */
static void
last_progress(struct talk *t, const struct record_view *v)
{
	const char *end = record_get(v, "end");
	char text[METER_TEXT];
	uint64_t in = 0, out = 0;

	if (end == NULL || strcmp(end, joint_end_name(JOINT_DONE)) != 0 ||
	    t->path[0] == '\0') {
		meter_clear();
		return;
	}
	record_get_u64(v, "received", &in);
	record_get_u64(v, "sent", &out);
	meter_show(meter_text(
	    &t->meter, in + out, t->path, t->rtt_us, now_ms(), text));
	meter_leave();
}

/* One packet. Returns -EAGAIN: go on; another -errno; or an exit code. */
static int
take(struct talk *t, char *packet)
{
	char *text = strchr(packet, '\n'), busy[MUX_BUSY_TEXT];
	struct record_view v;

	if (strncmp(packet, "say ", 4) == 0) {
		if (!log_is_quiet())
			meter_pass(packet + 4);
		return -EAGAIN;
	}
	if (text != NULL)
		*text++ = '\0';
	if (record_parse(&v, packet, strlen(packet)) != 0)
		return -EAGAIN;
	if (record_is(&v, "taken"))
		return taken(t);
	if (record_is(&v, "progress")) {
		progress(t, &v);
	} else if (record_is(&v, "busy")) {
		log_fatalx("%s", busy_text(&v, busy));
		return EXIT_TEMP;
	} else if (record_is(&v, "route")) {
		meter_clear();
		route(t, packet);
	} else if (record_is(&v, "end")) {
		last_progress(t, &v);
		return tell_end(
		    &t->q, &v, text != NULL ? text : "", t->has_reader);
	}
	return -EAGAIN;
}

/* ---- forwards end by a signal, and that is a good end ---- */

static volatile sig_atomic_t signalled;

static void
signal_cb(int sig)
{
	(void)sig;
	signalled = 1;
}

/* From now on signals come while we wait, and at no other time. Those that are
 * ignored (nohup(1)) stay so. */
static void
hold_signals(sigset_t *waiting)
{
	static const int ours[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction act = {.sa_handler = signal_cb}, old;
	sigset_t held;

	sigemptyset(&held);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		if (sigaction(ours[i], NULL, &old) == 0 &&
		    old.sa_handler == SIG_IGN)
			continue;
		sigaction(ours[i], &act, NULL);
		sigaddset(&held, ours[i]);
	}
	sigprocmask(SIG_BLOCK, &held, waiting);
	signal(SIGPIPE, SIG_IGN); /* who reads our records may go */
}

/* Returns -EAGAIN: there is something; or an exit code. */
static int
wait_for(const struct talk *t, const sigset_t *waiting)
{
	struct pollfd p = {.fd = t->fd, .events = POLLIN};

	while (!signalled)
		if (ppoll(&p, 1, NULL, waiting) != -1 || errno != EINTR)
			return -EAGAIN;
	return EXIT_YES;
}

/* ---- */

/* Returns an exit code, or -errno. */
static int
converse(struct talk *t)
{
	char packet[MUX_PACKET + 1];
	sigset_t waiting;
	ssize_t n;
	int code;

	if (t->q.forwards > 0)
		hold_signals(&waiting);
	code = request(t->fd, &t->q, &t->sent);
	if (code == 0)
		code = -EAGAIN;
	while (code == -EAGAIN) {
		if (t->q.forwards > 0 &&
		    (code = wait_for(t, &waiting)) != -EAGAIN)
			break;
		n = recv(t->fd, packet, MUX_PACKET, 0);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		packet[n] = '\0';
		code = take(t, packet);
	}
	return code;
}

int
mux_ask(int fd, const struct mux_request *q)
{
	struct talk t = {.fd = fd, .q = *q, .meter = {.ms = now_ms()}};
	int code;

	t.has_reader = q->forwards == 0 && mux_has_reader(q->out);
	t.q.progress = q->progress && meter_begin();
	if (t.q.progress && q->forwards == 0)
		meter_hold_signals();
	code = converse(&t);
	close(fd);
	meter_clear();
	if (code >= 0 || (!t.taken && (code == -EPIPE || code == -ECONNRESET)))
		return code < 0 ? -EPIPE : code;
	if (t.taken)
		log_fatalx("%s: the nat-pipe that has our key ended", q->peer);
	else
		log_fatalx("%s: %s", q->peer, strerror(-code));
	return EXIT_TEMP;
}

int
mux_quit(int fd, char busy[MUX_BUSY_TEXT])
{
	char packet[MUX_PACKET + 1];
	struct record_view v;
	int rc = 0;
	ssize_t got;

	if (send(fd, "quit", 4, MSG_NOSIGNAL) == -1) {
		close(fd);
		return 0; /* it has ended by itself */
	}
	while (rc == 0) {
		got = recv(fd, packet, MUX_PACKET, 0);
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			break; /* gone */
		packet[got] = '\0';
		if (record_parse(&v, packet, (size_t)got) != 0 ||
		    !record_is(&v, "busy"))
			continue;
		busy_text(&v, busy);
		rc = -EBUSY;
	}
	close(fd);
	return rc;
}
