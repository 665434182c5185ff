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
# What `make test` runs: `make test ARGS='tests/raft -k vote'`.
ARGS ?= tests
ROUNDS ?= 5

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif
ifeq ($(V),)
Q := @
say = @printf '  %-5s %s\n' $(1) $(2)
endif

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
        -Wpointer-arith -Wvla -Wno-missing-field-initializers
CFLAGS ?= $(OPT) -g
BASE := -std=c11 -D_GNU_SOURCE -I. $(WARN) -fno-strict-aliasing -MMD -MP
comma := ,
ifneq ($(SAN),)
BASE += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(SAN)
endif
# Each is asked once, and only where something that needs it is built.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)
# Debian's own python3 has Debian's packages; another one earlier on PATH may not.
python_with = $(shell for p in /usr/bin/python3 python3; do \
              $$p -c 'import $(1)' >/dev/null 2>&1 && echo $$p && break; done)
PYTHON ?= $(eval PYTHON := $$(or $$(call python_with,pytest),$$(call \
          python_with,sys),python3))$(PYTHON)

# A library for each layer: core <- host <- service <- sim; rpc and the process beside.
CORE_SRC := $(wildcard raft/*.c)
HOST_SRC := $(filter-out raft/host/disk_posix.c,$(wildcard raft/host/*.c))
POSIX_SRC := $(wildcard raft/host/disk_posix.c)
SERVICE_SRC := $(wildcard kvserver/service/*.c kvserver/engine/*.c)
RPC_SRC := $(wildcard rpc/*.c)
SERVER_SRC := $(filter-out kvserver/main.c,$(wildcard kvserver/*.c))
SIM_SRC := $(filter-out sim/tool/%,$(wildcard sim/*.c sim/*/*.c))
TOOL_SRC := $(wildcard sim/tool/*.c)
MAELSTROM_SRC := $(wildcard kvserver/maelstrom/*.c)

# A lab (LAB=1; OWN=1: the labs before it, too; OWN_LABS='1 2': these) puts a student's
# files in the place of the reference's of the same name, and adds what has other names.
# Programs go into a directory of their own, objects of the rest are shared.
LAB ?=
OWN ?=
OBJ := $(OUT)/obj
ifneq ($(LAB),)
OWN_LABS ?= $(if $(OWN),$(shell seq 0 $(LAB)))
LAB_DIRS := $(foreach n,$(sort $(OWN_LABS) $(LAB)),$(wildcard labs/$(n)-*))
OVERLAY := $(foreach d,$(LAB_DIRS),$(wildcard $(d)/*.c))
ifeq ($(LAB_DIRS),)
$(error there is no lab $(LAB): see labs/README.md)
endif
override OUT := $(OUT)/lab$(LAB)
replaced = $(foreach o,$(OVERLAY),$(filter %/$(notdir $(o)),$(1)))
standing_in = $(foreach o,$(OVERLAY),$(if $(filter %/$(notdir $(o)),$(1)),$(o)))
LAYERS := CORE_SRC HOST_SRC SERVICE_SRC SIM_SRC
$(foreach l,$(LAYERS),$(eval NEW_$(l) := $(call standing_in,$($(l)))))
$(foreach l,$(LAYERS),$(eval $(l) := $(filter-out $(call replaced,$($(l))),$($(l))) $(NEW_$(l))))
# Files of the student's own belong where the others are that were replaced.
OWN_LAYER := $(firstword $(foreach l,$(LAYERS),$(if $(NEW_$(l)),$(l))) CORE_SRC)
$(OWN_LAYER) += $(filter-out $(foreach l,$(LAYERS),$(NEW_$(l))),$(OVERLAY))
endif
# What all objects wait for: see the stamps below.
DIST := $(wildcard labs/dist/MANIFEST)
STAMPS := $(OBJ).flags $(if $(DIST),$(OBJ).dist)
# What an unwritten function calls; in a class archive the tree itself has some.
ifneq ($(LAB)$(wildcard labs/dist),)
CORE_SRC += labs/todo.c
endif

objects = $(patsubst %.c,$(OBJ)/%.o,$(1))
LIBS := $(OUT)/libsim.a $(OUT)/libserver.a $(OUT)/librpc.a $(OUT)/libservice.a \
        $(OUT)/libposix.a $(OUT)/libhost.a $(OUT)/libcore.a

# A shell is a program that a test speaks to.
TEST_SRC := $(wildcard tests/*/*_test.c tests/labs/*/*_test.c tests/*/*_shell.c)
TEST_BIN := $(patsubst tests/%.c,$(OUT)/tests/%,$(TEST_SRC))
FUZZ_SRC := $(wildcard tests/fuzz/*_fuzz.c)
FUZZ_BIN := $(patsubst tests/%.c,$(OUT)/tests/%,$(FUZZ_SRC))
BENCH_SRC := $(wildcard tests/bench/*_bench.c)
BENCH_BIN := $(patsubst tests/%.c,$(OUT)/tests/%,$(BENCH_SRC))

all: $(OUT)/raftkv $(OUT)/raftsim $(OUT)/raft-maelstrom ## build everything (variants: CC=clang SAN=address,undefined OUT=dir)

# ---- libraries and programs ----------------------------------------------------------

$(OUT)/libcore.a: $(call objects,$(CORE_SRC))
$(OUT)/libhost.a: $(call objects,$(HOST_SRC))
$(OUT)/libposix.a: $(call objects,$(POSIX_SRC))
$(OUT)/libservice.a: $(call objects,$(SERVICE_SRC))
$(OUT)/librpc.a: $(call objects,$(RPC_SRC))
$(OUT)/libserver.a: $(call objects,$(SERVER_SRC))
$(OUT)/libsim.a: $(call objects,$(SIM_SRC))
$(LIBS): $(OUT)/.sources
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)

$(OUT)/raftkv: $(OBJ)/kvserver/main.o $(filter-out %/libsim.a,$(LIBS))
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lpthread -lm
$(OUT)/raft-maelstrom: $(call objects,$(MAELSTROM_SRC)) $(OUT)/librpc.a \
                       $(OUT)/libservice.a $(OUT)/libposix.a $(OUT)/libhost.a $(OUT)/libcore.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lpthread
$(OUT)/raftsim: $(call objects,$(TOOL_SRC)) $(OUT)/libsim.a $(OUT)/libservice.a \
                $(OUT)/librpc.a $(OUT)/libhost.a $(OUT)/libcore.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lpthread -lm

# Programs with a known bug, to be caught in a lab (BUG.toml: labs/tools/bugs.py): what
# stands in the object is not taken from its library.
BUG_FILES := $(wildcard labs/[0-9]-*/bugs/*.toml)
BUGS := $(basename $(notdir $(BUG_FILES)))
bugs: $(BUGS:%=$(OUT)/bugs/%/raftsim) ## raftsim with each of the bugs of a lab (LAB=8)
$(OUT)/bugs/%/bug.c: $(BUG_FILES) $(CORE_SRC) $(STAMPS)
	@$(PYTHON) labs/tools/bugs.py $(filter %/$*.toml,$(BUG_FILES)) $@
$(OUT)/bugs/%/bug.o: $(OUT)/bugs/%/bug.c $(STAMPS)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) $(BASE) -c -o $@ $<
$(OUT)/bugs/%/raftsim: $(OUT)/bugs/%/bug.o $(OUT)/raftsim
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(call objects,$(TOOL_SRC)) \
	    $(addprefix $(OUT)/lib,$(addsuffix .a,sim service rpc host core)) $(PKG_LIBS) -lpthread -lm

# A test links its own layer and what lies below it; what stands elsewhere, all.
define test_rule
$(OUT)/tests/$(1)%: $(OBJ)/tests/$(1)%.o $(OBJ)/tests/test.o $(OBJ)/sim/tool/crash.o \
                    $(addprefix $(OUT)/,$(addsuffix .a,$(2)))
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $(3) -lpthread -lm
endef
$(eval $(call test_rule,raft/,libcore,))
$(eval $(call test_rule,labs/lab1/,libcore,))
$(eval $(call test_rule,labs/lab3/,libhost libcore,))
$(eval $(call test_rule,host/,libposix libhost libcore,))
$(eval $(call test_rule,rpc/,librpc libposix libhost libcore,$$(PKG_LIBS)))
$(eval $(call test_rule,kvserver/,libserver librpc libservice libposix libhost libcore,$$(PKG_LIBS)))
$(eval $(call test_rule,sim/,libsim libservice libhost libcore,))
$(eval $(call test_rule,labs/,libsim libservice libposix libhost libcore,))
$(eval $(call test_rule,,libsim libserver librpc libservice libposix libhost libcore,$$(PKG_LIBS)))

# A fuzz target replays its corpus, or is linked with libFuzzer (FUZZER=1, clang).
FUZZER ?=
FUZZ_MAIN := $(if $(FUZZER),,$(OBJ)/tests/fuzz/replay.o)
FUZZ_LIBS := $(addprefix $(OUT)/lib,$(addsuffix .a,server rpc service posix host core))
$(FUZZ_BIN): $(OUT)/tests/%: $(OBJ)/tests/%.o $(FUZZ_MAIN) $(FUZZ_LIBS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(if $(FUZZER),-fsanitize=fuzzer) -o $@ $^ \
	    $(PKG_LIBS) -lpthread -lm

$(OBJ)/rpc/%.o $(OBJ)/kvserver/%.o $(OBJ)/sim/tool/%.o \
    $(OBJ)/tests/%.o: EXTRA = $(PKG_CFLAGS)
# Given parameters and functions that a solution has no use for are no mistake of it.
$(patsubst %,$(OBJ)/%/%.o,$(wildcard labs/[0-9]-*)): EXTRA = -Wno-unused-parameter -Wno-unused-function
$(OBJ)/%.o: %.c $(STAMPS)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) $(BASE) $(EXTRA) -c -o $@ $<

# Stamps that change only when their content does: objects are rebuilt where the compiler
# or its flags change, or where another class archive was unpacked over this one (its
# files bear no dates); archives also where a source file comes or goes.
FLAGS := $(CC) $(CFLAGS) $(BASE) $(LDFLAGS)
SOURCES := $(CORE_SRC) $(HOST_SRC) $(POSIX_SRC) $(SERVICE_SRC) $(RPC_SRC) $(SERVER_SRC) \
           $(SIM_SRC)
stamp = mkdir -p $(@D); echo '$(1)' | cmp -s - $@ || echo '$(1)' > $@
$(OBJ).flags: FORCE
	@CC='$(CC)' sh tests/bootstrap.sh check build
	@$(call stamp,$(FLAGS))
$(OBJ).dist: FORCE
	@mkdir -p $(@D); cmp -s $(DIST) $@ || cp $(DIST) $@
$(OUT)/.sources: FORCE
	@$(call stamp,$(SOURCES))

# ---- the library ---------------------------------------------------------------------

# All layers but the service, as position-independent code. Each layer is one object in
# which only the documented names are left global, so that a program which uses only the
# core needs neither libuv nor cJSON.
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
OBJCOPY ?= objcopy
VERSION := $(shell sed -n 's/^\#define RAFT_VERSION "\(.*\)"/\1/p' raft/version.h)
# Before 1.0 the second number counts as the first does later.
SOVERSION := $(shell echo '$(VERSION)' | sed 's/^\(0\.[0-9]*\)\..*/\1/; t; s/\..*//')
SYMBOLS := raft/library/libraftlab.symbols
PUBLIC := raft/raft.h raft/trace.h raft/version.h raft/host/host.h raft/host/disk.h \
          raft/host/disk_posix.h rpc/transport.h rpc/driver.h
PARTS := core host posix rpc
PIC := $(OUT)/pic
part_of = $(patsubst %.c,$(PIC)/%.o,$(1))
SO := libraftlab.so

lib: $(OUT)/libraftlab.a $(OUT)/$(SO) ## build libraftlab, static and shared

$(PIC)/%.o: %.c $(STAMPS)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) $(BASE) -fPIC $(EXTRA) -c -o $@ $<
$(PIC)/rpc/%.o: EXTRA = $(PKG_CFLAGS)
$(PIC)/libraftlab.names: $(SYMBOLS)
	@mkdir -p $(@D)
	@sed '/^\#/d; /^$$/d' $< > $@
