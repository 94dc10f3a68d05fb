# SPDX-License-Identifier: GPL-2.0
"""Makes the n-th allocation under the module's code fail, whichever thread or worker makes it: failslab and fail_page_alloc of a kernel
with CONFIG_FAULT_INJECTION_STACKTRACE_FILTER.

The kernel counts allocations that match the filter and lets those fail whose number is a multiple of `interval`. The count is not shown
and never starts anew, but it is zero at boot and it stands still while `times` is 0, which it is after each failure. So it is known: it
is the number of the last allocation that failed, and with the interval count + n the next multiple is exactly n allocations away.
After work that had no n-th allocation it is not known; then an interval that is surely above it has another one fail (`find_count`). On
several processors the kernel may miscount, so a machine for this has one.
"""

import os

from . import machine, module
from .proc import run

FOLDER = "/sys/kernel/debug"
# Allocations ahead, and rounds of work in which so many are surely made: the count is below the last aim; if not, somewhat above it.
REACHES = ((1, 8), (600, 60))
# kmemleak's own allocations, one for each other one: it has a reserve of its own for when they fail.
KMEMLEAK = ("__create_object", "kmemleak_do_cleanup")


def _reserve():
    """(start, end) of the code whose allocations are not to fail."""
    out = run("grep", "-E", f" ({'|'.join(KMEMLEAK)})$", "/proc/kallsyms", ok=False).output
    places = {line.split()[2]: int(line.split()[0], 16) for line in out.splitlines()}
    return (places[KMEMLEAK[0]], places[KMEMLEAK[1]]) if len(places) == 2 else (0, 0)


class Faults:
    """One kind of allocations: `failslab` (slab objects) or `fail_page_alloc` (pages)."""

    def __init__(self, kind):
        self.folder = f"{FOLDER}/{kind}"
        self._count = 0

    def _set(self, name, value):
        machine.write(f"{self.folder}/{name}", str(value))

    def _get(self, name):
        with open(f"{self.folder}/{name}", encoding="ascii") as file:
            return int(file.read())

    @staticmethod
    def available():
        return os.path.exists(f"{FOLDER}/failslab/require-start")

    def prepare(self):
        """Selects what can fail: all that the code of the module that is loaded now asks for, directly or through the kernel."""
        start, end = module.code()
        self._set("times", 0)
        self._set("require-start", f"{start:#x}")
        self._set("require-end", f"{end:#x}")
        start, end = _reserve()
        self._set("reject-start", f"{start:#x}")
        self._set("reject-end", f"{end:#x}")
        self._set("stacktrace-depth", 32)
        self._set("ignore-gfp-wait", "N")
        self._set("verbose", 2)
        self._set("verbose_ratelimit_burst", 1000000)
        self._set("space", 0)
        self._set("probability", 100)
        if os.path.exists(f"{self.folder}/min-order"):
            self._set("min-order", 0)

    def arm(self, number):
        """From now on the `number`-th allocation fails, and no other."""
        self._aim = self._count + number
        self._set("interval", self._aim)
        self._set("times", 1)

    def has_hit(self):
        """Whether it came to that."""
        return self._get("times") == 0

    def find_count(self, work):
        """Does `work` again and again until one of its allocations has failed, after which the count is known. Returns whether one did."""
        for reach, rounds in REACHES:
            self.arm(reach)
            for _ in range(rounds):
                work()
                if self.has_hit():
                    break
            if self.disarm():
                return True
        return False

    def disarm(self):
        """Ends it; returns whether it came to that."""
        hit = self.has_hit()
        self._set("times", 0)
        # Nothing is counted with an interval of 1. After a miss the count is below the aim.
        self._count = 0 if self._aim == 1 else self._aim - (not hit)
        return hit

    def end(self):
        self._set("times", 0)
        self._set("probability", 0)
