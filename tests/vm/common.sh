# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What every host-side script shares: messages, preconditions, and caches that survive interruption. Sourced, not run.

set -euo pipefail

VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SRC=$(cd "$VM_DIR/../.." && pwd)
KSMBD_CACHE=${KSMBD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ksmbd}
# What a build of everything from nothing needs, in MiB.
NEED_DISK_MIB=9000

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'ksmbd: %s\n' "$*" >&2; exit 1; }

# need_host: everything the host must bring, each missing thing one sentence.
need_host() {
	[ "$(uname -s)" = Linux ] || die "this needs a Linux host, and $(uname -s) is not one."
	[ "$(uname -m)" = x86_64 ] || die "this needs an x86-64 host: the stock kernel it boots is Debian's amd64 one."
	[ "$(id -u)" = 0 ] || die "this needs root, to make Debian chroots: run it with sudo."
	command -v apt-get >/dev/null || die "this needs Debian's apt-get on the host (Debian 12 or 13)."
	local tool
	for tool in flock unshare sha256sum chroot timeout; do
		command -v "$tool" >/dev/null || die "the host lacks '$tool': install coreutils and util-linux."
	done
	mkdir -p "$KSMBD_CACHE" 2>/dev/null || die "cannot create the cache folder $KSMBD_CACHE: set KSMBD_CACHE to a writable place."
	KSMBD_CACHE=$(cd "$KSMBD_CACHE" && pwd)
	unshare --mount --pid --fork true 2>/dev/null || die "this needs the right to make mount and PID namespaces (CAP_SYS_ADMIN): containers need --privileged."
}

need_disk() {
	local free
	free=$(df -Pm "$KSMBD_CACHE" | awk 'NR==2 { print $4 }')
	[ "$free" -ge "$1" ] || die "$KSMBD_CACHE has $free MiB free and $1 MiB are needed: free some, or set KSMBD_CACHE to a larger disk."
}

# need_package PROGRAM PACKAGE: installs PACKAGE from the host's archive when PROGRAM is missing.
need_package() {
	command -v "$1" >/dev/null && return
	say "installing $2 on the host"
	{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$2"; } \
		>"$KSMBD_CACHE/apt.log" 2>&1 ||
		die "cannot install the package $2, which provides $1: see $KSMBD_CACHE/apt.log ($(tail -n1 "$KSMBD_CACHE/apt.log"))."
}

# run_logged WHAT LOG COMMAND...: runs COMMAND with its output in LOG, shows the time passing, explains a failure.
run_logged() {
	local what=$1 log=$2 start=$SECONDS pid rc=0 mark=0
	shift 2
	say "$what"
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	# An interrupt must take the work down too: a background job ignores the terminal's.
	trap 'kill -TERM $pid 2>/dev/null; wait $pid 2>/dev/null; exit 130' INT TERM
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.5
		if [ $((SECONDS - start - mark)) -ge 15 ]; then
			mark=$((SECONDS - start))
			printf '    %3d s, %s: %s\n' "$mark" "$(basename "$log" .log)" "$(tail -n1 "$log" | cut -c1-100)" >&2
		fi
	done
	wait "$pid" || rc=$?
	trap - INT TERM
	[ $rc = 0 ] && { printf '    %s done in %d s\n' "$(basename "$log" .log)" $((SECONDS - start)) >&2; return 0; }
	tail -n 15 "$log" >&2
	if grep -qE 'Could not resolve|Temporary failure resolving|Could not connect|Connection timed out|Network is unreachable|Failed to fetch' "$log"; then
		die "$what failed because the Debian archive $KSMBD_MIRROR cannot be reached: check the network, or set KSMBD_MIRROR. Log: $log"
	elif grep -q 'No space left on device' "$log"; then
		die "$what failed because the disk of $KSMBD_CACHE is full. Log: $log"
	fi
	die "$what failed: the lines above are the end of $log"
}

# hash_of FILE...: names a cache by the content of what it is made from.
hash_of() { cat "$@" | sha256sum | cut -c1-12; }

# cached NAME HASH FUNCTION: sets REPLY to the folder $KSMBD_CACHE/NAME-HASH, made by `FUNCTION FOLDER` when it is missing.
# Work happens in a temporary folder that is renamed at the end, under a lock: an interruption leaves nothing half made.
cached() {
	local name=$1 dir=$KSMBD_CACHE/$1-$2 make=$3 tmp old
	if [ ! -d "$dir" ]; then
		exec 9>"$KSMBD_CACHE/lock.$name"
		flock -n 9 || { say "waiting for another run that is making $name"; flock 9; }
		if [ ! -d "$dir" ]; then
			for old in "$KSMBD_CACHE"/tmp."$name".*; do
				[ ! -e "$old" ] || rm -rf --one-file-system "$old"
			done
			need_disk "$NEED_DISK_MIB"
			tmp=$KSMBD_CACHE/tmp.$name.$$
			mkdir -p "$tmp"
			"$make" "$tmp"
			mv "$tmp" "$dir"
		fi
		exec 9>&-
	fi
	touch "$dir"
	# Another checkout may still use the folders of its own inputs: only those unused for a month go.
	find "$KSMBD_CACHE" -maxdepth 1 -name "$name-*" -type d -mtime +30 -exec rm -rf --one-file-system {} +
	REPLY=$dir
}
