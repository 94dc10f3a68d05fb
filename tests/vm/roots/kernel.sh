#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs in the toolchain root with the kernel cache at /k: fetches the stock kernel's packages and regenerates the Rust metadata
# that its headers package lacks. Leaves /k/release, /k/vmlinuz, /k/modules (stock), /k/src and /k/obj.
# Arguments: release suite mirror.
set -eu
release=$1
suite=$2
mirror=$3
exec 2>&1

mkdir -p /k/apt/lists/partial /k/apt/cache/archives/partial /k/debs
echo "deb $mirror $suite main" >/k/apt/sources.list
apt="-o Dir::Etc::SourceList=/k/apt/sources.list -o Dir::Etc::SourceParts=- -o Dir::State::Lists=/k/apt/lists -o Dir::Cache=/k/apt/cache -o APT::Sandbox::User=root -o Dir::State::Status=/dev/null"
apt-get $apt -q update

has() { apt-cache $apt show "$1" >/dev/null 2>&1; }
if ! has "linux-headers-$release"; then
	newer=$(apt-cache $apt depends linux-image-amd64 | sed -n 's/.*Depends: linux-image-//p' | head -n1)
	[ -n "$newer" ] || { echo "NOTE: $suite of $mirror has no linux-image-amd64."; exit 1; }
	echo "NOTE: the archive no longer has kernel $release; using $newer, which linux-image-amd64 of $suite names now."
	release=$newer
fi
base=${release%-amd64}
source=$(apt-cache $apt search --names-only '^linux-source-[0-9.]+$' | cut -d' ' -f1 |
	while read -r name; do case $release in "${name#linux-source-}".*) echo "$name" ;; esac; done | head -n1)
[ -n "$source" ] || { echo "NOTE: $suite of $mirror has no linux-source package for $release."; exit 1; }

cd /k/debs
apt-get $apt -q download "linux-headers-$release" "linux-headers-$base-common" "linux-kbuild-$base" "$source" \
	"linux-binary-$release" "linux-modules-$release" "linux-base-$release"

mkdir -p /k/hdr /k/img /k/obj /k/src /k/srcdeb
for deb in linux-headers-* linux-kbuild-*; do dpkg-deb -x "$deb" /k/hdr; done
for deb in linux-base-* linux-binary-* linux-modules-*; do dpkg-deb -x "$deb" /k/img; done
dpkg-deb -x linux-source-* /k/srcdeb
echo "unpacking $source"
tar -C /k/src --strip-components=1 -xJf /k/srcdeb/usr/src/linux-source-*.tar.xz
cd /k
rm -rf /k/debs /k/srcdeb /k/apt

mv "/k/img/usr/lib/modules/$release" /k/modules
cp "/k/modules/vmlinuz" /k/vmlinuz
headers=/k/hdr/usr/src/linux-headers-$release
cp "$headers/.config" /k/obj/.config
make -s -C /k/src O=/k/obj olddefconfig
if ! grep -q '^CONFIG_RUST=y' /k/obj/.config; then
	echo "NOTE: kernel $release was built with $(sed -n 's/^CONFIG_RUSTC_VERSION_TEXT=//p' "$headers/.config") and this toolchain is $(rustc --version): no Rust module can be built for it."
	exit 1
fi
make -C /k/src O=/k/obj -j"$(nproc)" KERNELRELEASE="$release" modules_prepare
cp "$headers/Module.symvers" /k/obj/
rm -rf /k/hdr /k/img

# A small tree of what the guest can use makes depmod take one second instead of six.
mkdir -p "/k/guest-modules/lib/modules/$release/kernel/drivers"
cd /k/modules
cp -a modules.order modules.builtin modules.builtin.modinfo "/k/guest-modules/lib/modules/$release/"
cp -a kernel/arch kernel/block kernel/crypto kernel/fs kernel/lib kernel/net "/k/guest-modules/lib/modules/$release/kernel/"
for dir in block char/hw_random infiniband virtio net/dummy.ko.xz net/veth.ko.xz net/virtio_net.ko.xz net/net_failover.ko.xz; do
	[ ! -e "kernel/drivers/$dir" ] || { mkdir -p "$(dirname "/k/guest-modules/lib/modules/$release/kernel/drivers/$dir")"
		cp -a "kernel/drivers/$dir" "/k/guest-modules/lib/modules/$release/kernel/drivers/$dir"; }
done
depmod -b /k/guest-modules "$release"
echo "$release" >/k/release
