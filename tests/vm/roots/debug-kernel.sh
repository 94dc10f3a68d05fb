#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs in the toolchain root with the debug kernel's cache at /k and the stock kernel's source at /k/src: configures and builds the same
# source with the checks of conf/debug.config. Leaves /k/release, /k/vmlinuz, /k/guest-modules and /k/obj, as roots/kernel.sh does, and
# /k/make-flags for whoever builds modules against it.
set -eu
exec 2>&1
fragment=/src/tests/vm/conf/debug.config
# Reproducible, and no name of the host that happens to build it.
export KBUILD_BUILD_USER=ksmbd KBUILD_BUILD_HOST=debug
# The kernel of clang: its sanitizers and rustc's are the same ones.
make="nice -n 10 make -C /k/src O=/k/obj LLVM=1 -j${KSMBD_JOBS:-$(nproc)}"

mkdir -p /k/obj
$make -s x86_64_defconfig kvm_guest.config
# What the fragment names is taken out of the defaults: a symbol that is set twice is complained about, once for each.
sed -n 's/^\(# \)\{0,1\}CONFIG_\([A-Z0-9_]*\)\(=.*\| is not set\)$/\2/p' "$fragment" >/tmp/named
awk 'NR == FNR { named[$1] = 1; next } { name = $0; sub(/^# /, "", name); sub(/^CONFIG_/, "", name); sub(/[= ].*/, "", name) } !(name in named)' \
	/tmp/named /k/obj/.config >/tmp/config
cat /tmp/config "$fragment" >/k/obj/.config
$make -s olddefconfig

missing=$(grep -E '^CONFIG_[A-Z0-9_]+=' "$fragment" | grep -vxFf /k/obj/.config || true)
if [ -n "$missing" ]; then
	echo "the kernel cannot be configured with:" $missing
	exit 1
fi
[ "${CONFIGURE_ONLY:-}" != 1 ] || exit 0

$make bzImage modules
$make -s modules_install INSTALL_MOD_PATH=/k/guest-modules
release=$($make -s kernelrelease)
rm -f "/k/guest-modules/lib/modules/$release/build" "/k/guest-modules/lib/modules/$release/source"
cp /k/obj/arch/x86/boot/bzImage /k/vmlinuz
# Modules are built with what scripts/, tools/, rust/ and the generated headers hold; the kernel's own objects are not needed again.
find /k/obj -path /k/obj/scripts -prune -o -path /k/obj/tools -prune -o -path /k/obj/rust -prune -o \
	\( -name '*.o' -o -name '*.a' -o -name '*.ko' -o -name 'vmlinux*' -o -name 'bzImage' \) -type f -exec rm -f {} +
# Line tables of the module that is tested, so that its stacks can be told by file and line.
echo "LLVM=1 KCFLAGS=-g1 KRUSTFLAGS=-Cdebuginfo=1" >/k/make-flags
echo "$release" >/k/release
