# SPDX-License-Identifier: GPL-2.0
"""The kernel log: what it says while a test runs belongs to that test."""

import os
import re

BAD = re.compile(
    r"WARNING: |\bBUG\b|Oops|general protection|KASAN|UBSAN|Call Trace|cut here|Modules linked in|blocked for more than|"
    r"rust_kernel: panicked|rust_panic|panicked at|left at unload|unreferenced object|refcount_t|list_(add|del) corruption|"
    r"soft lockup|lines lost|rcu.*(stall|detected|starved)|Kernel panic|Bad page|double free|use-after-free|leaked|"
    # What the kernel tells in one line without a stack: references that do not come back, file systems in trouble, memory that is out.
    r"unregister_netdevice: waiting for|Attempt to release|Busy inodes after unmount|still in use \(\d|percpu ref .*<= 0|duplicate filename|"
    r"EXT4-fs error|Aborting journal|I/O error|invoked oom-killer|Out of memory|page allocation failure|"
    # Programs that crash, ours or the tests'.
    r"segfault at|traps: |trap invalid opcode|"
    # lockdep, debug objects, reference trackers and KUnit of the debug kernel.
    r"possible (recursive|circular|irq lock inversion|irq-unsafe)|inconsistent lock state|bad unlock balance|lock held when returning|"
    r"still has locks held|held lock freed|INFO: trying to register non-static key|ODEBUG:|ref_tracker:.*has \d+/\d+ users|"
    r"suspicious RCU usage|sleeping function called|scheduling while atomic|^\s*not ok \d"
)
# Lines shown of what is wrong: a splat of lockdep holds several stacks.
LENGTH = 120
# What the stock kernel says of itself under emulation.
HARMLESS = re.compile(r"clocksource|TSC|hrtimer: interrupt took|perf: interrupt took|RETBleed|Spectre|MDS|systemd|debug is enabled")


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
    def without_injected(lines):
        """(`lines` without the stacks of allocations that were made to fail, those stacks)."""
        kept, stacks, inside = [], [], False
        for line in lines:
            if "FAULT_INJECTION: forcing a failure" in line:
                stacks.append([])
                inside = True
            elif inside:
                stacks[-1].append(line)
                inside = "</TASK>" not in line
            else:
                kept.append(line)
        return kept, stacks

    @staticmethod
    def bad(lines):
        """The part of `lines` to show when something in it is wrong, else an empty list."""
        lines, _injected = KernelLog.without_injected(lines)
        for index, line in enumerate(lines):
            if BAD.search(line) and not HARMLESS.search(line):
                return lines[max(0, index - 2) : index + LENGTH]
        return []
