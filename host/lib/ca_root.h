/*
 * The root certificate's file, and the names of an authority's files.
 */
#ifndef SIMTIE_HOST_CA_ROOT_H
#define SIMTIE_HOST_CA_ROOT_H

#include <openssl/x509.h>

#include "ca.h"

#define CA_ROOT_NAME "ca.crt"
#define CA_KEY_NAME  "ca.key"

/* Opens the directory and reads the root. CA_ERR_NO_CA, CA_ERR_FILE, CA_ERR_DAMAGED; *directory is
 * -1 then. */
int ca_root_open(const char *path, int *directory, X509 **root);

#endif
