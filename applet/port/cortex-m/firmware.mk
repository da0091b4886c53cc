# The card's core on a Cortex-M. README.md beside this says what BOARD and the others can be.

BOARD        ?= mps2-an385
BUILD        ?= small
HARDWARE     ?=
LOCK_DEBUG   ?=
MBEDTLS      ?= build/mbedtls
ISSUER       ?= applet/port/cortex-m/issuer.c

CORTEX_M := applet/port/cortex-m
FW_CROSS ?= arm-none-eabi-
FW_CC    := $(FW_CROSS)gcc
FW       := build/firmware/$(BOARD)-$(BUILD)$(if $(HARDWARE),-hardware)$(if $(LOCK_DEBUG),-locked)

FW_FOLDER_mps2-an385 := mps2
FW_FOLDER_mps2-an386 := mps2
FW_FOLDER_microbit   := microbit
FW_CPU_mps2-an385    := -mcpu=cortex-m3
FW_CPU_mps2-an386    := -mcpu=cortex-m4
FW_CPU_microbit      := -mcpu=cortex-m0
FW_CRYPTO_small      := -Os
FW_CRYPTO_fast       := -DCRYPTO_FAST
FW_STACK             := 4608

FW_FOLDER := $(FW_FOLDER_$(BOARD))
FW_HOST   := $(if $(HARDWARE),host_none,host_semihosting)