$(PIC)/libraftlab.map: $(PIC)/libraftlab.names
	@{ echo 'RAFTLAB_$(SOVERSION) { global:'; sed 's/$$/;/' $<; echo 'local: *; };'; } > $@

$(PIC)/raftlab_core.o: $(call part_of,$(CORE_SRC))
$(PIC)/raftlab_host.o: $(call part_of,$(HOST_SRC))
$(PIC)/raftlab_posix.o: $(call part_of,$(POSIX_SRC))
$(PIC)/raftlab_rpc.o: $(call part_of,$(RPC_SRC) raft/host/crc32c.c)
$(patsubst %,$(PIC)/raftlab_%.o,$(PARTS)): $(PIC)/libraftlab.names $(OUT)/.sources
	$(call say,LD,$@)
	$(Q)$(LD) -r -o $@ $(filter %.o,$^)
	$(Q)$(OBJCOPY) --keep-global-symbols=$< $@
$(OUT)/libraftlab.a: $(patsubst %,$(PIC)/raftlab_%.o,$(PARTS))
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^
$(OUT)/$(SO).$(VERSION): $(call part_of,$(CORE_SRC) $(HOST_SRC) $(POSIX_SRC) $(RPC_SRC)) \
                         $(PIC)/libraftlab.map $(OUT)/.sources
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(SO).$(SOVERSION) \
	    -Wl,--version-script=$(PIC)/libraftlab.map -o $@ $(filter %.o,$^) $(PKG_LIBS) \
	    -lpthread
