# SPDX-License-Identifier: GPL-3.0-or-later
# One non-recursive build: hypervisor, host program, tables, guests, tests. Everything lands in build/.
# Each room lists its sources in its own sources.mk; this file knows how to build, they know what.

# ---- Defaults ------------------------------------------------------------------------------------
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

B       := build
PREFIX  ?= /usr/local
DESTDIR ?=
GDB_DATADIR ?= /usr/share/gdb
PYTHON  ?= /usr/bin/python3
CC      := gcc
LD      := ld
NM      := nm
OBJDUMP := objdump
CLANG   ?= clang

# Words for `make run`, `make e2e` and `make bench`; see `make help`.
ARGS    ?=
CASE    ?=
FUZZ_SECONDS ?= 20
FUZZ_RUNS ?= -1

# ---- Rooms ---------------------------------------------------------------------------------------
HV_SRCS :=
PROTOCOL_SRCS :=
MONITOR_SRCS :=
UNIT_TESTS :=
FUZZ_TARGETS :=
-include hv/sources.mk protocol/sources.mk monitor/sources.mk tests/unit/sources.mk tests/fuzz/sources.mk

# ---- Flags, by purpose ---------------------------------------------------------------------------
WFLAGS := -Wall -Wextra -Wshadow -Wundef -Wmissing-prototypes -Wstrict-prototypes -Wvla -Werror
DFLAGS  = -MMD -MP -MF $(@:.o=.d)
# What the protocol objects need too, because hv and the host program link the very same ones.
FREE_FLAGS := -std=gnu11 -O2 -g -ffreestanding -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
	-fno-pie -fno-pic -fno-stack-protector -fno-omit-frame-pointer -fcf-protection=none \
	-fno-asynchronous-unwind-tables $(WFLAGS)
HV_FLAGS   := $(FREE_FLAGS) -I. -Ihv -I$(B)/gen
HV_LDFLAGS := -nostdlib -z max-page-size=4096 --no-dynamic-linker --build-id=none --no-warn-rwx-segments
HOST_FLAGS := -std=gnu11 -O2 -g -D_GNU_SOURCE -fno-pie $(WFLAGS) -I. -Imonitor -I$(B)/gen
HOST_LIBS  := -lreadline -lcapstone -ldw -lelf -ljansson
SAN_FLAGS  := -fsanitize=address,undefined -fno-sanitize-recover=undefined
# Hosted builds of hypervisor and protocol sources for the unit tests.
UNIT_FLAGS := -std=gnu11 -O1 -g -D_GNU_SOURCE -fno-omit-frame-pointer $(SAN_FLAGS) $(WFLAGS) \
	-I. -Ihv -Imonitor -Itests/unit -I$(B)/gen
# Comparisons are not traced (four fifths of the time); dictionaries give the words instead.
FUZZ_FLAGS := -std=gnu11 -O2 -g -D_GNU_SOURCE -fsanitize=address,undefined \
	-fsanitize-coverage=inline-8bit-counters,pc-table -fno-sanitize-recover=undefined \
	-Wall -Wextra -Werror -I. -Ihv -Imonitor -I$(B)/gen

