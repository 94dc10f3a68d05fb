#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Finishes the toolchain root: the mount points that enter.sh fills.
set -eu
root=$1
for dir in src build k guest cargo; do mkdir -p "$root/$dir"; done
rm -f "$root/etc/resolv.conf"
: >"$root/etc/resolv.conf"
: >>"$root/etc/hosts"
# virtiofsd keeps its pid file here.
mkdir -p "$root/var/run/virtiofsd" 2>/dev/null || true
