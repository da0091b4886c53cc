/*
 * Runs every vector file of a folder that the library has a use for, and says in TAP how many cases
 * each gave:
 *
 *	check_vectors DIR
 *
 * A file that is known and there must parse and yield cases; a folder that holds none of them
 *fails. Exit code 0 only when nothing failed.
 */
#include "check_vectors.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const struct {
	const char *file;
	void (*check)(const char *file, const json_t *root);
} known[] = {
	{"attestation.json", check_attestation},
	{"scp03.json", check_scp03},
	{"wycheproof/aes_cmac_test.json", check_cmac},
	{"wycheproof/ecdsa_secp256r1_sha256_p1363_test.json", check_ecdsa},
	{"wycheproof/hkdf_sha256_test.json", check_hkdf},
};

/* The TAP lines printed so far. */
static struct {
	unsigned lines;
	unsigned failed;
} total;

static void line_print(bool ok, const char *file, const char *text)
{
	total.lines++;
	total.failed += !ok;
	printf("%sok %u - %s: %s\n", ok ? "" : "not ", total.lines, file, text);
}

void tally_case(struct tally *tally, bool ok, const char *name)
{
	tally->cases++;
	tally->failed += !ok;
	if (!ok)
		printf("# %s, %s: case %s failed\n", tally->file, tally->what, name);
}

void tally_print(const struct tally *tally)
{
	char text[128];

	snprintf(text, sizeof(text), "%s, %u cases, %u failed", tally->what, tally->cases,
		 tally->failed);
	line_print(tally->cases > 0 && tally->failed == 0, tally->file, text);
}

const struct simtie_crypto *adapter(int i)
{
	return i ? simtie_crypto_mbedtls() : simtie_crypto_openssl();
}

const char *json_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

bool json_hex(const json_t *object, const char *name, uint8_t *out, size_t size, size_t *len)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (!text || strlen(text) % 2 || strlen(text) / 2 > size)
		return false;
	for (*len = 0; *text; text += 2) {
		char pair[3] = {text[0], text[1], '\0'};
		char *end;

		out[(*len)++] = (uint8_t)strtoul(pair, &end, 16);
		if (end != pair + 2)
			return false;
	}
	return true;
}

bool json_hex_fixed(const json_t *object, const char *name, uint8_t *out, size_t size)
{
	size_t len;

	return json_hex(object, name, out, size, &len) && len == size;
}

/* Whether the folder had the file. */
static bool file_check(const char *directory, size_t index)
{
	char path[4096];
	json_error_t error;
	json_t *root;
	struct stat info;

	snprintf(path, sizeof(path), "%s/%s", directory, known[index].file);
	if (stat(path, &info) != 0) {
		printf("# %s: not there\n", known[index].file);
		return false;
	}
	root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (root)
		known[index].check(known[index].file, root);
	else
		line_print(false, known[index].file, error.text);
	json_decref(root);
	return true;
}

static bool is_known(const char *file)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].file, file) == 0)
			return true;
	return false;
}

/* Names the JSON files that no suite has a use for, so that nobody takes them for checked. */
static void unused_print(const char *directory, const char *prefix)
{
	char path[4096], file[512];
	DIR *stream;

	snprintf(path, sizeof(path), "%s/%s", directory, prefix);
	stream = opendir(path);
	if (!stream)
		return;
	for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
		const char *suffix = strrchr(entry->d_name, '.');

		snprintf(file, sizeof(file), "%s%s", prefix, entry->d_name);
		if (suffix && strcmp(suffix, ".json") == 0 && !is_known(file))
			printf("# %s: not used\n", file);
	}
	closedir(stream);
}

int main(int argc, char **argv)
{
	unsigned found = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: check_vectors DIR\n");
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		found += file_check(argv[1], i);
	unused_print(argv[1], "");
	unused_print(argv[1], "wycheproof/");
	if (!found)
		line_print(false, argv[1], "no vector file that this program knows");
	printf("1..%u\n", total.lines);
	return total.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