# ---- Files ---------------------------------------------------------------------------------------
HV_OBJS       := $(patsubst %,$(B)/%.o,$(basename $(HV_SRCS)))
PROTOCOL_OBJS := $(patsubst %.c,$(B)/%.o,$(PROTOCOL_SRCS))
MONITOR_OBJS  := $(patsubst %.c,$(B)/%.o,$(MONITOR_SRCS))
PY_TABLES     := $(patsubst protocol/%.py.in,$(B)/gdbext/trapline/%.py,$(wildcard protocol/*.py.in)) \
	$(patsubst gdbext/%.py.in,$(B)/gdbext/%.py,$(wildcard gdbext/*.py.in))
UNIT_BINS     := $(patsubst %,$(B)/unit/test_%,$(UNIT_TESTS))
FUZZ_BINS     := $(patsubst %,$(B)/fuzz/fuzz_%,$(FUZZ_TARGETS))
# The fuzzers' kept corpora, once through: regression tests like the others.
UNIT_BINS     += $(patsubst %,$(B)/unit/replay_%,$(FUZZ_TARGETS))
TINY_SRCS     := $(filter-out tests/guests/lib_%,$(wildcard tests/guests/*.S))
TINY_GUESTS   := $(patsubst tests/guests/%.S,$(B)/guests/%.elf,$(filter-out %_boot.S,$(TINY_SRCS))) \
	$(patsubst tests/guests/%.S,$(B)/guests/%.bin,$(filter %_boot.S,$(TINY_SRCS)))
HV_ELF        := $(B)/hv/trapline.elf
PRODUCTS      := $(HV_ELF) $(B)/hv/trapline.asm $(B)/hv/trapline.sym $(B)/trapline $(PY_TABLES)
KERNEL        := $(B)/guests/debian12-cloud/vmlinuz
KERNEL_FULL   := $(B)/guests/debian12/vmlinuz
KERNEL_11     := $(B)/guests/debian11/vmlinuz
INITRD        := $(B)/guests/initrd.gz
# A kernel is wanted together with its symbols, which are made from it.
maps           = $(patsubst %/vmlinuz,%/System.map,$(1))

.PHONY: all deps deps-dev run run-bochs test unit e2e selftest bench fuzz lint fmt iso guests guest-debian11 \
	gdb debug size install clean help FORCE

# ---- Targets people type -------------------------------------------------------------------------
all: deps $(PRODUCTS) ## hypervisor, host program, Python tables

deps: ## install the Debian packages that are missing; silent when none is
	@tools/deps run

deps-dev: deps ## as deps, with the packages that lint and fuzz need
	@tools/deps run dev

run: all $(call maps,$(KERNEL)) $(INITRD) ## boot Debian's kernel under the hypervisor in QEMU and attach (ARGS="--mem 1024")
	@$(B)/trapline run $(ARGS)

run-bochs: all $(call maps,$(KERNEL)) $(INITRD) ## the same on Bochs, with the VMX backend
	@$(B)/trapline run --on bochs $(ARGS)

test: all guests $(KERNEL_11) $(UNIT_BINS) ## every unit and end-to-end test; fails when one fails or none ran
	@rc=0; tools/run-units $(UNIT_BINS) || rc=1; \
	$(PYTHON) -B -m pytest -c tests/e2e/pytest.ini tests/e2e tests/gdb || rc=1; exit $$rc

unit: deps $(UNIT_BINS) ## host-side tests only, under ASan and UBSan: seconds
	@tools/run-units $(UNIT_BINS)

e2e: all guests $(KERNEL_11) ## end-to-end tests only (CASE=triple_fault picks by name)
	@$(PYTHON) -B -m pytest -c tests/e2e/pytest.ini tests/e2e tests/gdb $(if $(CASE),-k '$(CASE)')

selftest: all guests ## entry rules against the CPU: 20,000 damaged states, three seeds, each backend; coverage table
	@TRAPLINE_SELFTEST_STATES=20000 TRAPLINE_SELFTEST_SEEDS=1,2,3 \
	$(PYTHON) -B -m pytest -c tests/e2e/pytest.ini -s tests/e2e/test_selftest.py $(if $(CASE),-k '$(CASE)')

bench: all guests ## cost of an exit, boot-time ratio: printed, never asserted
	@$(PYTHON) -m tests.bench $(ARGS)

fuzz: deps-dev $(if $(CASE),$(B)/fuzz/fuzz_$(CASE),$(FUZZ_BINS)) ## run every fuzzer (or CASE) for FUZZ_SECONDS from the kept corpus
	@test -n "$(FUZZ_BINS)" || { echo 'fuzz: no targets in tests/fuzz/sources.mk' >&2; exit 1; }
	@$(foreach t,$(if $(CASE),$(CASE),$(FUZZ_TARGETS)),tools/fuzz $(t) $(FUZZ_SECONDS) $(FUZZ_RUNS) $(FUZZ_ARGS_$(t)) &&) true

lint: deps-dev ## headers alone, include rules, format, shellcheck, mypy
	@tools/lint

fmt: deps-dev ## rewrite the C sources in the house format
	@git ls-files '*.c' '*.h' | xargs -r clang-format -i

iso: $(B)/trapline.iso ## a GRUB ISO: hypervisor, Debian kernel, menu

guests: deps $(TINY_GUESTS) $(call maps,$(KERNEL) $(KERNEL_FULL)) $(INITRD) ## tiny guests, Debian 12 kernels, initramfs

guest-debian11: deps $(call maps,$(KERNEL_11)) $(INITRD) ## Debian 11's 5.10 kernel, for those who follow the seed

gdb: all $(call maps,$(KERNEL)) $(INITRD) ## boot on QEMU and open GDB on the guest, extension loaded
	@tools/hvgdb guest $(ARGS)

debug: all $(call maps,$(KERNEL)) $(INITRD) ## boot on QEMU and open GDB on the hypervisor itself (QEMU's own gdbstub)
	@tools/hvgdb hv $(ARGS)

size: all ## bytes of the image, lines by room
	@size $(HV_ELF)
	@for r in protocol hv/boot hv/cpu hv/lib hv/dev hv/core hv/vmx hv/svm hv/dbg monitor gdbext tests tools; do \
	    printf '%7d lines  %s\n' "$$(git ls-files $$r | xargs -r cat | wc -l)" $$r; done

install: all ## copy to DESTDIR/PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/trapline $(DESTDIR)$(PREFIX)/share/trapline
	install -m 755 $(B)/trapline $(DESTDIR)$(PREFIX)/bin/trapline
	install -m 755 tools/mkiso $(DESTDIR)$(PREFIX)/lib/trapline/mkiso
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(B)/trapline --print-man > $(DESTDIR)$(PREFIX)/share/man/man1/trapline.1
	$(B)/trapline --print-completion > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/trapline
	install -m 644 $(HV_ELF) $(DESTDIR)$(PREFIX)/lib/trapline/trapline.elf
	@for f in $$(git ls-files gdbext | grep '\.py$$') $(PY_TABLES); do \
	    install -D -m 644 $$f $(DESTDIR)$(PREFIX)/share/trapline/gdbext/$${f#*gdbext/}; done
	install -m 644 gdbext/trapline.elf-gdb.py $(DESTDIR)$(PREFIX)/lib/trapline/
	@# GDB's own folder, for `python import trapline` and for auto-load; a private PREFIX keeps out of it.
	@case $(PREFIX) in /usr|/usr/local) \
	    install -D -m 644 gdbext/trapline.elf-gdb.py \
	        $(DESTDIR)$(GDB_DATADIR)/auto-load$(PREFIX)/lib/trapline/trapline.elf-gdb.py; \
	    install -d $(DESTDIR)$(GDB_DATADIR)/python; \
	    ln -sfn $(PREFIX)/share/trapline/gdbext/trapline $(DESTDIR)$(GDB_DATADIR)/python/trapline;; esac

clean: ## remove build/
	rm -rf $(B)

help: ## this list
	@echo 'Trapline: make TARGET'
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1 \2/p' Makefile | \
	    while read -r t text; do printf '  %-15s %s\n' "$$t" "$$text"; done
	@echo; echo 'Examples: make run      make test      make e2e CASE=triple_fault'

# ---- Rules: hypervisor and protocol --------------------------------------------------------------
$(B)/hv/%.o: hv/%.c Makefile | deps
	@mkdir -p $(@D)
	$(CC) $(HV_FLAGS) $(DFLAGS) -c $< -o $@

$(B)/hv/%.o: hv/%.S Makefile | deps
	@mkdir -p $(@D)
	$(CC) $(HV_FLAGS) $(DFLAGS) -c $< -o $@

$(B)/protocol/%.o: protocol/%.c Makefile | deps
	@mkdir -p $(@D)
	$(CC) $(FREE_FLAGS) -I. -I$(B)/gen $(DFLAGS) -c $< -o $@

$(HV_ELF): hv/boot/hv.ld $(HV_OBJS) $(PROTOCOL_OBJS) hv/sources.mk Makefile
	$(LD) -T $< $(HV_LDFLAGS) -o $@.new $(HV_OBJS) $(PROTOCOL_OBJS)
	@mv $@.new $@

$(B)/hv/trapline.asm: $(HV_ELF)
	@$(OBJDUMP) -d $< > $@

$(B)/hv/trapline.sym: $(HV_ELF)
	@$(NM) -n $< > $@

# ---- Rules: host program and tables --------------------------------------------------------------
$(B)/monitor/%.o: monitor/%.c Makefile | deps
	@mkdir -p $(@D)
	$(CC) $(HOST_FLAGS) $(DFLAGS) -c $< -o $@

$(B)/trapline: $(MONITOR_OBJS) $(PROTOCOL_OBJS) monitor/sources.mk Makefile
	$(CC) -no-pie -o $@.new $(MONITOR_OBJS) $(PROTOCOL_OBJS) $(HOST_LIBS)
	@mv $@.new $@

$(B)/gdbext/trapline/%.py: protocol/%.py.in $(wildcard protocol/*.def) Makefile | deps
	@mkdir -p $(@D)
	$(CC) -E -P -xc -I. $< -o $@

$(B)/gdbext/%.py: gdbext/%.py.in $(wildcard protocol/*.def) Makefile | deps
	@mkdir -p $(@D)
	$(CC) -E -P -xc -I. $< -o $@

# ---- Rules: unit tests and fuzzers ---------------------------------------------------------------
# A test is tests/unit/test_NAME.c, every protocol source, and what UNIT_SRCS_NAME lists.
$(B)/unit/obj/%.o: %.c Makefile | deps
	@mkdir -p $(@D)
	$(CC) $(UNIT_FLAGS) $(DFLAGS) -c $< -o $@

unit_objs = $(patsubst %.c,$(B)/unit/obj/%.o,tests/unit/test_$(1).c $(UNIT_SRCS_$(1)) $(PROTOCOL_SRCS))
define unit_rule
$(B)/unit/test_$(1): $(call unit_objs,$(1)) tests/unit/sources.mk Makefile
	$(CC) $(SAN_FLAGS) -o $$@ $(call unit_objs,$(1)) -lcmocka $(UNIT_LIBS_$(1))
endef
$(foreach t,$(UNIT_TESTS),$(eval $(call unit_rule,$(t))))

replay_objs = $(patsubst %.c,$(B)/unit/obj/%.o,tests/fuzz/replay_main.c tests/fuzz/fuzz_$(1).c \
	$(FUZZ_SRCS_$(1)) $(PROTOCOL_SRCS))
define replay_rule
$(B)/unit/replay_$(1): $(call replay_objs,$(1)) tests/fuzz/sources.mk Makefile
	$(CC) $(SAN_FLAGS) -o $$@ $(call replay_objs,$(1)) $(FUZZ_LIBS_$(1))
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call replay_rule,$(t))))

$(B)/fuzz/obj/%.o: %.c Makefile | deps
	@mkdir -p $(@D)
	$(CLANG) $(FUZZ_FLAGS) $(DFLAGS) -c $< -o $@

fuzz_objs = $(patsubst %.c,$(B)/fuzz/obj/%.o,tests/fuzz/fuzz_$(1).c $(FUZZ_SRCS_$(1)) $(PROTOCOL_SRCS))
define fuzz_rule
$(B)/fuzz/fuzz_$(1): $(call fuzz_objs,$(1)) tests/fuzz/sources.mk Makefile
	$(CLANG) -fsanitize=fuzzer,address,undefined -o $$@ $(call fuzz_objs,$(1)) $(FUZZ_LIBS_$(1))
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call fuzz_rule,$(t))))

# ---- Rules: guests -------------------------------------------------------------------------------
$(B)/guests/%.elf: tests/guests/%.S tests/guests/guest.inc tests/guests/guest.ld Makefile | deps
	@mkdir -p $(@D)
	$(CC) -m32 -ffreestanding -fno-pic -Itests/guests -c $< -o $(@:.elf=.o)
	$(LD) -m elf_i386 --no-warn-rwx-segments -T tests/guests/guest.ld --build-id=none -o $@ $(@:.elf=.o)

$(B)/guests/%.bin: tests/guests/%.S tests/guests/guest.inc Makefile | deps
	@mkdir -p $(@D)
	$(CC) -m32 -ffreestanding -fno-pic -Itests/guests -c $< -o $(@:.bin=.o)
	$(LD) -m elf_i386 --no-warn-rwx-segments -Ttext=0x7c00 --oformat binary --build-id=none -o $@ $(@:.bin=.o)

$(KERNEL): | deps
	@tools/fetch-kernel bookworm linux-image-cloud-amd64 $(@D)

$(KERNEL_FULL): | deps
	@tools/fetch-kernel bookworm linux-image-amd64 $(@D)

$(KERNEL_11): | deps
	@tools/fetch-kernel bullseye linux-image-amd64 $(@D)

# The initramfs may be rebuilt at will: the kernel's symbols do not change with it.
$(B)/guests/%/System.map: $(B)/guests/%/vmlinuz | $(INITRD)
	@tools/mksysmap $< $(INITRD) $@

$(INITRD): tests/guests/init tools/mkinitrd | deps
	@tools/mkinitrd $@

$(B)/trapline.iso: $(HV_ELF) $(KERNEL) $(INITRD) tools/mkiso
	@tools/mkiso $@ --menu $(KERNEL) 'console=ttyS0 panic=-1' $(INITRD)

-include $(HV_OBJS:.o=.d) $(PROTOCOL_OBJS:.o=.d) $(MONITOR_OBJS:.o=.d)
-include $(foreach t,$(UNIT_TESTS),$(patsubst %.o,%.d,$(call unit_objs,$(t))))
-include $(foreach t,$(FUZZ_TARGETS),$(patsubst %.o,%.d,$(call fuzz_objs,$(t)) $(call replay_objs,$(t))))
