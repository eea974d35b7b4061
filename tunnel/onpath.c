/* SPDX-License-Identifier: ISC */
/* Programs, looked for as execvp(3) does it. */
#include "onpath.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
onpath_look(const char *program)
{
	const char *list = getenv("PATH");
	char path[PATH_MAX];
	int rc = -ENOENT;
	struct stat st;
	size_t len;

	if (strchr(program, '/') != NULL)
		list = "";
	else if (list == NULL)
		list = "/bin:/usr/bin";
	do {
		len = strcspn(list, ":");
		snprintf(path, sizeof(path), "%.*s%s%s", (int)len, list,
		    len > 0 ? "/" : "", program);
		list += len + (list[len] == ':');
		if (stat(path, &st) == -1)
			continue;
		if (S_ISREG(st.st_mode) && access(path, X_OK) == 0)
			return 0;
		rc = -EACCES;
	} while (*list != '\0');
	return rc;
}
