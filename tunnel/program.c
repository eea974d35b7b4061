/* SPDX-License-Identifier: ISC */
/* A program per stream. */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PIPE_BYTES (256 * 1024)

struct program {
	struct joint *joint; /* NULL: over */
	struct child *child; /* NULL: over */
	void (*over)(void *arg);
	void *arg;
};

static void
settle(struct program *p)
{
	void (*over)(void *arg) = p->over;
	void *arg = p->arg;

	if (p->joint != NULL || p->child != NULL)
		return;
	free(p);
	if (over != NULL)
		over(arg);
}

/* Before its standard input ends, which it would take for the peer's end. */
static void
joint_broken_cb(void *arg)
{
	struct program *p = arg;

	if (p->child != NULL)
		child_stop(p->child, false);
}

static void
joint_ended_cb(void *arg, const struct joint_result *r)
{
	struct program *p = arg;

	(void)r; /* after a good end it may go on, without the peer */
	p->joint = NULL;
	settle(p);
}

static void
child_ended_cb(void *arg, int status)
{
	struct program *p = arg;

	(void)status;
	p->child = NULL;
	settle(p);
}

struct pipes {
	int in[2], out[2]; /* of the program's standard input and output */
};

static void
pipes_close(struct pipes *p)
{
	int *fd[] = {&p->in[0], &p->in[1], &p->out[0], &p->out[1]};

	for (size_t i = 0; i < sizeof(fd) / sizeof(fd[0]); i++)
		if (*fd[i] >= 0)
			close(*fd[i]);
}

/* Pipes, not a socket pair: a program that ends before it has read all would
 * end a socket with ECONNRESET in place of the end of file. */
static int
pipes_open(struct pipes *p)
{
	int rc;

	*p = (struct pipes){{-1, -1}, {-1, -1}};
	if (pipe2(p->in, O_CLOEXEC) == -1 || pipe2(p->out, O_CLOEXEC) == -1) {
		rc = -errno;
		pipes_close(p);
		return rc;
	}
	/* wanted, not needed: fewer turns between it and us */
	fcntl(p->in[1], F_SETPIPE_SZ, PIPE_BYTES);
	fcntl(p->out[0], F_SETPIPE_SZ, PIPE_BYTES);
	return 0;
}

/* Our ends of the pipes are ours alone. */
static void
set_nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static int
join(struct program *p, struct joint *j, struct pipes *pipes)
{
	int rc;

	set_nonblocking(pipes->out[0]);
	set_nonblocking(pipes->in[1]);
	rc = joint_accept(j, 0,
	    &(struct joint_config){
		.in = pipes->out[0],
		.out = pipes->in[1],
		.broken = joint_broken_cb,
		.ended = joint_ended_cb,
		.arg = p,
	    });
	if (rc == 0) {
		pipes->out[0] = pipes->in[1] = -1;
		p->joint = j;
	}
	return rc;
}

int
program_start(
    struct program **out, struct joint *j, const struct program_config *c)
{
	struct program *p = calloc(1, sizeof(*p));
	struct pipes pipes;
	int rc;

	if (p == NULL)
		return -ENOMEM;
	rc = pipes_open(&pipes);
	if (rc != 0) {
		free(p);
		return rc;
	}
	p->over = c->over;
	p->arg = c->arg;
	rc = child_start(&p->child, c->set,
	    &(struct child_config){
		.argv = c->argv,
		.envp = c->envp,
		.in = pipes.in[0],
		.out = pipes.out[1],
		.ended = child_ended_cb,
		.arg = p,
	    });
	if (rc == 0 && (rc = join(p, j, &pipes)) != 0) {
		child_stop(p->child, true);
		child_forget(p->child);
	}
	pipes_close(&pipes);
	if (rc != 0) {
		free(p);
		return rc;
	}
	*out = p;
	return 0;
}

void
program_stop(struct program *p)
{
	if (p->child != NULL) {
		child_stop(p->child, false);
		child_forget(p->child);
		p->child = NULL;
	}
	if (p->joint != NULL)
		joint_cancel(p->joint, true);
	free(p);
}
