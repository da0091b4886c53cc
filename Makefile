# simtie: `make help` lists what can be made.

PREFIX  ?= /usr/local
DESTDIR ?=
B       ?= build

VERSION   := 1.0.0
SOVERSION := 1

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	    -Wpointer-arith -Wvla -Werror
# _FORTIFY_SOURCE goes with -O: other CFLAGS say whether they want it.
CFLAGS   ?= -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
CFLAGS_ALL = -std=c11 $(WARNINGS) -fPIC -fvisibility=hidden -fstack-protector-strong $(CFLAGS)
CPPFLAGS_ALL = -Iapdu-specs/gen $(CPPFLAGS)
LDLIBS_CARD := -lmbedcrypto -lnfc -lpthread
LDLIBS_LIB  := -lpcsclite -lnfc -lmbedcrypto -lcrypto -lcbor -ljansson -lz -lpthread
LDLIBS_SERVICE := -levent_openssl -levent_pthreads -levent_extra -levent_core -lssl -lsqlite3 -lpq -lconfig
PCSC_CFLAGS  = $(shell pkg-config --cflags libpcsclite 2>/dev/null)
PQ_CFLAGS    = $(shell pkg-config --cflags libpq 2>/dev/null)

ifdef SANITIZE
B := build/sanitize
CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
endif

# A line a file; `make V=1` shows the commands, `make -s` nothing.
ifeq ($(V)$(findstring s,$(firstword -$(MAKEFLAGS))),)
say = @printf '  %-5s %s\n' $(1) $(2);
endif
link = $(call say,LINK,$@) $(CC) $(CFLAGS_ALL) -Wl,-z,relro,-z,now $(LDFLAGS) -o $@

comma := ,

# Sources, by room.
CARD_SRC  := $(wildcard applet/core/*.c applet/crypto/*.c applet/port/posix/*.c) \
	     applet/port/nfc/claim.c applet/port/nfc/lock.c
VPCD_SRC  := $(wildcard applet/port/vpcd/*.c applet/port/nfc/picc*.c)
LIB_SRC   := $(wildcard host/lib/*.c)
TOOL_SRC  := $(wildcard host/tool/*.c)
SERVE_SRC := $(wildcard host/registry/*.c host/service/*.c)
HELP_SRC  := $(filter-out tests/unit/test_%.c,$(wildcard tests/unit/*.c))
TESTS     := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
FUZZERS   := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
BENCHES   := $(patsubst tests/bench/%.c,%,$(wildcard tests/bench/bench_*.c))

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
CARD_OBJ := $(call obj,$(CARD_SRC))
LIB_OBJ  := $(call obj,$(LIB_SRC))
TOOL_OBJ := $(call obj,$(TOOL_SRC))
MIGRATIONS := $(wildcard host/registry/migrations/*/*.sql)
SERVE_OBJ := $(call obj,$(filter-out host/service/main.c,$(SERVE_SRC))) \
	     $(if $(MIGRATIONS),$(B)/obj/gen/migrations.o)
# Tests of the services link these; other tests do without.
SERVE_LIB := $(if $(SERVE_OBJ),$(B)/libservice.a)

# What a room may see. The card's core sees itself and the contract.
$(B)/obj/applet/%.o: CPPFLAGS_ALL += -Iapplet/core -Iapplet
$(B)/obj/applet/core/%.o $(B)/obj/applet/crypto/%.o: CFLAGS_ALL += -Wconversion
$(B)/obj/applet/port/%.o: CPPFLAGS_ALL += -D_GNU_SOURCE
$(B)/obj/host/%.o: CPPFLAGS_ALL += -D_GNU_SOURCE -Iapplet/core -Iapplet -Ihost/lib $(PCSC_CFLAGS) \
				   -DSIMTIE_VERSION='"$(VERSION)"'
$(B)/obj/tests/%.o: CPPFLAGS_ALL += -D_GNU_SOURCE -Iapplet/core -Iapplet -Ihost/lib -Ihost/tool \
				    -Ihost/registry -Ihost/service -Itests/unit $(PCSC_CFLAGS)
