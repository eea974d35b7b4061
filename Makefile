# natkit: one Makefile for everything. `make help` lists the targets.
# BUILD names the object folder; CFLAGS and LDFLAGS are the user's own.

BUILD ?= build
PREFIX ?= /usr/local
CC ?= cc
CFLAGS ?= -O2 -g
FUZZ_SECONDS ?= 20
FUZZ_CC ?= clang

PACKAGES := libevent libsodium libpcap libseccomp nettle
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

WARN := -Wall -Wextra -Wformat=2 -Wvla -Wwrite-strings -Wshadow \
	-Wstrict-prototypes -Wmissing-prototypes $(WERROR)
HARDEN ?= -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
HARDEN_LD ?= -pie -Wl,-z,relro,-z,now
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -MMD -MP $(WARN) $(HARDEN) \
	-Ilib -Istun -Irendezvous -Ipunch $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(HARDEN_LD) $(LDFLAGS)

# A folder is a family: nat-NAME.c is a program, every other .c a noun of it.
FAMILIES := stun rendezvous punch
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
.SUFFIXES:
.PHONY: all deps demo check unit e2e lab asan lint fuzz bench soak format \
	programs tests install uninstall clean help

all: deps programs

programs: $(PROGRAMS)

# Objects mirror the tree under $(BUILD)/obj.
NOUN_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(NOUN_SRC))

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(LIB): $(NOUN_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

define program
$(BUILD)/$(basename $(notdir $(1))): $(BUILD)/obj/$(basename $(1)).o $(LIB)
	$$(CC) $$(ALL_CFLAGS) $$(ALL_LDFLAGS) -o $$@ $$^ $$(PKG_LIBS)
endef
$(foreach p,$(PROGRAM_SRC),$(eval $(call program,$(p))))

$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(PKG_LIBS)

$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/tools/%: $(BUILD)/obj/tests/tools/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

# Fuzzers: their own objects, made by clang with libFuzzer's coverage.
$(BUILD)/fuzz/%: tests/fuzz/%.c $(NOUN_SRC)
	@mkdir -p $(@D)
	$(FUZZ_CC) -std=c11 -D_GNU_SOURCE -g -O1 -Ilib -Istun -Irendezvous \
		-Ipunch $(PKG_CFLAGS) -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -o $@ $< $(NOUN_SRC) $(PKG_LIBS)

tests: programs $(UNIT) $(TOOLS)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
