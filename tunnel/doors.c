/* SPDX-License-Identifier: ISC */
/* Where the engine of a key file is met. */
#include "doors.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_LEN 10 /* bytes of the hash: no accident makes two alike */
#define LONGEST ".sock"

/* Returns 0, or -ENAMETOOLONG. */
static int
name_all(struct doors *out, const char *base)
{
	if (strlen(base) + sizeof(LONGEST) > DOORS_PATH)
		return -ENAMETOOLONG;
	snprintf(out->mux, sizeof(out->mux), "%s.sock", base);
	snprintf(out->control, sizeof(out->control), "%s.ctl", base);
	snprintf(out->port, sizeof(out->port), "%s.port", base);
	snprintf(out->lock, sizeof(out->lock), "%s.lock", base);
	return 0;
}

/* Whoever can make files there could make our doors his: what a client hands
 * over is its standard input. */
static int
check_folder(const char *folder)
{
	struct stat st;

	if (access(folder, W_OK) == -1 || stat(folder, &st) == -1)
		return -errno;
	return (st.st_mode & (S_IWGRP | S_IWOTH)) == 0 ? 0 : -EPERM;
}

/* Next to the key file, or -errno. */
static int
beside(struct doors *out, const char *key_path)
{
	char *real = realpath(key_path, NULL), *slash;
	int rc;

	if (real == NULL)
		return -errno;
	rc = name_all(out, real);
	slash = strrchr(real, '/');
	slash[slash == real] = '\0';
	if (rc == 0)
		rc = check_folder(real);
	free(real);
	return rc;
}

/* A folder in a place where others may make some, too: only one that is ours
 * and that nobody else can use. */
static int
make_private(const char *folder)
{
	struct stat st;

	if (mkdir(folder, 0700) == -1 && errno != EEXIST)
		return -errno;
	if (lstat(folder, &st) == -1)
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 077) != 0)
		return -EPERM;
	return 0;
}

int
doors_find(struct doors *out, const char *key_path, const uint8_t pub[KEY_LEN],
    const char *runtime, char folder[DOORS_PATH])
{
	uint8_t hash[crypto_generichash_BYTES_MIN];
	char name[2 * NAME_LEN + 1], base[DOORS_PATH + sizeof(name) + 1];
	int rc, len;

	folder[0] = '\0';
	if (beside(out, key_path) == 0)
		return 0;
	if (runtime != NULL && *runtime == '/')
		len = snprintf(folder, DOORS_PATH, "%s/natkit", runtime);
	else
		len = snprintf(folder, DOORS_PATH, "/tmp/natkit-%lu",
		    (unsigned long)geteuid());
	if (len >= DOORS_PATH)
		return -ENAMETOOLONG;
	rc = make_private(folder);
	if (rc != 0)
		return rc;
	crypto_generichash(hash, sizeof(hash), pub, KEY_LEN, NULL, 0);
	sodium_bin2hex(name, sizeof(name), hash, NAME_LEN);
	snprintf(base, sizeof(base), "%s/%s", folder, name);
	return name_all(out, base);
}

int
doors_lock(const struct doors *d)
{
	int rc,
	    fd = open(d->lock,
		O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (fd == -1)
		return -errno;
	while ((rc = flock(fd, LOCK_EX)) == -1 && errno == EINTR)
		;
	if (rc == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}
