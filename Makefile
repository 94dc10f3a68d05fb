# SPDX-License-Identifier: GPL-2.0
#
# ksmbd: an SMB3 server in the Linux kernel, in Rust, and its user space. `make help` lists the targets.
#
# Without KDIR, everything is built in a Debian toolchain root below KSMBD_CACHE for the stock kernel that tests/vm/conf/kernel.conf
# names. With KDIR, the module is built in place against that kernel tree, and the programs with the host's cargo.

VM        := tests/vm/ksmbd-vm
CARGO     ?= cargo
INSTALL   ?= install
PROGRAMS  := mountd control adduser addshare

# Where `make install` puts things; each goes below DESTDIR.
PREFIX    ?= /usr/local
SBINDIR   ?= $(PREFIX)/sbin
MANDIR    ?= $(PREFIX)/share/man
BASHDIR   ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR    ?= $(PREFIX)/share/zsh/site-functions
FISHDIR   ?= $(PREFIX)/share/fish/vendor_completions.d
UNITDIR   ?= $(PREFIX)/lib/systemd/system
MODULEDIR  = /lib/modules/$(KERNELRELEASE)/updates

ifdef KDIR
KERNELRELEASE ?= $(shell cat $(KDIR)/include/config/kernel.release 2>/dev/null)
KO        := ksmbd.ko
TARGET    := $(or $(CARGO_TARGET_DIR),target)
TOOLS     := $(TARGET)/release/ksmbd-
MANUAL    := $(TARGET)/manual
else
KERNELRELEASE ?= $(shell cat build/release 2>/dev/null)
KO        := build/ksmbd.ko
TOOLS     := build/tools/ksmbd.
MANUAL    := build/manual
endif

# What to test: make test SUITE=mount,io TEST='mount.3.*,io.rename' SERVER=c
SELECT = $(if $(SUITE),--suite '$(SUITE)') $(if $(TEST),--test '$(TEST)') $(if $(SERVER),--server '$(SERVER)') $(if $(VMS),--jobs '$(VMS)')

.PHONY: all modules tools install modules_install tools_install doc_install unit_install uninstall kdir_check clean check audit fmt doc check-in-tree test test-debug soak run shell bench bench-smp fuzz miri help setup list

all: modules tools

help:
	@echo 'Main targets (root on Debian 12 or 13; the first run makes caches in minutes):'
	@echo '  make run            boot the stock kernel in a VM, mount a share of ours, copy a source tree, compare, shut down'
	@echo '  make test           everything: gates, unit tests, and the suites in VMs; ends with "N passed, N failed". About 36 minutes'
	@echo '                      on two processors, caches included'
	@echo '  make shell          a shell in the VM with the share up'
	@echo
	@echo 'Building and installing:'
	@echo '  make [all]          ksmbd.ko and the programs, below build/'
	@echo '  make modules|tools  one half'
	@echo '  make KDIR=TREE      build in place against any kernel tree with Rust metadata; programs with the host'\''s cargo'
	@echo '  make install        ksmbd.ko to /lib/modules/RELEASE/updates; programs, manuals, completions and unit below PREFIX'
	@echo '  make uninstall      take away what install put there'
	@echo '                      for both: PREFIX (/usr/local), DESTDIR, KERNELRELEASE; or one part: modules_install,'
	@echo '                      tools_install, doc_install, unit_install'
	@echo '  make clean          remove what was built (not the caches)'
	@echo
	@echo 'Working on it:'
	@echo '  make check          gates: rustfmt, clippy, unsafe only below src/linux, no panics in proto and model, SPDX, licences of crates'
	@echo '  make audit          crates that were taken back (yanked), and advisories about them (RustSec, from github.com'
	@echo '                      or KSMBD_ADVISORY_DB); make test asks for both, too, and skips what it cannot reach'
	@echo '  make fmt            format with the kernel'\''s rustfmt settings'
	@echo '  make doc            documentation of the crates that cargo builds'
	@echo '  make check-in-tree  build as fs/smb/server of an unpacked linux-source'
	@echo '  make bench          speed and memory beside the C module and Samba by the instruction clock, and a plot of the growth over the'
	@echo '                      size of a directory (build/bench.svg); CASE=, SERVERS=, REPEATS=, CHECK=1. All of it takes an hour, one'
	@echo '                      case one to two minutes'
	@echo '  make bench-smp      many clients against 1, 2, ... processors that run side by side, as ratios; CASE=, SERVERS=, REPEATS=.'
	@echo '                      Ten to twenty minutes'
	@echo '  make test-debug     tests in a kernel of the same source with KASAN, lockdep, kmemleak, UBSAN and more, the KUnit suites, and a'
	@echo '                      sweep that makes every allocation fail; selects as test does, FULL=1 runs all. The first run builds that'
	@echo '                      kernel (half an hour on four processors); then one and a half to three hours, FULL=1 a day'
	@echo '  make soak MINUTES=n clients of every kind, kills, restarts and reloads for n minutes (60; at least 15); memory and handles are'
	@echo '                      plotted (build/soak.svg) and must not grow; SEED=, DEBUG=1 in the kernel of test-debug'
	@echo '  make fuzz           fuzz every parser for MINUTES in all (60); TARGET=name'
	@echo '  make miri           unit tests of proto and model under Miri, with the host'\''s nightly toolchain (half an hour)'
	@echo '  make setup          only make the caches'
	@echo '  make list           the names of the tests in VMs'
	@echo
	@echo 'Selecting: make test SUITE=torture TEST=smb2.read.eof; SUITE and TEST take several, comma separated, and TEST shell patterns;'
	@echo '           SERVER=ours|c|ours-module|ours-tools|samba; VMS=machines at a time'
	@echo 'Environment: KSMBD_CACHE (default ~/.cache/ksmbd), KSMBD_MIRROR (Debian archive), KSMBD_JOBS (default: all processors)'

