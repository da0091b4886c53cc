/*
 * simtied certs dev: all that operators and messengers on one machine need to trust each other.
 */
#include "certs.h"
#include "commands.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAMES_MAX    16
#define NAME_MAX_LEN 64

static const char help[] =
	"Usage: simtied certs dev DIR [OPTION...]\n\n"
	"Makes keys and certificates FOR DEVELOPMENT, in a new folder DIR: all private keys lie\n"
	"there in clear, the authorities' too. Refuses to overwrite anything.\n\n"
	"  --name HOST        servers answer to this name or address too (may be repeated);\n"
	"                     localhost, 127.0.0.1 and ::1 are always there\n"
	"  --operator NAME    an operator (may be repeated; mno.example)\n"
	"  --messenger NAME   a messenger, by its audience (may be repeated; chat.example)\n"
	"  --days N           how long all of them hold (365)\n\n"
	"DIR/ca.pem, ca.key             who signs all certificates for TLS: client_ca\n"
	"DIR/crl.pem                    its revocation list: client_crl\n"
	"DIR/admin.pem, .key            the operator's systems; scopes events, records\n"
	"DIR/monitor.pem, .key          scope metrics\n"
	"DIR/operators/NAME/tls.*       the daemon, as server and as client\n"
	"DIR/operators/NAME/root.*      what messengers trust of this operator\n"
	"DIR/operators/NAME/issuer.*, signer.*, sealing.*\n"
	"                               under it: credentials; notices and status lists; sealed\n"
	"                               numbers\n"
	"DIR/messengers/NAME/tls.*      the daemon, as server and as client; scope sim-swap\n";

/* What is asked for, and what is at hand while it is made. */
struct plan {
	const char *folder;
	const char *hosts[NAMES_MAX], *operators[NAMES_MAX], *messengers[NAMES_MAX];
	size_t host_count, operator_count, messenger_count;
	unsigned days;
	struct certs_pair ca;
};

/* Of names nothing that a path or an extension would take for more than a name. */
static bool is_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX_LEN || *name == '.')
		return false;
	for (; *name; name++) {
		if (!isalnum((unsigned char)*name) && !strchr("-._:", *name))
			return false;
	}
	return true;
}

static bool add_name(const char **names, size_t *count, const char *name)
{
	if (*count == NAMES_MAX || !is_name(name))
		return false;
	names[(*count)++] = name;
	return true;
}

static bool is_address(const char *host)
{
	return strchr(host, ':') || strspn(host, "0123456789.") == strlen(host);
}

/* The names that a server answers to, and its URIs behind them. False: too long. */
static bool server_alt(const struct plan *plan, const char *uris, char *alt, size_t size)
{
	int len = snprintf(alt, size, "DNS:localhost, IP:127.0.0.1, IP:::1");

	for (size_t i = 0; i < plan->host_count; i++) {
		if (len < 0 || (size_t)len >= size)
			return false;
		len += snprintf(alt + len, size - (size_t)len, ", %s:%s",
				is_address(plan->hosts[i]) ? "IP" : "DNS", plan->hosts[i]);
	}
	if (len < 0 || (size_t)len >= size)
		return false;
	len += snprintf(alt + len, size - (size_t)len, ", %s", uris);
	return len > 0 && (size_t)len < size;
}

static bool make_tls(const struct plan *plan, const char *folder, const char *file,
		     const char *name, const char *uris, bool serves)
{
	char alt[4096];
	struct certs_request request = {
		.name = name,
		.alt = uris,
		.usage = "critical, digitalSignature",
		.extended = serves ? "serverAuth, clientAuth" : "clientAuth",
		.days = plan->days,
	};
	struct certs_pair pair;
	bool written;

	if (serves) {
		if (!server_alt(plan, uris, alt, sizeof(alt)))
			return false;
		request.alt = alt;
	}
	if (!certs_make(&plan->ca, &request, &pair))
		return false;
	written = certs_write(folder, file, &pair);
	certs_clear(&pair);
	return written;
}

static bool make_authority(const char *folder, const char *file, const char *name, unsigned days,
			   struct certs_pair *pair)
{
	const struct certs_request request = {
		.name = name,
		.usage = "critical, keyCertSign, cRLSign",
		.authority = true,
		.days = days,
	};

	if (!certs_make(NULL, &request, pair))
		return false;
	if (certs_write(folder, file, pair))
		return true;
	certs_clear(pair);
	return false;
}

