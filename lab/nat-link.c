/* SPDX-License-Identifier: ISC */
/* nat-link: a wire between two interfaces, with delay, jitter, loss, rate,
 * reordering and duplication. Options, set-up, tear-down, and the loop that
 * moves frames from an interface into its cable and out at the other one. */
#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "cable.h"
#include "change.h"
#include "control.h"
#include "drop.h"
#include "exitcode.h"
#include "log.h"
#include "loop.h"
#include "nic.h"
#include "option.h"
#include "ready.h"
#include "record.h"
#include "segment.h"

#define FRAMES 4096
#define FRAMES_MIN 16
#define FRAMES_MAX 1000000
#define READS 4	       /* of one side before the other gets its turn */
#define RETRY_US 1000u /* when the kernel takes no more for now */
#define NS_PER_US 1000u
#define NS_PER_S 1000000000u

/* Frames that come in at nic, travel through cable, and leave at the other
 * side's nic. */
struct side {
	struct link *link;
	struct nic nic;
	struct cable cable;
	struct nic_frame *frames; /* by slot */
	uint8_t *bytes;
	struct nic_frame out[NIC_BATCH]; /* taken, not yet sent */
	int out_slot[NIC_BATCH];
	int n_out;
	struct event *readable;
};

struct link {
	struct loop loop;
	struct side side[2];
	struct nic_reader *reader;
	struct control *control;
	struct event *timer, *watch;
	int timer_fd, watch_fd;
	uint64_t armed_ns;
	size_t slot_len;

	struct change change;
	const char *name[2], *socket, *user;
	uint32_t frames;
	int ready_fd;
	bool announce, json;
};

static const char usage[] =
    "nat-link [-1hjqv] [-c control] [-N fd] [-n frames] [-u user]\n"
    "                interface1 interface2 [key=value ...]";

static const char help[] =
    "  -c path   control socket: show, stats, set key=value ...\n"
    "  -n num    frames on their way, each direction (4096)\n"
    "  -u user   run as this user (nobody)\n"
    "  -N fd     write a newline to fd when ready\n"
    "  -1        print a link record for each direction when ready\n"
    "  -j        records as JSON Lines\n"
    "  -q -v     say less, say more on standard error\n"
    "  delay_ms= jitter_ms= rate_kbit= queue_ms= seed=   numbers\n"
    "  loss= reorder= duplicate=                         per cent\n"
    "  direction=interface1   what follows is for what comes in there\n";

static const char *const syscalls[] = {"accept4", "getsockname", "getsockopt",
    "ioctl", "recvmmsg", "sendmmsg", "shutdown", "unlink"};

static void
options(struct link *k, int argc, char **argv)
{
	char why[CHANGE_WHY];
	int ch;

	k->frames = FRAMES;
	k->ready_fd = -1;
	option_begin(usage, help);
	while ((ch = option_next(argc, argv, ":1c:hjN:n:qu:v")) != -1)
		switch (ch) {
		case '1':
			k->announce = true;
			break;
		case 'c':
			k->socket = optarg;
			break;
		case 'j':
			k->json = true;
			break;
		case 'N':
			if ((k->ready_fd = ready_parse(optarg)) < 0)
				option_fail("-N wants an open descriptor above "
					    "2: %s",
				    optarg);
			break;
		case 'n':
			k->frames =
			    option_number("-n", optarg, FRAMES_MIN, FRAMES_MAX);
			break;
		case 'u':
			k->user = optarg;
			break;
		}
	if (argc - optind < 2)
		option_fail("give two interfaces");
	for (int i = 0; i < 2; i++) {
		k->name[i] = k->change.from[i] = argv[optind++];
		impairment_init(&k->change.is[i], randombytes_random());
	}
	k->change.is[1].seed = k->change.is[0].seed;
	if (strcmp(k->name[0], k->name[1]) == 0)
		option_fail("give two different interfaces");
	if (change_words(&k->change, (const char *const *)argv + optind,
		(size_t)(argc - optind), why) != 0)
		option_fail("%s", why);
}

static uint64_t
now_ns(void)
{
	return now_us() * NS_PER_US;
}