ifdef KDIR
modules: kdir_check
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

# A tree that cannot build a Rust module says so here, and not in the words of the first file that fails.
kdir_check:
	@tests/kdir-check '$(KDIR)'

tools:
	$(CARGO) build --release --bins --locked
	$(CARGO) build --release --locked -p ksmbd-tools --example manual
	rm -rf $(MANUAL)
	$(TARGET)/release/examples/manual $(MANUAL)
else
modules:
	@$(VM) modules

tools:
	@$(VM) tools
endif

install: modules_install tools_install doc_install unit_install

# install-or-say FILE
define built
	@test -e $(1) || { echo "ksmbd: there is no $(1) yet: run make$(if $(KDIR), KDIR=$(KDIR)) first." >&2; exit 1; }
endef
define known-release
	@test -n "$(KERNELRELEASE)" || { echo "ksmbd: cannot tell the kernel's release: pass KERNELRELEASE=." >&2; exit 1; }
endef
define depmod
	@if [ -e "$(DESTDIR)/lib/modules/$(KERNELRELEASE)/modules.order" ]; then depmod $(if $(DESTDIR),-b "$(DESTDIR)") $(KERNELRELEASE); fi
endef

modules_install:
	$(call built,$(KO))
	$(known-release)
	$(INSTALL) -D -m 644 $(KO) "$(DESTDIR)$(MODULEDIR)/ksmbd.ko"
	$(depmod)

tools_install:
	$(call built,$(TOOLS)mountd)
	$(INSTALL) -d "$(DESTDIR)$(SBINDIR)"
	for name in $(PROGRAMS); do $(INSTALL) -m 755 $(TOOLS)$$name "$(DESTDIR)$(SBINDIR)/ksmbd.$$name" || exit 1; done

