#include "posix_error.h"

#include <stdio.h>

#define PATH_SHOWN 200 /* leaves room for the longest sentence of this folder */

enum posix_result posix_error_set(struct posix_error *error, enum posix_result result,
				  int error_number, const char *path, const char *what)
{
	size_t len = path ? strlen(path) : 0;
	const char *cut = len > PATH_SHOWN ? "..." : "";
	char reason[64] = "";

	error->result = result;
	error->error_number = error_number;
	if (error_number)
		snprintf(reason, sizeof(reason), " (%s)", strerrordesc_np(error_number));
	snprintf(error->text, sizeof(error->text), "%s%s%s%s%s", cut,
		 path ? path + (len > PATH_SHOWN ? len - PATH_SHOWN : 0) : "", path ? ": " : "",
		 what, reason);
	return result;
}