/* Keys of an operator that have nothing to do with TLS. */
static bool make_operator_keys(const struct plan *plan, const char *folder, const char *name)
{
	static const struct {
		const char *file, *usage;
		bool authority;
	} keys[] = {
		{"issuer", "critical, keyCertSign", true},
		{"signer", "critical, digitalSignature", false},
		{"sealing", "critical, keyAgreement", false},
	};
	char subject[NAME_MAX_LEN + 24];
	struct certs_pair root;
	bool good;

	snprintf(subject, sizeof(subject), "%s root", name);
	good = make_authority(folder, "root", subject, plan->days, &root);
	for (size_t i = 0; good && i < sizeof(keys) / sizeof(keys[0]); i++) {
		const struct certs_request request = {
			.name = subject,
			.usage = keys[i].usage,
			.authority = keys[i].authority,
			.days = plan->days,
		};
		struct certs_pair pair;

		snprintf(subject, sizeof(subject), "%s %s", name, keys[i].file);
		good = certs_make(&root, &request, &pair);
		if (good) {
			good = certs_write(folder, keys[i].file, &pair);
			certs_clear(&pair);
		}
	}
	certs_clear(&root);
	return good;
}

/* DIR/KIND/NAME, made if need be, with the daemon's pair in it. */
static bool make_daemon(const struct plan *plan, const char *kind, const char *name,
			const char *uris, char *folder, size_t size)
{
	snprintf(folder, size, "%s/%s", plan->folder, kind);
	if (mkdir(folder, 0700) && errno != EEXIST)
		return false;
	snprintf(folder, size, "%s/%s/%s", plan->folder, kind, name);
	return mkdir(folder, 0700) == 0 && make_tls(plan, folder, "tls", name, uris, true);
}

static bool make_all(struct plan *plan)
{
	char folder[4096], uris[256];
	bool good;

	if (mkdir(plan->folder, 0700))
		return false;
	good = make_authority(plan->folder, "ca", "simtie development CA", plan->days, &plan->ca) &&
	       certs_write_crl(plan->folder, "crl", &plan->ca, plan->days) &&
	       make_tls(plan, plan->folder, "admin", "admin",
			"URI:urn:x-simtie:admin:admin, URI:urn:x-simtie:scope:events, "
			"URI:urn:x-simtie:scope:records",
			false) &&
	       make_tls(plan, plan->folder, "monitor", "monitor",
			"URI:urn:x-simtie:monitor:monitor, URI:urn:x-simtie:scope:metrics", false);
	for (size_t i = 0; good && i < plan->operator_count; i++) {
		const char *name = plan->operators[i];

		snprintf(uris, sizeof(uris), "URI:urn:x-simtie:operator:%s", name);
		good = make_daemon(plan, "operators", name, uris, folder, sizeof(folder)) &&
		       make_operator_keys(plan, folder, name);
	}
	for (size_t i = 0; good && i < plan->messenger_count; i++) {
		const char *name = plan->messengers[i];

		snprintf(uris, sizeof(uris),
			 "URI:urn:x-simtie:messenger:%s, URI:urn:x-simtie:scope:sim-swap", name);
		good = make_daemon(plan, "messengers", name, uris, folder, sizeof(folder));
	}
	return good;
}

/* 0, or the exit code. */
static int parse(int argc, char **argv, struct plan *plan)
{
	static const struct option options[] = {
		{"name", required_argument, NULL, 'n'},
		{"operator", required_argument, NULL, 'o'},
		{"messenger", required_argument, NULL, 'm'},
		{"days", required_argument, NULL, 'd'},
		{NULL, 0, NULL, 0},
	};
	int letter;
	bool good = true;

	opterr = 0;
	while (good && (letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (letter) {
		case 'n':
			good = add_name(plan->hosts, &plan->host_count, optarg);
			break;
		case 'o':
			good = add_name(plan->operators, &plan->operator_count, optarg);
			break;
		case 'm':
			good = add_name(plan->messengers, &plan->messenger_count, optarg);
			break;
		case 'd':
			plan->days = (unsigned)strtoul(optarg, NULL, 10);
			good = isdigit((unsigned char)*optarg) && plan->days >= 1 &&
			       plan->days <= 3650;
			break;
		default:
			good = false;
		}
	}
	if (!good)
		return command_wrong("certs", "an option is not known, or its value is none");
	if (optind + 2 != argc || strcmp(argv[optind], "dev") != 0)
		return command_wrong("certs", "dev and one DIR are what it takes");
	plan->folder = argv[optind + 1];
	if (strlen(plan->folder) > 3000)
		return command_wrong("certs", "DIR is too long");
	if (plan->operator_count == 0)
		plan->operators[plan->operator_count++] = "mno.example";
	if (plan->messenger_count == 0)
		plan->messengers[plan->messenger_count++] = "chat.example";
	return 0;
}

int certs_main(int argc, char **argv)
{
	struct plan plan = {.days = 365};
	int code;

	if (command_help(argc, argv, help))
		return command_end(COMMAND_DONE);
	code = parse(argc, argv, &plan);
	if (code)
		return code;
	errno = 0;
	if (!make_all(&plan)) {
		fprintf(stderr, "simtied certs: %s: %s\n", plan.folder,
			errno ? strerror(errno) : "OpenSSL failed");
		certs_clear(&plan.ca);
		return COMMAND_IO;
	}
	certs_clear(&plan.ca);
	printf("%s: for development only: whoever reads it can be anybody\n", plan.folder);
	return command_end(COMMAND_DONE);
}