/* What stands in the slot goes to the other side. */
static void
store(struct side *s, int slot, const struct nic_frame *f)
{
	struct nic_frame *to = &s->frames[slot];

	to->offload = (struct virtio_net_hdr){0};
	if ((f->offload.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0) {
		to->offload.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		to->offload.csum_start = f->offload.csum_start;
		to->offload.csum_offset = f->offload.csum_offset;
	}
	to->len = f->len;
	memcpy(to->data, f->data, f->len);
}

static void
segments_in(struct side *s, const struct nic_frame *f, uint64_t now)
{
	struct segment g;
	size_t len;

	if (segment_begin(&g, f->data, f->len, &f->offload) != 0) {
		s->nic.bad++;
		return;
	}
	while ((len = segment_len(&g)) > 0) {
		int slot = CABLE_NONE;

		if (len <= s->link->slot_len)
			slot = cable_put(&s->cable, now, len);
		else
			s->nic.bad++;
		if (slot == CABLE_NONE) {
			segment_next(&g, NULL);
			continue;
		}
		segment_next(&g, s->frames[slot].data);
		s->frames[slot].len = len;
		s->frames[slot].offload = g.offload;
	}
}

static void
frame_in(struct side *s, const struct nic_frame *f, uint64_t now)
{
	int slot;

	if (f->offload.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		segments_in(s, f, now);
		return;
	}
	if (f->len > s->link->slot_len) {
		s->nic.bad++;
		return;
	}
	slot = cable_put(&s->cable, now, f->len);
	if (slot != CABLE_NONE)
		store(s, slot, f);
}

/* Sends what is due. Returns when there is more to do, CABLE_NEVER for never.
 * What the kernel does not take at once is kept, in order. */
static uint64_t
flush(struct side *s, struct nic *to)
{
	uint64_t now = now_ns();
	int done, slot;

	for (;;) {
		while (s->n_out < NIC_BATCH &&
		       (slot = cable_take(&s->cable, now)) != CABLE_NONE) {
			s->out_slot[s->n_out] = slot;
			s->out[s->n_out++] = s->frames[slot];
		}
		if (s->n_out == 0)
			return cable_next(&s->cable);
		done = nic_write(to, s->out, s->n_out);
		for (int i = 0; i < done; i++)
			cable_release(&s->cable, s->out_slot[i]);
		s->n_out -= done;
		memmove(s->out, s->out + done,
		    (size_t)s->n_out * sizeof(s->out[0]));
		memmove(s->out_slot, s->out_slot + done,
		    (size_t)s->n_out * sizeof(s->out_slot[0]));
		if (s->n_out > 0)
			return now + RETRY_US * NS_PER_US;
	}
}

/* Both directions, and the timer for the next time: absolute, so that no
 * delay of ours adds up. */
static void
pump(struct link *k)
{
	uint64_t a = flush(&k->side[0], &k->side[1].nic);
	uint64_t b = flush(&k->side[1], &k->side[0].nic);
	uint64_t at = a < b ? a : b;
	struct itimerspec when = {0};

	if (at == k->armed_ns)
		return;
	k->armed_ns = at;
	if (at != CABLE_NEVER) {
		when.it_value.tv_sec = (time_t)(at / NS_PER_S);
		when.it_value.tv_nsec = (long)(at % NS_PER_S);
	}
	if (timerfd_settime(k->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) == -1)
		log_warn("timer");
}

static void
timer_cb(evutil_socket_t fd, short events, void *arg)
{
	struct link *k = arg;
	uint64_t times;

	(void)events;
	if (read(fd, &times, sizeof(times)) == sizeof(times))
		k->armed_ns = 0;
	pump(k);
}

static void
watch_cb(evutil_socket_t fd, short events, void *arg)
{
	struct link *k = arg;

	(void)events;
	nic_watch_drain(fd);
	for (int i = 0; i < 2; i++) {
		if (!nic_is_gone(&k->side[i].nic))
			continue;
		log_fatalx("interface %s has vanished", k->name[i]);
		loop_end(&k->loop, EXIT_TEMP);
	}
}

static void
readable_cb(evutil_socket_t fd, short events, void *arg)
{
	struct side *s = arg;
	struct nic_frame *frames;
	int n = NIC_BATCH;

	(void)fd;
	(void)events;
	for (int i = 0; i < READS && n == NIC_BATCH; i++) {
		uint64_t now;

		n = nic_read(&s->nic, s->link->reader, &frames);
		if (n < 0) {
			errno = -n;
			log_warn("interface %s", s->nic.name);
			break;
		}
		now = now_ns();
		for (int j = 0; j < n; j++)
			frame_in(s, &frames[j], now);
		pump(s->link);
	}
}

static void
link_record(const struct link *k, int i, struct record *r)
{
	record_begin(r, "link");
	record_put(r, "from", k->name[i]);
	record_put(r, "to", k->name[!i]);
	impairment_put(&k->side[i].cable.is, r);
}

static void
traffic_record(struct link *k, int i, struct record *r)
{
	struct nic *in = &k->side[i].nic;
	const struct cable_stats *s = &k->side[i].cable.stats;

	nic_count(in);
	record_begin(r, "traffic");
	record_put(r, "from", k->name[i]);
	record_put(r, "to", k->name[!i]);
	record_put_u64(r, "frames", s->frames);
	record_put_u64(r, "bytes", s->bytes);
	record_put_u64(r, "sent", s->sent);
	record_put_u64(r, "lost", s->lost);
	record_put_u64(r, "tail", s->tail);
	record_put_u64(r, "full", s->full);
	record_put_u64(r, "duplicated", s->duplicated);
	record_put_u64(r, "reordered", s->reordered);
	record_put_u64(r, "waiting", k->side[i].cable.n);
	record_put_u64(r, "missed", in->missed);
	record_put_u64(r, "bad", in->bad);
	record_put_u64(r, "refused", k->side[!i].nic.refused);
}

/* Returns what is wrong, or NULL. */
static const char *
set(struct link *k, const char *args)
{
	static char why[CHANGE_WHY];

	if (change_line(&k->change, args, why) != 0)
		return why;
	for (int i = 0; i < 2; i++)
		cable_set(&k->side[i].cable, &k->change.is[i], i);
	return NULL;
}

static void
command_cb(
    void *arg, struct control_conn *c, const char *command, const char *args)
{
	struct link *k = arg;
	const char *why = NULL;
	struct record r;

	if (strcmp(command, "set") == 0)
		why = set(k, args);
	else if (strcmp(command, "show") != 0 && strcmp(command, "stats") != 0)
		why = "give show, stats or set";
	for (int i = 0; i < 2 && why == NULL; i++) {
		if (strcmp(command, "stats") == 0)
			traffic_record(k, i, &r);
		else
			link_record(k, i, &r);
		control_put(c, &r);
	}
	control_end(c, why);
}

static void
side_open(struct link *k, int i)
{
	struct side *s = &k->side[i];
	int rc = nic_open(&s->nic, k->name[i]);

	s->link = k;
	errno = -rc;
	if (rc == -ENODEV)
		fatalx(EXIT_USAGE, "no interface %s here; ip link shows them",
		    k->name[i]);
	if (rc == -EPROTONOSUPPORT)
		fatalx(EXIT_USAGE, "%s is no Ethernet interface", k->name[i]);
	if (rc != 0)
		fatal(rc == -EPERM || rc == -EACCES ? EXIT_USAGE : EXIT_TEMP,
		    "can't open %s (CAP_NET_RAW is needed)", k->name[i]);
}

/* Memory that is touched when frames come: a great -n costs nothing before. */
static void
side_slots(struct link *k, int i)
{
	struct side *s = &k->side[i];

	s->frames = calloc(k->frames, sizeof(s->frames[0]));
	s->bytes = mmap(NULL, k->frames * k->slot_len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->frames == NULL || s->bytes == MAP_FAILED ||
	    cable_init(&s->cable, k->frames, i) != 0)
		fatalx(EXIT_TEMP, "no memory for %u frames", k->frames);
	for (size_t f = 0; f < k->frames; f++)
		s->frames[f].data = s->bytes + f * k->slot_len;
	cable_set(&s->cable, &k->change.is[i], i);
	s->readable = loop_event(
	    &k->loop, s->nic.fd, EV_READ | EV_PERSIST, readable_cb, s);
	event_add(s->readable, NULL);
}

static void
drop(const struct link *k)
{
	int rc;

	drop_to(k->user);
	rc = drop_syscalls(syscalls, sizeof(syscalls) / sizeof(syscalls[0]));
	if (rc == 0)
		return;
	errno = -rc;
	fatal(EXIT_USAGE, "can't drop privileges: seccomp");
}

static void
start(struct link *k)
{
	int rc = 0;

	loop_init(&k->loop, false);
	k->slot_len = 0;
	for (int i = 0; i < 2; i++) {
		side_open(k, i);
		if (k->side[i].nic.mtu + NIC_ETHERNET > k->slot_len)
			k->slot_len = k->side[i].nic.mtu + NIC_ETHERNET;
	}
	k->timer_fd =
	    timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	k->watch_fd = nic_watch();
	if (k->timer_fd == -1 || k->watch_fd < 0 ||
	    nic_reader_new(&k->reader) != 0)
		fatalx(EXIT_TEMP, "out of descriptors or memory");
	k->watch = loop_event(
	    &k->loop, k->watch_fd, EV_READ | EV_PERSIST, watch_cb, k);
	event_add(k->watch, NULL);
	k->timer = loop_event(
	    &k->loop, k->timer_fd, EV_READ | EV_PERSIST, timer_cb, k);
	event_add(k->timer, NULL);
	k->armed_ns = CABLE_NEVER;
	for (int i = 0; i < 2; i++)
		side_slots(k, i);
	if (k->socket != NULL)
		rc = control_open(
		    &k->control, &k->loop, k->socket, command_cb, k);
	errno = -rc;
	if (rc != 0)
		fatal(EXIT_USAGE, "%s", k->socket);
	drop(k);
}

static void
announce(struct link *k)
{
	struct record r;

	for (int i = 0; i < 2 && k->announce; i++) {
		link_record(k, i, &r);
		record_write(&r, STDOUT_FILENO, k->json);
	}
	ready_tell(k->ready_fd);
}

static void
stop(struct link *k)
{
	control_free(k->control);
	for (int i = 0; i < 2; i++) {
		struct side *s = &k->side[i];

		event_free(s->readable);
		nic_close(&s->nic);
		cable_free(&s->cable);
		free(s->frames);
		munmap(s->bytes, k->frames * k->slot_len);
	}
	event_free(k->timer);
	event_free(k->watch);
	close(k->timer_fd);
	close(k->watch_fd);
	nic_reader_free(k->reader);
	loop_free(&k->loop);
}

int
main(int argc, char **argv)
{
	static struct link k;
	int code;

	log_init("nat-link", 0);
	if (sodium_init() == -1)
		fatalx(EXIT_INTERNAL, "libsodium can't start");
	options(&k, argc, argv);
	start(&k);
	announce(&k);
	code = loop_run(&k.loop);
	stop(&k);
	return code;
}