$(OUT)/$(SO): $(OUT)/$(SO).$(VERSION)
	@ln -sf $(SO).$(VERSION) $(OUT)/$(SO).$(SOVERSION)
	@ln -sf $(SO).$(VERSION) $@

INSTALLED = $(addprefix $(PREFIX)/bin/,raftkv raftsim) \
            $(addprefix $(LIBDIR)/,libraftlab.a $(SO) $(SO).$(SOVERSION) $(SO).$(VERSION)) \
            $(LIBDIR)/pkgconfig/raftlab.pc \
            $(addprefix $(PREFIX)/include/raftlab/,$(notdir $(PUBLIC)))
install: all lib ## install programs, library, headers and raftlab.pc (PREFIX= DESTDIR=)
	$(call say,INST,$(DESTDIR)$(PREFIX))
	$(Q)install -d $(addprefix $(DESTDIR),$(sort $(dir $(INSTALLED))))
	$(Q)install $(OUT)/raftkv $(OUT)/raftsim $(DESTDIR)$(PREFIX)/bin
	$(Q)install -m 644 $(OUT)/libraftlab.a $(OUT)/$(SO).$(VERSION) $(DESTDIR)$(LIBDIR)
	$(Q)ln -sf $(SO).$(VERSION) $(DESTDIR)$(LIBDIR)/$(SO).$(SOVERSION)
	$(Q)ln -sf $(SO).$(VERSION) $(DESTDIR)$(LIBDIR)/$(SO)
	$(Q)sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' \
	    raft/library/raftlab.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/raftlab.pc
	$(Q)for header in $(PUBLIC); do awk -f raft/library/header.awk $$header \
	    > $(DESTDIR)$(PREFIX)/include/raftlab/$${header##*/} || exit 1; done
uninstall: ## remove what `make install` with the same PREFIX and DESTDIR has put there
	$(call say,RM,$(DESTDIR)$(PREFIX))
	$(Q)rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	$(Q)if [ -d $(DESTDIR)$(PREFIX)/include/raftlab ]; then \
	    rmdir $(DESTDIR)$(PREFIX)/include/raftlab; fi

test-programs: $(TEST_BIN) $(FUZZ_BIN)
bench-programs: $(BENCH_BIN)

# ---- what a user asks for ------------------------------------------------------------

# demo and test may be the very first command: they install what is missing, and only a
# second make, which finds it, looks for libraries and for Python.
demo: ## three servers, a leader killed, a network cut, nothing lost (30 s)
	@CC='$(CC)' sh tests/bootstrap.sh install demo
	@$(MAKE) --no-print-directory demo-run
demo-run: all
	@RAFTLAB_BUILT=1 RAFTLAB_OUT=$(OUT) $(PYTHON) tests/demo/demo.py

cluster: all ## start three servers and leave them up for redis-cli -p 7001
	@PYTHONPATH=tests $(PYTHON) -m raftlab.local start --out $(OUT)
cluster-stop: ## stop the servers that `make cluster` started
	@PYTHONPATH=tests $(PYTHON) -m raftlab.local stop --out $(OUT)

test: ## build, also with sanitizers, and run every test (ARGS='tests/raft -k vote')
	@CC='$(CC)' sh tests/bootstrap.sh install test
	@$(MAKE) --no-print-directory test-build
	@$(MAKE) --no-print-directory test-run
test-build: all lib test-programs bugs sanitized
test-run:
	@unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES; \
	RAFTLAB_BUILT=1 RAFTLAB_OUT=$(OUT) $(PYTHON) -m pytest -n 2 --rounds $(ROUNDS) $(ARGS)
sanitized: ## the same programs under ASan and UBSan, in build/sanitized
	@$(MAKE) --no-print-directory OUT=$(dir $(OBJ))sanitized OPT=-O1 SAN=address,undefined \
	    CC=$(shell command -v clang >/dev/null && echo clang || echo $(CC)) \
	    $(if $(SANITIZED),$(addprefix $(dir $(OBJ))sanitized/$(if $(LAB),lab$(LAB)/),$(SANITIZED)),all test-programs)

determinism: ## the same seeds with gcc and clang, -O0 and -O2: the same runs (SEEDS=1..1000)
	+@$(PYTHON) tests/determinism.py --seeds $(SEEDS) --out $(OUT)/determinism
soak: ## the suite of a lab many times with other seeds (LAB=2 RUNS=1000; all labs)
	@$(PYTHON) tests/soak.py $(if $(LAB),--labs $(LAB)) --runs $(RUNS)
RUNS ?= 1000
SEEDS ?= 1..1000

# For campaigns of many hours: half as long again to build, the same hashes.
fast: ## raftsim optimised as one program, in build/fast
	@$(MAKE) --no-print-directory OUT=$(OUT)/fast OPT='-O2 -flto=auto' $(OUT)/fast/raftsim

# raftsim that counts its basic blocks and the bytes that it copies: see tests/sim/work.c.
WRAPPED := memcpy memmove memset memcmp malloc calloc realloc free
counted: ## raftsim that tells how much work it did, in build/counted
	@mkdir -p $(OUT)/counted
	$(Q)gcc -O2 -c -o $(OUT)/counted/work.o tests/sim/work.c
	@$(MAKE) --no-print-directory OUT=$(OUT)/counted CC=gcc \
	    OPT='-O1 -fsanitize-coverage=trace-pc' \
	    LDFLAGS='$(OUT)/counted/work.o $(addprefix -Wl$(comma)--wrap=,$(WRAPPED))' \
	    $(OUT)/counted/raftsim

# Each target for SECONDS, one after another; a finding is kept in build/fuzz and ends
# the run. `make fuzz-keep` puts what reaches new code into the corpus, minimised.
SECONDS = 60
TARGET = $(patsubst tests/fuzz/%_fuzz.c,%,$(FUZZ_SRC))
FUZZ_OUT = $(OUT)/fuzz
FUZZ_MAKE = $(MAKE) --no-print-directory OUT=$(FUZZ_OUT) OPT=-O1 CC=clang FUZZER=1 \
            SAN=address,undefined,fuzzer-no-link
fuzz: ## feed parsers and readers with bytes that reach new code (SECONDS=600 TARGET=codec)
	@CC=clang sh tests/bootstrap.sh install fuzz
	+@$(FUZZ_MAKE) $(foreach t,$(TARGET),$(FUZZ_OUT)/tests/fuzz/$(t)_fuzz)
	@for target in $(TARGET); do \
	    mkdir -p $(FUZZ_OUT)/found/$$target tests/fuzz/corpus/$$target; \
	    echo "fuzzing $$target for $(SECONDS) s"; \
	    nice -n 19 $(FUZZ_OUT)/tests/fuzz/$${target}_fuzz -max_total_time=$(SECONDS) \
	        -max_len=8192 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
	        -artifact_prefix=$(FUZZ_OUT)/found/$$target- $(FUZZ_ARGS) \
	        $(FUZZ_OUT)/found/$$target tests/fuzz/corpus/$$target \
	        2>$(FUZZ_OUT)/$$target.log || { tail -40 $(FUZZ_OUT)/$$target.log; exit 1; }; \
	    grep -E 'stat::number_of_executed_units|stat::new_units_added' \
	        $(FUZZ_OUT)/$$target.log; done
fuzz-keep: ## what `make fuzz` has found to reach new code becomes the corpus, minimised
	@for target in $(TARGET); do \
	    rm -rf $(FUZZ_OUT)/least && mkdir -p $(FUZZ_OUT)/least; \
	    $(FUZZ_OUT)/tests/fuzz/$${target}_fuzz -merge=1 -max_len=900 $(FUZZ_OUT)/least \
	        tests/fuzz/corpus/$$target $(FUZZ_OUT)/found/$$target 2>/dev/null && \
	    rm -f tests/fuzz/corpus/$$target/*.bin || exit 1; \
	    for file in $(FUZZ_OUT)/least/*; do \
	        cp $$file tests/fuzz/corpus/$$target/$${file##*/}.bin || exit 1; done; \
	    du -sb tests/fuzz/corpus/$$target; done

