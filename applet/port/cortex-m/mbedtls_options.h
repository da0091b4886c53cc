/*
 * mbedTLS (2.28 or 3.6) for a card: what crypto.h asks for, and nothing else. Not called as a
 * header of the library's is: the library would find its own first.
 *
 * Two sizes of the same: CRYPTO_FAST spends memory on tables and windows, else it is code that
 * counts. No files, no clock, no entropy of its own (random.c gives it), no heap but pool.c's.
 */
#ifndef SIMTIE_MBEDTLS_OPTIONS_H
#define SIMTIE_MBEDTLS_OPTIONS_H

#define MBEDTLS_HAVE_ASM

#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG
#define MBEDTLS_PSA_KEY_SLOT_COUNT 2 /* the seam has one key at a time */

#define MBEDTLS_SHA256_C
#define MBEDTLS_MD_C
#define MBEDTLS_AES_C
#define MBEDTLS_AES_ROM_TABLES
#define MBEDTLS_AES_FEWER_TABLES
#define MBEDTLS_CIPHER_C
#define MBEDTLS_CIPHER_MODE_CBC
#define MBEDTLS_CMAC_C

#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECP_NO_INTERNAL_RNG
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECDSA_DETERMINISTIC
#define MBEDTLS_HMAC_DRBG_C
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_MPI_MAX_SIZE 64 /* a product of two numbers of P-256 */

#ifdef CRYPTO_FAST
#define MBEDTLS_ECP_WINDOW_SIZE       4
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 0
#else
#define MBEDTLS_SHA256_SMALLER
#define MBEDTLS_ECP_WINDOW_SIZE       2
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 0
#endif

#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_CALLOC_MACRO pool_take
#define MBEDTLS_PLATFORM_FREE_MACRO   pool_give
#define MBEDTLS_PLATFORM_NO_STD_FUNCTIONS
#define MBEDTLS_NO_PLATFORM_ENTROPY

#include "pool.h"

#ifndef MBEDTLS_VERSION_NUMBER /* 3.6 says its version first, and checks by itself */
#include <mbedtls/check_config.h>
#endif

#endif
