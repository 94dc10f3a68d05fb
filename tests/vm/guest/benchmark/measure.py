# SPDX-License-Identifier: GPL-2.0
"""Timing, and the conditions under which a figure is taken."""

import contextlib
import gc
import os
import re
import time

from lib import client, machine

ROOT = "/srv/smb/share"
MIB = 1 << 20
PAGE = 4096
# What the client must not answer out of its own memory: data, attributes, handles kept open, directory leases.
UNCACHED = {"cache": "none", "actimeo": "0", "closetimeo": "0", "nohandlecache": True}
MOUNTS = {"plain": {}, "sign": {"sec": "ntlmsspi"}, "seal": {"seal": True}}


@contextlib.contextmanager
def mounted(protection="plain"):
    """The share mounted without client caches; gives its path."""
    with client.mounted("share", **UNCACHED, **MOUNTS[protection]) as where:
        yield where


def protection_in_use():
    """The cipher and signing that the client says are in use."""
    seen = client.connection()
    words = [f"dialect {seen['dialect']:#x}"]
    if seen["sealed"]:
        words.append(f"sealed with {seen['cipher']}")
    elif "signed" in seen["session"]:
        algorithm = re.search(r"[Ss]igning[^\n]*", seen["text"])
        words.append(f"signed ({algorithm.group(0).strip() if algorithm else 'AES-CMAC'})")
    return ", ".join(words)


def timed(function, *args):
    """Nanoseconds of the instruction clock that `function` takes."""
    start = time.monotonic_ns()
    function(*args)
    return time.monotonic_ns() - start


def settle(seconds=2):
    """Lets what earlier work left (delayed frees, timers) run out. Idle time costs nothing under this clock."""
    os.sync()
    time.sleep(seconds)


def quiet():
    """No collector of garbage, and no housekeeping of the kernel's that comes by the clock."""
    gc.disable()
    for path, text in {
        "/proc/sys/kernel/hung_task_timeout_secs": "0",
        "/proc/sys/vm/dirty_writeback_centisecs": "0",
        "/proc/sys/vm/stat_interval": "3600",
        "/sys/module/rcupdate/parameters/rcu_cpu_stall_suppress": "1",
    }.items():
        with contextlib.suppress(OSError):
            machine.write(path, text)