LABS := $(sort $(foreach d,$(wildcard labs/[0-9]-*),lab$(firstword $(subst -, ,$(notdir $(d))))))
labs: ## list the labs; `make lab1` writes the files of the first, for you to complete
	@$(PYTHON) labs/tools/skeleton.py
$(LABS):
	@$(PYTHON) labs/tools/skeleton.py $(@:lab%=%)
grade: ## judge your lab (LAB=1; STEP=2: a part; OWN=1: on top of your earlier ones)
	@CC='$(CC)' sh tests/bootstrap.sh check grade
	@$(PYTHON) labs/tools/grade.py $(LAB) $(if $(OWN),--own) $(if $(STEP),--step $(STEP)) $(GRADE_ARGS)
again: ## run one claim once more (LAB=8 CLAIM=tests/labs/lab8/FILE::NAME SEED=1)
	@unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES; RAFTLAB_LAB='$(LAB)' \
	RAFTLAB_SEED_BASE='$(or $(SEED),1)' $(PYTHON) -m pytest -q '$(CLAIM)'
handout: ## the archive for a class: labs before LAB solved, the others not
	@$(PYTHON) labs/tools/handout.py $(LAB) $(HANDOUT_ARGS)

mutants: ## put known bugs into a copy of the sources: do the tests notice? (REPEAT=20: with other seeds)
	@CC='$(CC)' sh tests/bootstrap.sh check test
	@$(PYTHON) labs/mutants/run.py $(if $(REPEAT),--repeat $(REPEAT)) $(NAMES)

