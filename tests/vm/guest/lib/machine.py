# SPDX-License-Identifier: GPL-2.0
"""Makes a usable machine of a freshly booted kernel without udev or an init system."""

import glob
import os
import subprocess

from .proc import patient, run

USER, PASSWORD = "testuser", "Secret-007"
OTHER, OTHER_PASSWORD = "other", "Other-008"


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def is_debug():
    """Whether this is the kernel of `make test-debug`."""
    return os.uname().release.endswith("-ksmbd-debug")


def prepare():
    """Network, hardware crypto, disks, users."""
    run("ip", "link", "set", "lo", "up")
    for module in ("aesni_intel", "ghash_clmulni_intel", "virtio_blk", "ext4"):
        # Some are built in or named otherwise in other kernels.
        subprocess.run(["modprobe", "-q", module], check=False)
    write("/proc/sys/kernel/hung_task_timeout_secs", str(min(patient(120), 600)))
    write("/proc/sys/kernel/panic_on_oops", "0")
    # A page that is just being made part of a huge one cannot be copied from for a moment, which the client's netfs tells a writer as
    # EFAULT instead of trying again.
    huge_pages = "/sys/kernel/mm/transparent_hugepage/enabled"
    # The debug kernel has none.
    if os.path.exists(huge_pages):
        write(huge_pages, "never")
    # A processor that its host takes away for long lets the scheduler's fair server forward a timer that is queued, and the kernel warns.
    for runtime in glob.glob("/sys/kernel/debug/sched/fair_server/cpu*/runtime"):
        write(runtime, "0")
    write("/proc/sys/kernel/printk_devkmsg", "on\n")
    for name in (USER, OTHER):
        run("useradd", "-M", "-s", "/bin/false", name)
    os.makedirs("/srv/smb", exist_ok=True)
    os.makedirs("/mnt/smb", exist_ok=True)


def kmsg(text):
    """Marks a place in the kernel log, so that the console's reader sees which test ran."""
    try:
        write("/dev/kmsg", f"ksmbd-test: {text}\n")
    except OSError:
        pass


class Disk:
    """A file system to share."""

    def __init__(self, kind="ext4", options=""):
        self.kind, self.options, self.where = kind, options, None

    def mount(self, where):
        os.makedirs(where, exist_ok=True)
        if self.kind == "tmpfs":
            run("mount", "-t", "tmpfs", "-o", self.options or "size=512m", "tmpfs", where)
        else:
            # The host formatted it: a format in an emulated machine takes longer.
            run("mount", "-t", self.kind, *(["-o", self.options] if self.options else []), "/dev/vda", where)
        self.where = where
        return where

    def umount(self):
        run("umount", self.where, timeout=300)
