# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The debug kernel: a recipe for cached(). Sourced after roots.sh, whose setup() comes first.

# What it needs on the disk while it is built, in MiB.
DEBUG_DISK_MIB=6000

# make_debug_kernel FOLDER: the stock kernel's source with the options of conf/debug.config.
make_debug_kernel() {
	local stock=$KERNEL_DIR
	need_disk "$DEBUG_DISK_MIB"
	mkdir -p "$1/src"
	KERNEL_DIR=$1 STOCK_DIR=$stock run_logged \
		"building the debug kernel of the stock kernel's source, once (half an hour on four processors)" "$KSMBD_CACHE/debug-kernel.log" \
		enter sh -eu /src/tests/vm/roots/debug-kernel.sh
}

# setup_debug: after setup(): makes the debug kernel when it is missing, and lets enter() see it in the stock kernel's place. Its products
# go to build/debug; the programs, which do not depend on the kernel, are those of build/.
# KSMBD_DEBUG_KERNEL names a folder of such a kernel that was made elsewhere.
setup_debug() {
	local stock=$KERNEL_DIR conf=$VM_DIR/conf name
	if [ -n "${KSMBD_DEBUG_KERNEL:-}" ]; then
		[ -e "$KSMBD_DEBUG_KERNEL/release" ] || die "KSMBD_DEBUG_KERNEL is $KSMBD_DEBUG_KERNEL, and there is no debug kernel."
		REPLY=$(realpath "$KSMBD_DEBUG_KERNEL")
	else
		# By the compilers, and not by all that is beside them in the toolchain root: this takes long.
		cached debug-kernel "$(chroot "$TOOLS_DIR/root" sh -c 'rustc -V; clang --version; bindgen --version' |
			hash_of - "$conf/debug.config" "$VM_DIR/roots/debug-kernel.sh" "$stock/release")" make_debug_kernel
	fi
	KERNEL_DIR=$REPLY
	export KSMBD_FLAVOUR=debug STOCK_DIR=$stock BUILD=${BUILD:-$SRC/build}/debug BUILD_SHARED=${BUILD:-$SRC/build}
	for name in cargo tools; do mkdir -p "$BUILD_SHARED/$name" "$BUILD/$name"; done
	touch "$BUILD_SHARED/lock" "$BUILD/lock"
}
