# raftlab. `make help` lists what can be asked for.

CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
OUT ?= build
SAN ?=
OPT ?= -O2
AR ?= ar
PKGS := libuv libcjson

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
        -Wpointer-arith -Wvla -Wno-missing-field-initializers
CFLAGS ?= $(OPT) -g
BASE := -std=c11 -D_GNU_SOURCE -I. $(WARN) -fno-strict-aliasing -MMD -MP
ifneq ($(SAN),)
BASE += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(SAN)
endif
# Asked only where something that needs them is built.
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS = $(shell pkg-config --libs $(PKGS))

# A library for each layer: core <- host <- service <- sim; rpc and the process beside.
CORE_SRC := $(wildcard raft/*.c)
HOST_SRC := $(filter-out raft/host/disk_posix.c,$(wildcard raft/host/*.c))
POSIX_SRC := $(wildcard raft/host/disk_posix.c)
SERVICE_SRC := $(wildcard kvserver/service/*.c kvserver/engine/*.c)
RPC_SRC := $(wildcard rpc/*.c)
SERVER_SRC := $(filter-out kvserver/main.c,$(wildcard kvserver/*.c))
SIM_SRC := $(filter-out sim/main.c,$(wildcard sim/*.c))

objects = $(patsubst %.c,$(OUT)/obj/%.o,$(1))
LIBS := $(OUT)/libsim.a $(OUT)/libserver.a $(OUT)/librpc.a $(OUT)/libservice.a \
        $(OUT)/libposix.a $(OUT)/libhost.a $(OUT)/libcore.a

TEST_SRC := $(wildcard tests/*/*_test.c)
TEST_BIN := $(patsubst tests/%.c,$(OUT)/tests/%,$(TEST_SRC))
BENCH_SRC := $(wildcard tests/bench/*_bench.c)
BENCH_BIN := $(patsubst tests/%.c,$(OUT)/tests/%,$(BENCH_SRC))

all: $(OUT)/raftkv $(OUT)/raftsim ## build everything (variants: CC=clang SAN=address,undefined OUT=dir)

$(OUT)/libcore.a: $(call objects,$(CORE_SRC))
$(OUT)/libhost.a: $(call objects,$(HOST_SRC))
$(OUT)/libposix.a: $(call objects,$(POSIX_SRC))
$(OUT)/libservice.a: $(call objects,$(SERVICE_SRC))
$(OUT)/librpc.a: $(call objects,$(RPC_SRC))
$(OUT)/libserver.a: $(call objects,$(SERVER_SRC))
$(OUT)/libsim.a: $(call objects,$(SIM_SRC))
$(LIBS):
	@rm -f $@
	$(AR) rcs $@ $^

$(OUT)/raftkv: $(OUT)/obj/kvserver/main.o $(filter-out %/libsim.a,$(LIBS))
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lpthread -lm
$(OUT)/raftsim: $(OUT)/obj/sim/main.o $(OUT)/libsim.a $(OUT)/libservice.a \
                $(OUT)/libhost.a $(OUT)/libcore.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(OUT)/tests/%: $(OUT)/obj/tests/%.o $(OUT)/obj/tests/test.o $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lpthread -lm

$(OUT)/obj/rpc/%.o $(OUT)/obj/kvserver/%.o $(OUT)/obj/tests/%.o: BASE += $(PKG_CFLAGS)
$(OUT)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(BASE) -c -o $@ $<

test-programs: $(TEST_BIN)
bench-programs: $(BENCH_BIN)

clean: ## remove the build
	rm -rf $(OUT)

.PHONY: all clean test-programs bench-programs
.SECONDARY:
-include $(patsubst %.o,%.d,$(call objects,$(wildcard raft/*.c raft/host/*.c rpc/*.c kvserver/*.c kvserver/*/*.c sim/*.c tests/*.c tests/*/*.c)))
