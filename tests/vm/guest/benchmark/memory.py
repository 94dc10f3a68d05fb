# SPDX-License-Identifier: GPL-2.0
"""The server's memory per idle connection, session and open file: all pages that are neither free nor a cache's nor the client's, before
and after. So it is the kernel's and the daemons' together, whichever of the two a server lives in."""

import os
import re
import shutil
import time

from lib import machine
from lib.proc import Skip

from .load import Holder
from .measure import ROOT, settle

# How many of each are held in a turn.
COUNTS = {"connections": 25, "sessions": 300, "opens": 2000}
ROWS = {"connections": "memory-connection", "sessions": "memory-session", "opens": "memory-open"}
# Held before it counts, for the server's slabs and pools to find their size.
WARM_UP = {"connections": 5, "sessions": 20, "opens": 50}
# The parts of it that /proc/meminfo names; what is left are pages taken straight from the page allocator.
PARTS = ("Slab", "KernelStack", "VmallocUsed", "Percpu", "PageTables")


def _meminfo():
    with open("/proc/meminfo", encoding="ascii") as file:
        return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in file}


def _per_processor_lists():
    """Bytes of free pages that wait in the processors' lists, which MemFree does not count."""
    with open("/proc/zoneinfo", encoding="ascii") as file:
        return sum(int(count) for count in re.findall(r"^ +count: +(\d+)", file.read(), re.MULTILINE)) * 4096


def _own_memory():
    """Bytes of this process that no file backs."""
    with open("/proc/self/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Anonymous:"))


def kernel():
    """{part: bytes} of the kernel's memory, settled: `kernel` is all of it."""
    machine.write("/proc/sys/vm/drop_caches", "3")
    settle(3)
    machine.write("/proc/sys/vm/compact_memory", "1")
    settle(3)
    info = _meminfo()
    used = info["MemTotal"] - info["MemFree"] - _per_processor_lists() - sum(info[name] for name in ("Active", "Inactive", "Unevictable"))
    return {"kernel": used, **{name: info[name] for name in PARTS}}


def sample(holder):
    """The same with `daemons`, and `server` for both."""
    parts = kernel()
    daemons = _meminfo()["AnonPages"] - holder.own_memory() - _own_memory()
    return {"server": parts["kernel"] + daemons, "daemons": daemons, **parts}


def _measure(holder, what, repeats, results):
    holder.add(what, WARM_UP[what])
    for _ in range(repeats):
        before = sample(holder)
        holder.add(what, COUNTS[what])
        after = sample(holder)
        each = {name: (after[name] - before[name]) / COUNTS[what] for name in before}
        results.note(f"memory for one of {what}: " + ", ".join(f"{name} {value:.0f}" for name, value in each.items()))
        results.value(ROWS[what], each["server"])


def run(rows, repeats, results):
    """Rows memory-*."""
    folder = f"{ROOT}/opens"
    os.makedirs(folder)
    for index in range(COUNTS["opens"] * repeats + WARM_UP["opens"]):
        machine.write(f"{folder}/{index}", "")
    wanted = {row.name for row in rows}
    with Holder() as holder:
        for what, name in ROWS.items():
            if name in wanted:
                try:
                    _measure(holder, what, repeats, results)
                except Skip as reason:
                    results.unsupported(name, str(reason))
    time.sleep(2)
    shutil.rmtree(folder)