FW_SRC := $(wildcard applet/core/*.c applet/crypto/*.c $(CORTEX_M)/$(FW_FOLDER)/*.c) $(ISSUER) \
	  $(addprefix $(CORTEX_M)/,$(FW_HOST).c main.c startup.c memory.c pool.c blinding.c)
FW_OBJ := $(patsubst %.c,$(FW)/obj/%.o,$(FW_SRC))

# Those of the library's files that mbedtls_options.h needs; some are in 2.28 or in 3.6 alone.
FW_TLS := aes asn1parse asn1write bignum bignum_core bignum_mod bignum_mod_raw block_cipher cipher \
	  cipher_wrap cmac constant_time ecdh ecdsa ecp ecp_curves ecp_curves_new hmac_drbg md platform \
	  platform_util psa_crypto psa_crypto_aead psa_crypto_cipher psa_crypto_client \
	  psa_crypto_driver_wrappers psa_crypto_driver_wrappers_no_static psa_crypto_ecp \
	  psa_crypto_hash psa_crypto_mac psa_crypto_slot_management psa_util sha256
FW_TLS_OBJ = $(patsubst $(MBEDTLS)/library/%.c,$(FW)/mbedtls/%.o,$(wildcard \
	     $(addsuffix .c,$(addprefix $(MBEDTLS)/library/,$(FW_TLS)))))

FW_MACHINE = -mthumb $(FW_CPU_$(BOARD)) -Os -ffunction-sections -fdata-sections \
	     -fno-common -g
FW_CFLAGS  = -std=c11 $(WARNINGS) $(FW_MACHINE) $(filter -D%,$(FW_CRYPTO_$(BUILD))) $(if $(LOCK_DEBUG),-DLOCK_DEBUG) \
	     -DMBEDTLS_CONFIG_FILE='"mbedtls_options.h"' -Iapdu-specs/gen -Iapplet/core -Iapplet \
	     -I$(CORTEX_M) -isystem $(MBEDTLS)/include
FW_LDFLAGS = $(FW_MACHINE) -nostartfiles --specs=nano.specs -Wl,--gc-sections -Wl,--fatal-warnings \
	     -Wl,--defsym=STACK_SIZE=$(FW_STACK) -T $(CORTEX_M)/$(FW_FOLDER)/board.ld \
	     -Wl,-Map=$(FW)/firmware.map

$(FW)/obj/applet/core/%.o $(FW)/obj/applet/crypto/%.o: FW_CFLAGS += -Wconversion
# What the fast build is about. More at -O2 gains nothing, and all of it would be over 64 KiB on an M0.
FW_ARITHMETIC := $(addprefix build/firmware/$(BOARD)-fast/mbedtls/,bignum.o bignum_core.o ecp_curves.o)
$(FW_ARITHMETIC): FW_MACHINE += -O2

# What cannot be. Make says it, and stops.
define fw_refuse
$(if $(FW_FOLDER),,$(error no such BOARD: $(BOARD); there are mps2-an385, mps2-an386 and microbit))
$(if $(FW_CRYPTO_$(BUILD)),,$(error no such BUILD: $(BUILD); there are small and fast))
$(if $(LOCK_DEBUG),$(if $(HARDWARE),,$(error LOCK_DEBUG goes with HARDWARE=1: an emulated board can \
always be debugged, and says so in each attestation)))
$(if $(HARDWARE),$(if $(filter mps2,$(FW_FOLDER)),$(error $(BOARD) has neither flash nor a random \
source; HARDWARE=1 is for microbit)))
$(if $(LOCK_DEBUG),$(if $(filter $(CORTEX_M)/issuer.c,$(ISSUER)),$(error LOCK_DEBUG wants ISSUER=FILE.c: \
a locked card with keys that everybody knows is good for nothing)))
endef

.PHONY: firmware firmware-image run-firmware firmware-size check-firmware check-firmware-power
firmware: ## build the card for a board: make firmware BOARD=mps2-an385|mps2-an386|microbit [BUILD=fast]
	@: $(fw_refuse)
	@.ci/install firmware
	@$(CORTEX_M)/fetch-mbedtls $(MBEDTLS)
	@$(MAKE) --no-print-directory firmware-image

# A second make, which sees the source that the first has fetched.
firmware-image: $(FW)/firmware.elf $(if $(HARDWARE),$(FW)/firmware.hex)

run-firmware: firmware ## boot it under QEMU as a card in the reader at port 35963: make run-firmware BOARD=...
	@$(CORTEX_M)/simtie-board --board $(BOARD) --build $(BUILD)

firmware-size: firmware ## code, constants and RAM of the firmware by object, from the linker's map
	@$(CORTEX_M)/size-by-object $(FW)/firmware.map

check-firmware: all ## every example on every board and build (minutes)
	@FIRMWARE_WHOLE=1 tests/e2e/test_firmware.py

check-firmware-power: all ## cut the power of the emulated card 200 times (minutes)
	@POWER_CUTS=200 tests/e2e/test_firmware_power.py

# Whatever else decides how it is compiled.
FW_MEANS := $(CORTEX_M)/firmware.mk $(CORTEX_M)/mbedtls_options.h $(CORTEX_M)/pool.h

$(FW)/obj/%.o: %.c $(FW_MEANS)
	@mkdir -p $(@D)
	$(call say,FWCC,$<) $(FW_CC) $(FW_CFLAGS) -MMD -MP -c $< -o $@

$(FW)/mbedtls/%.o: $(MBEDTLS)/library/%.c $(FW_MEANS)
	@mkdir -p $(@D)
	$(call say,FWCC,$<) $(FW_CC) -std=c99 -w $(FW_MACHINE) $(FW_CRYPTO_$(BUILD)) \
		-DMBEDTLS_CONFIG_FILE='"mbedtls_options.h"' \
		-I$(CORTEX_M) -I$(MBEDTLS)/include -I$(MBEDTLS)/library -c $< -o $@

$(FW)/firmware.elf: $(FW_OBJ) $(FW_TLS_OBJ) $(CORTEX_M)/sections.ld $(CORTEX_M)/$(FW_FOLDER)/board.ld
	$(call say,LINK,$@) $(FW_CC) $(FW_LDFLAGS) -o $@ $(FW_OBJ) $(FW_TLS_OBJ)

$(FW)/firmware.hex: $(FW)/firmware.elf
	@$(FW_CROSS)objcopy -O ihex $< $@

-include $(shell find $(FW)/obj -name '*.d' 2>/dev/null)
