/*
 * A new authority. It is made in a directory beside the one that was asked for, which it then gets
 * the name of: rename(2) takes an empty directory's place and no other's.
 */
#include "ca.h"

#include "ca_certificate.h"
#include "ca_crl.h"
#include "ca_file.h"
#include "ca_key.h"
#include "ca_root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* UTF-8 of 1 to CA_NAME_MAX characters without control characters. OpenSSL counts again, and
 * refuses what is no UTF-8. */
static bool name_valid(const char *name)
{
	size_t count = 0;

	for (const char *p = name; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7F)
			return false;
		count += (*p & 0xC0) != 0x80;
	}
	return count > 0 && count <= CA_NAME_MAX &&
	       ASN1_mbstring_copy(NULL, (const unsigned char *)name, -1, MBSTRING_UTF8,
				  B_ASN1_UTF8STRING) > 0;
}

static int write_bio(int directory, const char *name, mode_t mode, BIO *bio)
{
	char *bytes;
	long len = BIO_get_mem_data(bio, &bytes);

	return ca_file_write(directory, name, mode, bytes, (size_t)len) ? CA_OK : CA_ERR_FILE;
}

static int write_root(int directory, X509 *root)
{
	BIO *pem = BIO_new(BIO_s_mem());
	int result = pem && PEM_write_bio_X509(pem, root) == 1
			     ? write_bio(directory, CA_ROOT_NAME, 0644, pem)
			     : CA_ERR_LIBRARY;

	BIO_free(pem);
	return result;
}

static int write_key(int directory, const EVP_PKEY *key, struct bytes passphrase)
{
	BIO *pem = BIO_new(BIO_s_mem());
	int result = pem && ca_key_seal(key, passphrase, pem)
			     ? write_bio(directory, CA_KEY_NAME, 0600, pem)
			     : CA_ERR_LIBRARY;

	BIO_free(pem);
	return result;
}

/* The index, and the first list, which has nothing in it. */
static int write_index(int directory, X509 *root, EVP_PKEY *key)
{
	const struct ca_revocations none = {NULL, 0};
	struct ca_index index;
	int error;

	if (!ca_file_write(directory, CA_INDEX_NAME, 0600, CA_INDEX_HEAD,
			   sizeof(CA_INDEX_HEAD) - 1))
		return CA_ERR_FILE;
	error = ca_index_open(directory, true, &index);
	if (error)
		return error;
	error = ca_index_lock(&index, true);
	if (error == CA_OK)
		error = ca_crl_publish(directory, root, key, &index, none, 0);
	ca_index_close(&index);
	return error;
}

static int fill(int directory, const struct ca_settings *settings, struct bytes passphrase)
{
	const time_t now = time(NULL);
	const unsigned days = settings->days ? settings->days : CA_DAYS_ROOT;
	EVP_PKEY *key = ca_key_make();
	X509 *root = key ? ca_certificate_root(key, settings, now - CA_BACKDATE,
					       now + (time_t)days * CA_SECONDS_A_DAY)
			 : NULL;
	int result = root ? write_key(directory, key, passphrase) : CA_ERR_LIBRARY;

	if (result == CA_OK)
		result = write_root(directory, root);
	if (result == CA_OK)
		result = write_index(directory, root, key);
	X509_free(root);
	EVP_PKEY_free(key);
	return result;
}

/* Removes what fill() may have left. */
static void empty(int directory)
{
	static const char *const names[] = {CA_KEY_NAME, CA_ROOT_NAME, CA_INDEX_NAME, CA_CRL_DRAFT,
					    CA_CRL_NAME};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(directory, names[i], 0);
}

/* Makes a rename durable, where the parent can be read. */
static void flush_parent(int directory)
{
	int parent = openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (parent < 0)
		return;
	fsync(parent);
	close(parent);
}

/* Fills the draft and gives it its name. */
static int make(const char *draft, const char *path, const struct ca_settings *settings,
		struct bytes passphrase)
{
	int directory = open(draft, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result, error;

	if (directory < 0)
		return CA_ERR_FILE;
	result = fill(directory, settings, passphrase);
	if (result == CA_OK && fsync(directory))
		result = CA_ERR_FILE;
	if (result == CA_OK && rename(draft, path))
		result = errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR ? CA_ERR_EXISTS
										   : CA_ERR_FILE;
	error = errno;
	if (result == CA_OK)
		flush_parent(directory);
	else
		empty(directory);
	close(directory);
	errno = error;
	return result;
}

bool ca_create_taken(const char *path)
{
	DIR *directory = opendir(path);
	bool found = false;

	if (!directory)
		return errno != ENOENT;
	for (struct dirent *entry; !found && (entry = readdir(directory)) != NULL;)
		found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(directory);
	return found;
}

int ca_create(const char *path, const struct ca_settings *settings, struct bytes passphrase)
{
	size_t len = strlen(path);
	char *name, *draft;
	int result, error;

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (len == 0 || passphrase.len < CA_PASSPHRASE_MIN || passphrase.len > CA_PASSPHRASE_MAX ||
	    settings->days > CA_DAYS_MAX)
		return CA_ERR_ARGUMENT;
	if (asprintf(&name, "%.*s", (int)len, path) < 0)
		return CA_ERR_LIBRARY;
	if (asprintf(&draft, "%s.XXXXXX", name) < 0) {
		free(name);
		return CA_ERR_LIBRARY;
	}
	ERR_set_mark();
	if (!name_valid(settings->name) ||
	    (settings->organisation && !name_valid(settings->organisation)))
		result = CA_ERR_ARGUMENT;
	else if (!mkdtemp(draft))
		result = CA_ERR_FILE;
	else
		result = make(draft, name, settings, passphrase);
	error = errno;
	if (result)
		rmdir(draft);
	ERR_pop_to_mark();
	free(draft);
	free(name);
	errno = error;
	return result;
}
