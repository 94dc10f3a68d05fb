#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs inside fresh mount and PID namespaces (see enter() in roots.sh): assembles the toolchain root and runs a command in it.
set -euo pipefail

# Read as a whole before it runs: bash goes on reading its script after the command, which may take hours, and the file may
# have been edited meanwhile.
main() {
	root=$TOOLS_DIR/root
	# A read-only view of the cached root: no build can change it.
	view=$(mktemp -d)
	mount --bind "$root" "$view"
	mount -o remount,ro,bind "$view"
	root=$view

	mount -t proc proc "$root/proc"
	mount --rbind /sys "$root/sys"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
	mount -t tmpfs tmpfs "$root/run"
	mount -t tmpfs tmpfs "$root/root"
	mount --bind "$SRC" "$root/src"
	[ "${SRC_WRITABLE:-}" = 1 ] || mount -o remount,ro,bind "$root/src"
	mount --bind "$BUILD" "$root/build"
	# What a build for another kernel has in common with the stock one's (roots/debug.sh).
	[ -z "${BUILD_SHARED:-}" ] || for name in cargo tools lock; do mount --bind "$BUILD_SHARED/$name" "$root/build/$name"; done
	mount --bind "$KSMBD_CACHE/cargo" "$root/cargo"
	if [ -n "${KERNEL_DIR:-}" ]; then
		mount --bind "$KERNEL_DIR" "$root/k"
		# Only while it is being made does anything write there.
		[ ! -e "$KERNEL_DIR/release" ] || mount -o remount,ro,bind "$root/k"
		# A kernel built of another one's source.
		if [ -n "${STOCK_DIR:-}" ]; then
			mount --bind "$STOCK_DIR/src" "$root/k/src"
			mount -o remount,ro,bind "$root/k/src"
		fi
	fi
	if [ -n "${GUEST_DIR:-}" ]; then
		mount --bind "$GUEST_DIR/root" "$root/guest"
		mount -o remount,ro,bind "$root/guest"
	fi

	# The host's way to the network: name resolution, certificate authorities, cargo's registries and proxies.
	mount --bind "$(realpath /etc/resolv.conf)" "$root/etc/resolv.conf"
	mount --bind /etc/hosts "$root/etc/hosts"
	[ ! -s /etc/ssl/certs/ca-certificates.crt ] ||
		mount --bind /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
	for config in "${CARGO_HOME:-$HOME/.cargo}/config.toml" "${CARGO_HOME:-$HOME/.cargo}/config"; do
		if [ -f "$config" ]; then
			# Registries and network only: the host's targets, linkers and wrappers mean nothing here.
			awk '/^\[/ { keep = /^\[(source|registr|http|net)/ } keep' "$config" >"$root/cargo/config.toml"
			break
		fi
	done

	pass=()
	for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY all_proxy ALL_PROXY TERM COLUMNS CI \
		$(compgen -e CARGO_REGISTR || true) $(compgen -e CARGO_NET || true) $(compgen -e CARGO_HTTP || true) $(compgen -e CARGO_SOURCE || true) $(compgen -e KSMBD_ || true); do
		[ -z "${!name:-}" ] || pass+=("$name=${!name}")
	done

	# This shell stays as process 1: a process 1 without handlers would be deaf to the terminal's interrupt.
	trap 'exit 130' INT TERM
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 USER=root SHELL=/bin/bash PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
		CARGO_HOME=/cargo CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS=fallback \
		SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt \
		${pass[@]+"${pass[@]}"} chroot "$root" "$@"
}
main "$@"; exit
