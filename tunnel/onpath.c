/* SPDX-License-Identifier: ISC */
/* Programs, looked for as execvp(3) does it. */
#include "onpath.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
onpath_look(const char *program, char out[PATH_MAX])
{
	const char *list = getenv("PATH");
	char path[PATH_MAX];
	int rc = -ENOENT, n;
	struct stat st;
	size_t len;
	bool more;

	if (strchr(program, '/') != NULL)
		list = "";
	else if (list == NULL)
		list = "/bin:/usr/bin";
	do {
		len = strcspn(list, ":");
		n = snprintf(path, sizeof(path), "%.*s%s%s", (int)len, list,
		    len > 0 ? "/" : "", program);
		more = list[len] == ':';
		list += len + more;
		if (n < 0 || (size_t)n >= sizeof(path) || stat(path, &st) == -1)
			continue;
		if (S_ISREG(st.st_mode) && access(path, X_OK) == 0) {
			if (out != NULL)
				memcpy(out, path, (size_t)n + 1);
			return 0;
		}
		rc = -EACCES;
	} while (more);
	return rc;
}
