# SPDX-License-Identifier: GPL-2.0
"""The conditions under which a figure is taken: mounts without caches, a machine that does nothing by the clock, files to work on."""

import contextlib
import gc
import os
import random
import re
import signal
import time

from lib import client, machine
from lib.proc import Skip

ROOT = "/srv/smb/share"
MIB = 1 << 20
FILE_MIB = 64
# What the client must not answer out of its own memory: data, attributes, handles kept open, directory leases.
UNCACHED = {"cache": "none", "actimeo": "0", "closetimeo": "0", "nohandlecache": True}
SIGNED = {"sec": "ntlmsspi"}
# How cifs.ko is made to choose: (mount options, what it must say of the connection)
MOUNTS = {
    "plain": ({}, {"dialect": 0x311, "sealed": False}),
    "hmac-sha256": ({"vers": "2.1", **SIGNED}, {"dialect": 0x210, "sealed": False}),
    "aes-cmac": (SIGNED, {"dialect": 0x311, "sealed": False}),
    "aes-128-ccm": ({"vers": "3.0", "seal": True}, {"dialect": 0x300, "sealed": True}),
    "aes-128-gcm": ({"seal": True}, {"dialect": 0x311, "sealed": True, "cipher": "AES128-GCM"}),
    "aes-256-gcm": ({"seal": True}, {"dialect": 0x311, "sealed": True, "cipher": "AES256-GCM"}),
}
REQUIRE_256 = "/sys/module/cifs/parameters/require_gcm_256"


@contextlib.contextmanager
def never_idle():
    """Keeps the processor busy with nothing for a while. An idle guest's clock jumps from timer to timer, so while it waits for the
    host's files, seconds would pass for minutes and every timeout would fire."""
    child = os.fork()
    if child == 0:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        while True:
            pass
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _check(protection, expected):
    """The mount must be protected as it was to be, and in no other way."""
    seen = client.connection()
    for key, value in expected.items():
        if seen[key] != value:
            raise Skip(f"cifs.ko and the server agreed on {key} {seen[key]} and not {value}")
    signed = bool(re.search(r"signed", seen["session"]))
    if MOUNTS[protection][0].get("sec") and not signed:
        raise Skip("the session is not signed")


@contextlib.contextmanager
def mounted(protection="plain", **options):
    """The share mounted without client caches; gives its path. Skip if client and server do not agree on the protection."""
    chosen, expected = MOUNTS[protection]
    with contextlib.suppress(OSError):
        machine.write(REQUIRE_256, "Y" if protection == "aes-256-gcm" else "N")
    with contextlib.ExitStack() as stack:
        # The first mount of a kind has the kernel look for modules, which are among the host's files.
        with never_idle():
            where = stack.enter_context(client.mounted("share", **{**UNCACHED, **chosen, **options}))
        refused = None
        try:
            _check(protection, expected)
        except Skip as reason:
            refused = reason
        if not refused:
            yield where
    if refused:
        raise refused


def _worked():
    """Nanoseconds that processors ran tasks since the start."""
    with open("/proc/schedstat", encoding="ascii") as file:
        return sum(int(line.split()[7]) for line in file if line.startswith("cpu"))


class Spent:
    """Nanoseconds of the instruction clock, and how many of them nothing ran: waiting costs no instruction, and is time all the same."""

    def __init__(self, elapsed=0, idle=0):
        self.elapsed, self.idle = elapsed, idle

    def __add__(self, other):
        return Spent(self.elapsed + other.elapsed, self.idle + other.idle)

    @property
    def waited(self):
        """The part of the time in which nothing ran."""
        return max(0.0, self.idle / self.elapsed)


def timed(function, *args):
    """What `function` takes."""
    outer, worked = time.monotonic_ns(), _worked()
    start = time.monotonic_ns()
    function(*args)
    end = time.monotonic_ns()
    return Spent(end - start, end - outer - (_worked() - worked))


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


@contextlib.contextmanager
def data_file():
    """A file of FILE_MIB on the share, all of its pages there."""
    pattern = random.Random(1).randbytes(MIB)
    path = f"{ROOT}/data"
    with open(path, "wb") as file:
        for _ in range(FILE_MIB):
            file.write(pattern)
    os.chmod(path, 0o666)
    try:
        yield path
    finally:
        os.unlink(path)
