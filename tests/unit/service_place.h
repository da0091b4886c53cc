/*
 * Keys and certificates for tests of what passes between services: a root, and P-256 keys whose
 * certificates it issued, as PEM files in a folder of the test's own.
 */
#ifndef SIMTIE_TESTS_SERVICE_PLACE_H
#define SIMTIE_TESTS_SERVICE_PLACE_H

#include "simtie-service.h"

/* Group set-up and teardown of cmocka: the folder, with a root in it. */
int service_place_make(void **state);
int service_place_remove(void **state);

/* The path of a file in it. Static until the next but three. */
const char *service_place_path(const char *name);

/* Makes NAME.pem and NAME.key, valid from `from` to `until` seconds from now. */
void service_place_issue(const char *name, long from, long until);

/* The same for 10 years, and read: with its private key, or the certificate alone. */
struct simtie_service_key *service_place_key(const char *name);
struct simtie_service_key *service_place_certificate(const char *name);

/* Writes a file. */
void service_place_write(const char *name, const void *bytes, size_t len);

#endif
