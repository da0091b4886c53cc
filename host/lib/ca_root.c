#include "ca_root.h"

#include "ca_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <unistd.h>

static int read_root(int directory, X509 **root)
{
	char *pem;
	size_t len;
	BIO *in;

	if (!ca_file_read(directory, CA_ROOT_NAME, &pem, &len))
		return errno == ENOENT ? CA_ERR_NO_CA : CA_ERR_FILE;
	in = len <= INT32_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
	*root = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
	BIO_free(in);
	free(pem);
	return *root ? CA_OK : CA_ERR_DAMAGED;
}

int ca_root_open(const char *path, int *directory, X509 **root)
{
	int error;

	*root = NULL;
	*directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*directory < 0)
		return errno == ENOENT || errno == ENOTDIR ? CA_ERR_NO_CA : CA_ERR_FILE;
	error = read_root(*directory, root);
	if (error) {
		int cause = errno;

		close(*directory);
		*directory = -1;
		errno = cause;
	}
	return error;
}