doc_install:
	$(call built,$(MANUAL))
	$(INSTALL) -d "$(DESTDIR)$(MANDIR)/man5" "$(DESTDIR)$(MANDIR)/man8" "$(DESTDIR)$(BASHDIR)" "$(DESTDIR)$(ZSHDIR)" "$(DESTDIR)$(FISHDIR)"
	$(INSTALL) -m 644 Documentation/man/*.5 "$(DESTDIR)$(MANDIR)/man5"
	$(INSTALL) -m 644 $(MANUAL)/*.8 "$(DESTDIR)$(MANDIR)/man8"
	for name in $(PROGRAMS); do $(INSTALL) -m 644 $(MANUAL)/ksmbd.$$name.bash "$(DESTDIR)$(BASHDIR)/ksmbd.$$name" || exit 1; done
	$(INSTALL) -m 644 $(MANUAL)/_ksmbd.* "$(DESTDIR)$(ZSHDIR)"
	$(INSTALL) -m 644 $(MANUAL)/*.fish "$(DESTDIR)$(FISHDIR)"

unit_install:
	$(INSTALL) -d "$(DESTDIR)$(UNITDIR)"
	sed -e '/^# .make install./d' -e 's|@SBINDIR@|$(SBINDIR)|g' mountd/ksmbd.service.in >"$(DESTDIR)$(UNITDIR)/.ksmbd.service"
	chmod 644 "$(DESTDIR)$(UNITDIR)/.ksmbd.service"
	mv "$(DESTDIR)$(UNITDIR)/.ksmbd.service" "$(DESTDIR)$(UNITDIR)/ksmbd.service"

# The configuration and the users stay.
uninstall:
	$(known-release)
	rm -f "$(DESTDIR)$(MODULEDIR)/ksmbd.ko" "$(DESTDIR)$(UNITDIR)/ksmbd.service"
	for name in $(PROGRAMS); do rm -f "$(DESTDIR)$(SBINDIR)/ksmbd.$$name" "$(DESTDIR)$(MANDIR)/man8/ksmbd.$$name.8" \
		"$(DESTDIR)$(BASHDIR)/ksmbd.$$name" "$(DESTDIR)$(ZSHDIR)/_ksmbd.$$name" "$(DESTDIR)$(FISHDIR)/ksmbd.$$name.fish"; done
	for page in Documentation/man/*.5; do rm -f "$(DESTDIR)$(MANDIR)/man5/$${page##*/}"; done
	$(depmod)

clean:
	rm -rf build target
	find Kbuild src -name '*.o' -o -name '*.ko' -o -name '*.cmd' -o -name '*.rmeta' -o -name '*.mod' -o -name '*.mod.c' -o -name '.*.d' | xargs -r rm -f
	rm -f ksmbd.ko ksmbd.o ksmbd.mod ksmbd.mod.c ksmbd.mod.o .ksmbd*.cmd .module-common.o .*.cmd modules.order Module.symvers src/linux/sys/bindings.rs

check audit fmt doc check-in-tree list setup:
	@$(VM) $@

test:
	@$(VM) test $(SELECT)

# make test-debug SUITE=mount TEST='mount.3.*' SERVER=ours-module
test-debug:
	@$(VM) debug test-debug $(SELECT) $(if $(FULL),--full)

# make soak MINUTES=240 SEED=1 DEBUG=1
soak:
	@$(VM) $(if $(DEBUG),debug) soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) $(if $(SERVER),--server '$(SERVER)')

run shell:
	@$(VM) $@ $(if $(SERVER),--server '$(SERVER)')

# make bench CASE='load-read-*,cifs-stat-*' SERVERS=c,ours REPEATS=3 CHECK=1 VMS=2
bench bench-smp:
	@$(VM) $@ $(if $(VMS),--jobs '$(VMS)') $(if $(CASE),--case '$(CASE)') $(if $(SERVERS),--servers '$(SERVERS)') $(if $(REPEATS),--repeats '$(REPEATS)') $(if $(CHECK),--check)

# make fuzz MINUTES=600 TARGET=security
fuzz:
	@$(VM) fuzz $(if $(TARGET),--case '$(TARGET)') $(if $(MINUTES),--minutes '$(MINUTES)')

# Debian has no Miri: this takes the host's. Few cases of each property, and none of the recorded messages, since it is slow.
miri:
	@$(CARGO) +nightly miri --version >/dev/null 2>&1 || { echo "ksmbd: there is no Miri here: rustup toolchain install nightly --component miri,rust-src" >&2; exit 1; }
	MIRIFLAGS=-Zmiri-disable-isolation PROPTEST_CASES=4 PROPTEST_FAILURE_PERSISTENCE=off CARGO_TARGET_DIR=target/miri \
		$(CARGO) +nightly miri test --locked -p smb_proto -p smb_model -- --skip every_ --skip recorded
