#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Finishes the guest root: the C tools beside, mount points, and no services of its own.
set -eu
root=$1
chroot "$root" sh -euc '
	mkdir -p /opt/ksmbd-tools /tmp/deb
	chmod 777 /tmp/deb
	cd /tmp/deb
	apt-get download -q ksmbd-tools
	dpkg-deb -x ksmbd-tools_*.deb /opt/ksmbd-tools
	cd /
	rm -rf /tmp/deb
'
mkdir -p "$root/host" "$root/overlay"
rm -f "$root/etc/resolv.conf" "$root/etc/fstab" "$root/etc/mtab"
ln -s /proc/self/mounts "$root/etc/mtab"
printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
echo ksmbd >"$root/etc/hostname"
