# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The two Debian roots and the kernel: recipes for cached(). Sourced after common.sh.

# The archive of the host's own sources, which is known to be reachable, unless KSMBD_MIRROR names one.
host_mirror() {
	local uri
	uri=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
		grep -vE '^[[:space:]]*#' | grep -oE 'https?://[^ ]+/debian/?([[:space:]]|$)' | head -n1 | tr -d '[:space:]' || true)
	printf '%s\n' "${uri:-http://deb.debian.org/debian}"
}
KSMBD_MIRROR=${KSMBD_MIRROR:-$(host_mirror)}

# What the host's apt says about proxies and about clocks holds for the roots too.
apt_options() {
	apt-config dump 2>/dev/null |
		grep -E '^Acquire::(https?::.*[Pp]roxy|Check-Valid-Until|Check-Date|https?::Ca[Ii]nfo)' | grep -v '""' || true
}

# packages FILE: the names in FILE, comma separated.
packages() { grep -v '^#' "$1" | tr -s ' \n' ',,' | sed 's/^,//; s/,$//'; }

# bootstrap FOLDER PACKAGES HOOK-SCRIPT: a trixie root in FOLDER/root.
bootstrap() {
	local dir=$1 opts=() line
	need_package mmdebstrap mmdebstrap
	while IFS= read -r line; do [ -z "$line" ] || opts+=(--aptopt="$line"); done <<<"$(apt_options)"
	# A mount namespace of its own: a killed bootstrap leaves no mounts behind.
	unshare --mount --propagation private mmdebstrap --mode=root --variant=minbase --include="$2" "${opts[@]}" \
		--dpkgopt='force-unsafe-io' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook="sh -eu '$3' \"\$1\"" \
		trixie "$dir/root" "deb $KSMBD_MIRROR trixie main"
}

make_tools() {
	run_logged "making the toolchain root: Debian trixie with rustc, clang, cargo and QEMU (one to three minutes)" "$KSMBD_CACHE/tools.log" \
		bootstrap "$1" "$(packages "$VM_DIR/conf/tools.packages")" "$VM_DIR/roots/tools.sh"
}

make_guest() {
	run_logged "making the guest root: Debian trixie with the SMB clients and test programs (one to two minutes)" "$KSMBD_CACHE/guest.log" \
		bootstrap "$1" "$(packages "$VM_DIR/conf/guest.packages")" "$VM_DIR/roots/guest.sh"
}

make_kernel() {
	# shellcheck source=conf/kernel.conf
	. "$VM_DIR/conf/kernel.conf"
	KERNEL_DIR=$1 run_logged "fetching the stock kernel $KERNEL_RELEASE and preparing its object tree (two to four minutes)" "$KSMBD_CACHE/kernel.log" \
		enter sh -eu /src/tests/vm/roots/kernel.sh "$KERNEL_RELEASE" "$KERNEL_SUITE" "$KSMBD_MIRROR"
	! grep '^NOTE:' "$KSMBD_CACHE/kernel.log" >&2
}

# setup: makes what is missing; sets TOOLS_DIR, GUEST_DIR, KERNEL_DIR.
setup() {
	need_host
	local recipe=$VM_DIR/roots.sh conf=$VM_DIR/conf guest maker
	guest=$(hash_of "$recipe" "$conf/guest.packages" "$VM_DIR/roots/guest.sh")
	cached tools "$(hash_of "$recipe" "$conf/tools.packages" "$VM_DIR/roots/tools.sh")" make_tools
	TOOLS_DIR=$REPLY
	# The guest's root takes as long as the kernel, and each leaves processors idle.
	cached guest "$guest" make_guest &
	maker=$!
	# shellcheck disable=SC2064
	trap "kill -TERM $maker 2>/dev/null || true" EXIT
	cached kernel "$(hash_of "$conf/kernel.conf" "$VM_DIR/roots/kernel.sh" "$conf/tools.packages")" make_kernel
	KERNEL_DIR=$REPLY
	wait $maker || exit 1
	trap - EXIT
	cached guest "$guest" make_guest
	GUEST_DIR=$REPLY
}

# enter COMMAND...: runs COMMAND in the toolchain root, in mount and PID namespaces of its own, so that nothing it mounts
# or starts outlives it. There, /src is this tree, /build its products, /k the kernel, /guest the guest root.
enter() {
	mkdir -p "$SRC/build" "$KSMBD_CACHE/cargo"
	TOOLS_DIR=$TOOLS_DIR KERNEL_DIR=${KERNEL_DIR:-} GUEST_DIR=${GUEST_DIR:-} SRC=$SRC BUILD=${BUILD:-$SRC/build} KSMBD_CACHE=$KSMBD_CACHE \
		unshare --mount --propagation private --pid --fork --kill-child=KILL -- bash "$VM_DIR/enter.sh" "$@"
}
