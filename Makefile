# natkit: one Makefile for everything. `make help` lists the targets.
# BUILD names the object folder; CFLAGS and LDFLAGS are the user's own; V=1
# shows the commands.

BUILD ?= build
PREFIX ?= /usr/local
CC ?= cc
CFLAGS ?= -O2 -g
FUZZ_SECONDS ?= 20
FUZZ_CC ?= clang

V ?= 0
Q = $(if $(filter 0,$(V)),@printf '  %s\n' '$@' && )

PACKAGES := libevent libsodium libpcap libseccomp nettle gnutls \
	libngtcp2 libngtcp2_crypto_gnutls
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

WARN := -Wall -Wextra -Wformat=2 -Wvla -Wwrite-strings -Wshadow \
	-Wstrict-prototypes -Wmissing-prototypes $(WERROR)
HARDEN ?= -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
HARDEN_LD ?= -pie -Wl,-z,relro,-z,now
INCLUDES := -Ilib -Istun -Irendezvous -Ipunch -Irelay -Itunnel -Ilab
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -MMD -MP $(WARN) $(HARDEN) \
	$(INCLUDES) $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(HARDEN_LD) $(LDFLAGS)

# A folder is a family: nat-NAME.c is a program, every other .c a noun of it.
FAMILIES := stun rendezvous punch relay tunnel lab
PROGRAM_SRC := $(foreach f,$(FAMILIES),$(wildcard $(f)/nat-*.c))
NOUN_SRC := $(filter-out $(PROGRAM_SRC),\
	$(foreach f,lib $(FAMILIES),$(wildcard $(f)/*.c)))
SCRIPTS := $(wildcard bin/nat-*)
PROGRAMS := $(addprefix $(BUILD)/,$(notdir $(PROGRAM_SRC:.c=)))
PAGES := $(wildcard man/*.[1578])
LIB := $(BUILD)/libnatkit.a

UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRC))
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SRC))
BENCH_SRC := $(wildcard tests/bench/bench_*.c)
BENCH := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(BENCH_SRC))
TOOL_SRC := $(wildcard tests/tools/*.c)
TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(TOOL_SRC))

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.PHONY: all deps demo check unit e2e lab asan lint fuzz bench soak format \
	programs tests install uninstall clean help

# What is built takes all cores; what is tested comes in turns, whatever -j says.
MAKE_ALL = $(MAKE) --no-print-directory -j$(shell nproc)
MAKE_TURNS = $(MAKE) --no-print-directory -j1

all:
	@.ci/deps build
	@$(MAKE_ALL) programs

programs: $(PROGRAMS)

# Objects mirror the tree under $(BUILD)/obj.
NOUN_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(NOUN_SRC))

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(LIB): $(NOUN_OBJ)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

define program
$(BUILD)/$(basename $(notdir $(1))): $(BUILD)/obj/$(basename $(1)).o $(LIB)
	$$(Q)$$(CC) $$(ALL_CFLAGS) $$(ALL_LDFLAGS) -o $$@ $$^ $$(PKG_LIBS)
endef
$(foreach p,$(PROGRAM_SRC),$(eval $(call program,$(p))))

$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(PKG_LIBS)

$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/tools/%: $(BUILD)/obj/tests/tools/%.o $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

# Fuzzers: objects of their own, with libFuzzer's coverage.
FUZZ_FLAGS = -std=c11 -D_GNU_SOURCE -g -O1 -MMD -MP $(INCLUDES) \
	$(PKG_CFLAGS) -fno-sanitize-recover=all
FUZZ_OBJ := $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(NOUN_SRC))

$(BUILD)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined \
		-c -o $@ $<

$(BUILD)/fuzz/libnatkit.a: $(FUZZ_OBJ)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(BUILD)/fuzz/libnatkit.a
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer,address,undefined \
		-o $@ $< $(BUILD)/fuzz/libnatkit.a $(PKG_LIBS)

tests: programs $(UNIT) $(TOOLS)

deps:
	@.ci/deps build

demo:
	@.ci/deps build demo
	@$(MAKE_ALL) -s programs
	@NATKIT_BUILD=$(BUILD) sh lab/demo.sh

# Each layer prints prove's summary; `make check` is the three in a row.
check:
	@.ci/deps build demo check
	@$(MAKE_ALL) tests
	@$(MAKE_TURNS) unit e2e lab

TEST_ENV = LC_ALL=C NATKIT_BUILD=$(abspath $(BUILD)) \
	CMOCKA_MESSAGE_OUTPUT=TAP
# What fails is named, with what it printed.
PROVE = prove -f -o -e 'bats --tap'

unit: tests
	@echo '== unit'
	@$(TEST_ENV) prove -f -j 2 -e '' $(UNIT)

e2e: tests
	@echo '== end to end'
	@$(TEST_ENV) $(PROVE) -j 3 $(sort $(wildcard tests/e2e/*.bats))

# Has both cores to itself: it would starve the others' clocks.
BUSY := tests/lab/pipe.bats

lab: tests
	@echo '== lab: real NATs, real WireGuard'
	@$(TEST_ENV) $(PROVE) -j 3 \
		$(filter-out $(BUSY),$(sort $(wildcard tests/lab/*.bats)))
	@$(TEST_ENV) $(PROVE) $(BUSY)

# What takes longer than a coffee.
soak: tests
	@echo '== soak'
	@$(TEST_ENV) $(PROVE) -v -j 3 \
		$(sort $(wildcard tests/soak/*.bats))

# Unit and end-to-end tests again, under AddressSanitizer and UBSan.
asan:
	@.ci/deps build demo check
	@$(MAKE_ALL) $(ASAN) tests
	@$(MAKE_TURNS) $(ASAN) unit e2e

ASAN = BUILD=$(BUILD)/asan HARDEN= HARDEN_LD= \
	CFLAGS='-O1 -g -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all' \
	LDFLAGS='-fsanitize=address,undefined'

fuzz:
	@.ci/deps build fuzz
	@$(MAKE_ALL) $(FUZZ)
	@mkdir -p $(addprefix $(BUILD)/fuzz/corpus/,$(notdir $(FUZZ)))
	@printf '%s\n' $(notdir $(FUZZ)) | xargs -P 2 -I '{}' sh -c ' \
		$(BUILD)/fuzz/{} -max_total_time=$(FUZZ_SECONDS) \
			-artifact_prefix=$(BUILD)/fuzz/ -max_len=4096 \
			-print_final_stats=1 \
			$(BUILD)/fuzz/corpus/{} tests/fuzz/corpus/{} \
			>$(BUILD)/fuzz/{}.log 2>&1 || \
			{ tail -n 40 $(BUILD)/fuzz/{}.log; exit 255; }; \
		sed -n "s/^stat::number_of_executed_units: */fuzz: {}: runs: /p" \
			$(BUILD)/fuzz/{}.log'

lint:
	@.ci/deps build check lint
	@echo '  clang-format' && clang-format --dry-run -Werror $(C_FILES)
	@echo '  clang-tidy' && printf '%s\n' $(filter %.c,$(C_FILES)) | \
		xargs -P 2 -I '{}' clang-tidy --quiet '{}' -- -std=c11 \
		-D_GNU_SOURCE $(INCLUDES) -Itests $(PKG_CFLAGS) 2>/dev/null
	@echo '  shellcheck' && shellcheck -x $(SH_FILES)
	@echo '  mandoc' && mandoc -T lint -W warning $(PAGES)
	@echo 'lint: clean'

C_FILES = $(wildcard $(foreach d,lib $(FAMILIES) tests/unit tests/fuzz \
	tests/bench tests/tools,$(d)/*.[ch]))
SH_FILES = $(SCRIPTS) $(wildcard bin/*.sh lab/*.sh tests/*/*.bash) .ci/run \
	.ci/deps

format:
	clang-format -i $(C_FILES)

bench:
	@.ci/deps build demo check bench
	@$(MAKE_ALL) programs $(BENCH) $(TOOLS)
	@for b in $(BENCH) $(wildcard tests/bench/*.bash); do \
		$(TEST_ENV) $$b || exit 1; done

INSTALL_BIN = "$(DESTDIR)$(PREFIX)/bin"
INSTALL_MAN = "$(DESTDIR)$(PREFIX)/share/man"
INSTALL_SHARE = "$(DESTDIR)$(PREFIX)/share/natkit"
# What nat-lab reads; demo.sh runs from the checkout only.
LAB_FILES = $(filter-out lab/demo.sh,$(wildcard lab/*.sh lab/*.lab \
	lab/*.expected))

install: programs
	install -d $(INSTALL_BIN)
	install -m 755 $(PROGRAMS) $(SCRIPTS) $(INSTALL_BIN)
	install -m 644 bin/natkit-records.sh $(INSTALL_BIN)
	install -d $(INSTALL_SHARE)
	install -m 644 $(LAB_FILES) $(INSTALL_SHARE)
	for p in $(PAGES); do install -d $(INSTALL_MAN)/man$${p##*.} && \
		install -m 644 $$p $(INSTALL_MAN)/man$${p##*.}; done

uninstall:
	cd $(INSTALL_BIN) && rm -f natkit-records.sh \
		$(notdir $(PROGRAMS) $(SCRIPTS))
	rm -rf $(INSTALL_SHARE)
	for p in $(notdir $(PAGES)); do \
		rm -f $(INSTALL_MAN)/man$${p##*.}/$$p; done

clean:
	rm -rf $(BUILD)

help:
	@echo 'make            build the programs (installs missing packages)'
	@echo 'make demo       two WireGuard hosts behind NATs connect; needs root'
	@echo 'make check      unit, end-to-end and lab tests; needs root'
	@echo 'make unit | e2e | lab      one layer of them'
	@echo 'make soak       the long tests'
	@echo 'make asan       unit and end-to-end tests under ASan and UBSan'
	@echo 'make fuzz       every fuzzer for FUZZ_SECONDS=20 each'
	@echo 'make lint       clang-format, clang-tidy, shellcheck, mandoc'
	@echo 'make bench      the figures of the README'
	@echo 'make format     clang-format over the tree'
	@echo 'make install    to PREFIX=/usr/local; make uninstall'
	@echo 'make clean      removes BUILD=build'

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