$(B)/obj/host/registry/%.o $(B)/obj/host/service/%.o: CPPFLAGS_ALL += -Ihost/registry -Ihost/service \
				    $(PQ_CFLAGS)

.PHONY: all
all: $(B)/simtie $(B)/simtie-card $(B)/libsimtie.so ## build tool, services, library and virtual SIM
all: $(if $(wildcard host/service/main.c),$(B)/simtied)

.SECONDARY: # keep the objects of the tests
$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(B)/libapplet.a: $(CARD_OBJ)
$(B)/libsimtie.a: $(LIB_OBJ) $(CARD_OBJ)
$(B)/%.a:
	@rm -f $@
	$(call say,AR,$@) $(AR) rcs $@ $^

$(B)/libsimtie.so: $(LIB_OBJ) $(CARD_OBJ) host/lib/libsimtie.map
	$(link) -shared -Wl,-soname,libsimtie.so.$(SOVERSION) -Wl,-z,defs \
		-Wl,--version-script=host/lib/libsimtie.map $(LIB_OBJ) $(CARD_OBJ) $(LDLIBS_LIB)

$(B)/libservice.a: $(SERVE_OBJ)

$(B)/gen/migrations.c: host/registry/embed_migrations.py $(MIGRATIONS)
	@mkdir -p $(@D)
	$(call say,GEN,$@) python3 $< host/registry/migrations > $@.new && mv $@.new $@

$(B)/obj/gen/migrations.o: $(B)/gen/migrations.c
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -Iapplet/core -Ihost/registry -MMD -MP -c $< -o $@

$(B)/simtied: $(call obj,host/service/main.c) $(SERVE_LIB) $(B)/libsimtie.a
	$(link) $^ $(LDLIBS_SERVICE) $(LDLIBS_LIB)

$(B)/simtie: $(TOOL_OBJ) $(B)/libsimtie.a
	$(link) $^ -lssl $(LDLIBS_LIB)

$(B)/simtie-card: $(call obj,$(VPCD_SRC)) $(B)/libapplet.a
	$(link) $^ $(LDLIBS_CARD)

# ---- The contract ----

.PHONY: spec spec-check
spec: ## write apdu-specs/gen anew from the contract
	python3 apdu-specs/generate.py

spec-check: ## fail if apdu-specs/gen is not what the contract says
	python3 apdu-specs/generate.py --check

# ---- Tests ----

TEST_BINS  := $(addprefix $(B)/tests/,$(TESTS))
FUZZ_BINS  := $(addprefix $(B)/fuzz/,$(FUZZERS))
BENCH_BINS := $(addprefix $(B)/bench/,$(BENCHES))

# test_selftest breaks the crypto under the core, one primitive at a time.
WRAP_test_selftest := $(addprefix -Wl$(comma)--wrap=,crypto_init crypto_sha256 crypto_hmac \
			crypto_p256_public crypto_p256_sign crypto_cmac crypto_cbc_encrypt crypto_cbc_decrypt)

# test_vault locks memory by itself, since AddressSanitizer would not, and fails to.
WRAP_test_vault := -Wl,--wrap=mlock

# These set the wall clock.
WRAP_test_outbox := -Wl,--wrap=clock_wall_ms

# These move the clocks.
WRAP_test_operator_backlog := -Wl,--wrap=clock_gettime
WRAP_test_operator_rounds := -Wl,--wrap=clock_gettime
WRAP_test_operator_model := -Wl,--wrap=clock_gettime
WRAP_test_operator_status := -Wl,--wrap=clock_gettime
WRAP_test_operator_retention := -Wl,--wrap=clock_gettime
WRAP_test_operator_ended := -Wl,--wrap=clock_gettime
# test_operator_cost compares what two refusals call.
WRAP_test_operator_cost := $(addprefix -Wl$(comma)--wrap=,db_query db_run EC_POINT_mul EVP_KDF_derive \
			EVP_CipherUpdate EVP_DecryptUpdate EVP_EncryptUpdate EVP_Digest EVP_MAC_final)