hunt: ## let the simulator find known bugs (BUG=figure8, a name or a number; an hour for all)
	@CC='$(CC)' sh tests/bootstrap.sh check test
	@$(PYTHON) labs/mutants/hunt.py $(BUG)

zoo: ## play the schedules that show known bugs, each with its bug built in (BUG=1: one, told)
	@CC='$(CC)' sh tests/bootstrap.sh check test
	@$(PYTHON) labs/mutants/zoo.py $(BUG)

bench: all bench-programs ## measure: the core, the simulator, a cluster beside etcd and Redis
	@for program in $(BENCH_BIN); do $$program || exit 1; done
	@$(PYTHON) tests/bench/sim_bench.py --program $(OUT)/raftsim
	@$(PYTHON) tests/bench/cluster_bench.py --out $(OUT) $(BENCH_ARGS)

# What the tests of the core and of the host, and a few simulated runs, reach of raft/.
# An assert's other branch is a crash, which no test is meant to see. docs/testing.md
# tells what is left.
COVERED = $(OUT)/coverage
COVERAGE_TESTS = $(patsubst %.c,$(COVERED)/%,$(wildcard tests/raft/*_test.c tests/host/*_test.c))
coverage: ## lines and branches of raft/ that its tests reach (gcovr)
	@CC='$(CC)' sh tests/bootstrap.sh install coverage
	@find $(COVERED) -name '*.gcda' -delete 2>/dev/null || true
	@$(MAKE) --no-print-directory OUT=$(COVERED) OPT='-O0 --coverage' CC=gcc \
	    $(COVERAGE_TESTS) $(COVERED)/raftsim
	@for test in $(COVERAGE_TESTS); do \
	    $$test >$(COVERED)/told 2>&1 || { cat $(COVERED)/told; exit 1; }; done
	@for seed in 1 2 3 4 5 6 7 8; do \
	    $(COVERED)/raftsim run --seed $$seed --faults all --duration 15s >/dev/null || exit 1; \
	done
	@gcovr --root . --object-directory $(COVERED)/obj --filter raft/ \
	    --exclude-unreachable-branches --exclude-throw-branches \
	    --exclude-branches-by-pattern '^\s*assert\(.*' \
	    --csv $(COVERED)/table.csv --html-details $(COVERED)/index.html \
	    --fail-under-line 95 --fail-under-branch 90 $(COVERED)/obj/raft; \
	status=$$?; awk -F, -f tests/coverage.awk $(COVERED)/table.csv; exit $$status

FORMATTED = $(wildcard raft/*.[ch] raft/host/*.[ch] rpc/*.[ch] kvserver/*.[ch] \
            kvserver/*/*.[ch] sim/*.[ch] sim/*/*.[ch] tests/*.[ch] tests/*/*.[ch] tests/labs/*/*.[ch] docs/examples/*/*.c)
lint: ## formatting, clang-tidy, and Python that compiles and uses what it imports
	@CC='$(CC)' sh tests/bootstrap.sh check lint
	clang-format --dry-run --Werror $(FORMATTED)
	@printf '%s\n' $(filter-out docs/%,$(filter %.c,$(FORMATTED))) | xargs -P 2 -n 1 sh -c \
	    'clang-tidy --quiet "$$0" -- -std=c11 -D_GNU_SOURCE -I. $(subst -I,-isystem ,$(PKG_CFLAGS)) \
	    2>/dev/null'
	$(PYTHON) tests/lint.py
format: ## rewrite the C sources in the house format
	clang-format -i $(FORMATTED)

clean: ## remove the build
	rm -rf $(OUT)
# A class archive lacks what these need, and so does not offer them.
NEEDS := mutants=labs/mutants hunt=labs/mutants zoo=labs/mutants handout=labs/mutants \
         demo=tests/demo test=tests/repo bench=tests/bench fuzz=tests/fuzz \
         fuzz-keep=tests/fuzz counted=tests/sim/work.c bugs=labs/8-checking/bugs
LACKING = $(foreach n,$(NEEDS),$(if $(wildcard $(word 2,$(subst =, ,$(n)))),,$(firstword $(subst =, ,$(n)))))
help: ## list what can be asked for
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
	    awk -F'|' '!index(" $(LACKING) ", " " $$1 " ") { printf "  make %-13s %s\n", $$1, $$2 }'

.PHONY: labs $(LABS) bugs grade again handout all lib install uninstall demo demo-run cluster cluster-stop test test-build \
        test-run sanitized fast counted bench fuzz fuzz-keep mutants hunt zoo determinism soak coverage lint format clean help test-programs \
        bench-programs FORCE
.SECONDARY:
.DELETE_ON_ERROR:
-include $(patsubst %.o,%.d,$(call objects,$(OVERLAY) $(wildcard labs/*.c raft/*.c raft/host/*.c rpc/*.c kvserver/*.c kvserver/*/*.c sim/*.c sim/*/*.c tests/*.c tests/*/*.c tests/labs/*/*.c)))
-include $(wildcard $(OUT)/bugs/*/bug.d)
-include $(patsubst %.c,$(PIC)/%.d,$(CORE_SRC) $(HOST_SRC) $(POSIX_SRC) $(RPC_SRC))
