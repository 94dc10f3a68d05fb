# SPDX-License-Identifier: GPL-2.0
"""The kernel log: what it says while a test runs belongs to that test."""

import os
import re

BAD = re.compile(
    r"WARNING: |BUG: |Oops|kernel BUG|general protection|KASAN|UBSAN|Call Trace|blocked for more than|"
    r"rust_kernel: panicked|rust_panic|panicked at|unreferenced object|refcount_t|list_(add|del) corruption|"
    r"soft lockup|rcu.*(stall|detected)|Kernel panic|possible recursive locking|Bad page|double free|use-after-free"
)
# What the stock kernel says of itself under emulation.
HARMLESS = re.compile(r"clocksource|TSC|hrtimer: interrupt took|perf: interrupt took|RETBleed|Spectre|MDS|systemd")


class KernelLog:
    """Reads /dev/kmsg from where the last reading ended."""

    def __init__(self):
        self._fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)

    def read(self):
        """The lines since the last call."""
        lines = []
        while True:
            try:
                record = os.read(self._fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return lines
            except BrokenPipeError:
                lines.append("(kernel log overran: lines lost)")
                continue
            lines.append(record.split(";", 1)[-1].splitlines()[0])

    @staticmethod
    def bad(lines):
        """The part of `lines` to show when something in it is wrong, else an empty list."""
        for index, line in enumerate(lines):
            if BAD.search(line) and not HARMLESS.search(line):
                return lines[max(0, index - 2) : index + 40]
        return []
