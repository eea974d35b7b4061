/* SPDX-License-Identifier: ISC */
/* Buffers of one size, kept for use again by the whole process; and a purse that
 * says how many of them somebody may hold. */
#ifndef NATKIT_BLOCK_H
#define NATKIT_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define BLOCK_LEN (16 * 1024) /* bytes */
#define BLOCK_KEPT 256	      /* that nobody holds are kept for the next */

struct block {
	struct block *next;
	uint64_t at; /* the owner's: where its first byte stands, or ends */
	uint8_t data[BLOCK_LEN];
};

/* The first `reserve` blocks are free, so that nobody starves because others
 * have spent a common budget; each further one is charged BLOCK_LEN bytes. */
struct purse {
	uint32_t reserve; /* blocks */
	uint32_t held;
	bool (*charge)(void *arg, uint64_t bytes); /* NULL: all are free */
	void (*refund)(void *arg, uint64_t bytes);
	void *arg;
};

/* NULL: no memory, or no budget. */
struct block *block_take(struct purse *p);
void block_give(struct purse *p, struct block *b);
/* Frees those that nobody holds. */
void block_trim(void);

#endif