# test_secure_cost counts the card's calls of AES, and fails them.
WRAP_test_secure_cost := $(addprefix -Wl$(comma)--wrap=,crypto_cmac crypto_cbc_encrypt crypto_cbc_decrypt)

$(B)/tests/%: $(B)/obj/tests/unit/%.o $(call obj,$(HELP_SRC)) $(SERVE_LIB) $(B)/libsimtie.a
	@mkdir -p $(@D)
	$(link) $^ $(WRAP_$*) -lcmocka $(LDLIBS_SERVICE) $(LDLIBS_LIB)

# The simulated modem as a program, for the end-to-end tests.
$(B)/simtie-modem: $(call obj,tests/modem/simtie_modem.c $(wildcard tests/unit/modem_*.c)) $(B)/libapplet.a
	$(link) $^ $(LDLIBS_CARD) -lpthread

$(B)/bench/%: $(B)/obj/tests/bench/%.o $(SERVE_LIB) $(B)/libsimtie.a
	@mkdir -p $(@D)
	$(link) $^ $(LDLIBS_SERVICE) $(LDLIBS_LIB)

$(B)/obj/tests/load/%.o: CPPFLAGS_ALL += -Itests/load
$(B)/simtie-load: $(call obj,$(wildcard tests/load/*.c)) $(B)/libsimtie.a
	$(link) $^ -lssl $(LDLIBS_LIB)

$(B)/check_vectors: $(call obj,$(wildcard tests/vectors/*.c)) $(B)/libsimtie.a
	$(link) $^ $(LDLIBS_LIB)

.PHONY: unit-tests benches
unit-tests: $(TEST_BINS) $(B)/simtie-modem
benches: $(BENCH_BINS) $(B)/simtie-load ## build the benchmarks into build/bench

.PHONY: deps
deps: ## install what building, the demo and the tests need (Debian; sudo when not root)
	@.ci/install build run test firmware

.PHONY: check check-trixie check-vectors
check: ## install what the tests need, build everything, run every test
	@.ci/install build run test firmware
	@tests/run

check-trixie: ## the same on a bare Debian 13 in build/trixie (root; needs debootstrap)
	@tests/bare-debian trixie check

.PHONY: mutants
mutants: ## break the code on purpose, rule by rule, and see the tests fail (minutes)
	@tests/lib/private-postgres -- tests/mutants/run

VECTORS ?= tests/vectors
check-vectors: $(B)/check_vectors ## run public test vectors: make check-vectors VECTORS=DIR
	@$(B)/check_vectors $(VECTORS)

# Fuzzers are libFuzzer programs: clang, everything instrumented.
FUZZ_FLAGS := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
.PHONY: fuzzers fuzz
fuzzers:
	@$(MAKE) --no-print-directory B=build/fuzzing CC=clang CFLAGS='$(FUZZ_FLAGS)' fuzz-bins

.PHONY: fuzz-bins
fuzz-bins: $(FUZZ_BINS)
$(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(call obj,$(HELP_SRC)) $(SERVE_LIB) $(B)/libsimtie.a
	@mkdir -p $(@D)
	$(link) -fsanitize=fuzzer $^ -lcmocka $(LDLIBS_SERVICE) $(LDLIBS_LIB)

FUZZ_SECONDS ?= 60
fuzz: fuzzers ## fuzz each target for FUZZ_SECONDS (60) from its corpus
	for f in $(FUZZERS); do \
		mkdir -p build/fuzzing/corpus/$$f && \
		build/fuzzing/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -max_len=4096 \
			build/fuzzing/corpus/$$f tests/fuzz/corpus/$${f#fuzz_} || exit 1; \
	done

# ---- A first look ----

.PHONY: demo
demo: ## install what is missing, build, and show SIMs, operators and a messenger at work
	@.ci/install build run
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@B=$(B) host/demo/demo

include applet/port/cortex-m/firmware.mk

# ---- Installing ----

TO = $(DESTDIR)$(PREFIX)
HEADERS := host/lib/simtie.h host/lib/simtie-token.h host/lib/simtie-service.h \
	   apdu-specs/gen/simtie-contract.h
MAN1    := $(wildcard host/tool/man/*.1 applet/port/vpcd/man/*.1)
MAN3    := $(wildcard host/lib/man/*.3)
MAN8    := $(wildcard host/service/man/*.8)
UNITS   := $(wildcard host/service/systemd/*.service)
CONFIGS := $(wildcard host/service/examples/*.conf)

.PHONY: install uninstall
install: all ## install tools, services, library, header: make install DESTDIR= PREFIX=
	install -d $(addprefix $(TO)/,bin sbin lib/pkgconfig lib/systemd/system include \
		share/man/man1 share/man/man3 share/man/man8 share/doc/simtie/examples \
		share/bash-completion/completions)
	install -m 755 $(B)/simtie $(B)/simtie-card $(TO)/bin
	install -m 755 $(B)/simtied $(TO)/sbin
	install -m 755 $(B)/libsimtie.so $(TO)/lib/libsimtie.so.$(VERSION)
	ln -sf libsimtie.so.$(VERSION) $(TO)/lib/libsimtie.so.$(SOVERSION)
	ln -sf libsimtie.so.$(SOVERSION) $(TO)/lib/libsimtie.so
	install -m 644 $(HEADERS) $(TO)/include
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' host/lib/simtie.pc.in \
		> $(TO)/lib/pkgconfig/simtie.pc
	chmod 644 $(TO)/lib/pkgconfig/simtie.pc
	install -m 644 $(MAN1) $(TO)/share/man/man1
	install -m 644 $(MAN3) $(TO)/share/man/man3
	install -m 644 $(MAN8) $(TO)/share/man/man8
	install -m 644 $(CONFIGS) $(TO)/share/doc/simtie/examples
	for unit in $(UNITS); do \
		sed -e 's|/usr/sbin/|$(PREFIX)/sbin/|' $$unit > $(TO)/lib/systemd/system/$${unit##*/} && \
		chmod 644 $(TO)/lib/systemd/system/$${unit##*/} || exit 1; \
	done
	install -m 644 host/tool/completion/simtie $(TO)/share/bash-completion/completions
	@# Where the system itself looks for libraries, it must be told of a new one.
	case '$(TO)' in /usr | /usr/local) PATH="$$PATH:/sbin" ldconfig ;; esac

uninstall: ## remove what install put there
	rm -f $(addprefix $(TO)/bin/,simtie simtie-card) $(TO)/sbin/simtied \
		$(addprefix $(TO)/lib/libsimtie.so,.$(VERSION) .$(SOVERSION)) \
		$(addprefix $(TO)/lib/,libsimtie.so pkgconfig/simtie.pc) \
		$(addprefix $(TO)/include/,$(notdir $(HEADERS))) \
		$(addprefix $(TO)/share/man/man1/,$(notdir $(MAN1))) \
		$(addprefix $(TO)/share/man/man3/,$(notdir $(MAN3))) \
		$(addprefix $(TO)/share/man/man8/,$(notdir $(MAN8))) \
		$(addprefix $(TO)/share/doc/simtie/examples/,$(notdir $(CONFIGS))) \
		$(addprefix $(TO)/lib/systemd/system/,$(notdir $(UNITS))) \
		$(TO)/share/bash-completion/completions/simtie

# ---- Housekeeping ----

FORMATTED = $(shell git ls-files '*.c' '*.h' | grep -v '^apdu-specs/gen/')
.PHONY: format lint size clean help
format: ## bring the C sources into form (clang-format 14)
	clang-format-14 -i $(FORMATTED)

lint: ## check the sources' form, and compile them with clang as well
	clang-format-14 --dry-run --Werror $(FORMATTED)
	@$(MAKE) --no-print-directory B=build/clang CC=clang all

SIZE_CC ?= arm-none-eabi-gcc
size: ## code and RAM of the card's core on a Cortex-M3, in bytes (needs gcc-arm-none-eabi)
	@tests/size $(SIZE_CC)

clean: ## remove everything that was built
	rm -rf build

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-20s %s\n", $$1, $$2}' Makefile $(CORTEX_M)/firmware.mk

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
